"""The root fields of GraphQL queries over the library."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scenesync.simulators.stash import go_json
from scenesync.simulators.stash.errors import ResolverError
from scenesync.simulators.stash.inputs import as_id
from scenesync.simulators.stash.library import NotFound
from scenesync.simulators.stash.ordering import natural_key, sort_scenes
from scenesync.simulators.stash.scene_filters import entity_predicate, scene_predicate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scenesync.simulators.stash.engine import Context
    from scenesync.simulators.stash.jobs import Job
    from scenesync.simulators.stash.library import Library
    from scenesync.simulators.stash.projection import Arguments
    from scenesync.simulators.stash.records import Scene

_PER_PAGE: Final = 25
_IDS_VALIDATED_SINCE: Final = 28


@dataclass(frozen=True, slots=True)
class FoundScenes:
    """A page; the aggregates are computed only when they are asked for, as in Stash."""

    scenes: Sequence[Scene]
    matching: Callable[[], Sequence[Scene]]

    @property
    def count(self) -> int:
        """How many scenes match, on all pages."""
        return len(self.matching())

    @property
    def duration(self) -> float | int | None:
        """Seconds of all files of all matches."""
        return go_json.number(sum(file.duration_s for scene in self.matching() for file in scene.files))

    @property
    def filesize(self) -> float | int | None:
        """Bytes of all files of all matches."""
        return go_json.number(sum(file.size_bytes for scene in self.matching() for file in scene.files))


def find_scene(context: Context, arguments: Arguments) -> Scene | None:
    """``findScene``: a missing scene is null, without an error."""
    return None if arguments.get("id") is None else context.library.scenes.get(as_id(arguments["id"]))


def find_scenes(context: Context, arguments: Arguments) -> FoundScenes:
    """``findScenes``: ids win over everything else, and an empty list of ids is no filter (facts/stash.md 3.3)."""
    ids = arguments.get("ids") or arguments.get("scene_ids")
    if ids:
        scenes = _scenes_by_ids(context, [as_id(each) for each in ids])
        return FoundScenes(scenes, lambda: scenes)
    library = context.library
    page = arguments.get("filter") or {}
    criteria = arguments.get("scene_filter") or {}
    passes = scene_predicate(criteria, library)
    words = (page.get("q") or "").casefold().split()

    def matching() -> list[Scene]:
        with library.lock:
            return [scene for scene in library.scenes.values() if passes(scene) and _mentions(scene, words)]

    sort, direction = page.get("sort") or "", page.get("direction") or "ASC"
    if sort == "id" and direction == "ASC":
        return FoundScenes(_page_by_id(library, criteria, page, passes, words), matching)
    return FoundScenes(list(paged(sort_scenes(matching(), sort, direction), page)), matching)


def find_entities(kind: str, plural: str) -> Callable[[Context, Arguments], dict[str, Any]]:
    """Return the resolver of ``findPerformers`` and its like."""

    def resolve(context: Context, arguments: Arguments) -> dict[str, Any]:
        library = context.library
        page = arguments.get("filter") or {}
        ids = arguments.get("ids") or arguments.get("performer_ids")
        with library.lock:
            table: Mapping[int, Any] = getattr(library, plural)
            if ids:
                rows = [_row(table, kind, as_id(each)) for each in ids]
                return {"count": len(rows), plural: rows}
            passes = entity_predicate(arguments.get(f"{kind}_filter") or {}, library)
            rows = [row for row in table.values() if passes(row)]
        sort = page.get("sort") or "name"
        if sort not in {"id", "name", "updated_at", "created_at"}:
            raise ResolverError(f"invalid sort: {sort}")
        rows.sort(
            key=lambda row: natural_key(row.name) if sort == "name" else getattr(row, sort),
            reverse=page.get("direction") == "DESC",
        )
        return {"count": len(rows), plural: list(paged(rows, page))}

    return resolve


def find_movies(context: Context, arguments: Arguments) -> dict[str, Any]:
    """``findMovies``: what groups were called before v0.27, and still answer to."""
    found = find_entities("group", "groups")(context, arguments)
    return {"count": found["count"], "movies": found["groups"]}


def find_entity(plural: str) -> Callable[[Context, Arguments], Any]:
    """Return the resolver of ``findPerformer`` and its like: null when missing."""
    return lambda context, arguments: getattr(context.library, plural).get(as_id(arguments["id"]))


def configuration(context: Context, _arguments: Arguments) -> dict[str, Any]:
    """Answer ``configuration``; its ``plugins`` is :func:`plugin_settings`."""
    config = context.engine.config
    return {
        "general": {
            "apiKey": config.api_key,
            "username": config.username,
            "databasePath": str((config.config_dir or "") and f"{config.config_dir}/stash-go.sqlite"),
            "pluginsPath": str(config.plugin_dir or ""),
            "pythonPath": "",
            "parallelTasks": config.parallel_tasks,
            "maxSessionAge": int(config.max_session_age_s),
        }
    }


def plugin_settings(context: Any, _record: object, arguments: Arguments) -> dict[str, Any]:  # noqa: ANN401 - a Resolver
    """``configuration.plugins``: a plugin without saved settings is missing from the map."""
    settings = context.engine.plugin_settings
    include = arguments.get("include")
    return {key: settings[key] for key in sorted(settings) if include is None or key in include}


def plugins(context: Context, _arguments: Arguments) -> Sequence[Any] | None:
    """``plugins`` is null, not empty, when there is none."""
    return context.engine.host.plugins or None


def plugin_tasks(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    """``pluginTasks``: those of enabled plugins."""
    host = context.engine.host
    return [
        {"name": task.name, "description": task.description or None, "plugin": plugin}
        for plugin in host.plugins
        if plugin.id not in host.disabled
        for task in plugin.tasks
    ]


def job_queue(context: Context, _arguments: Arguments) -> list[Job] | None:
    """``jobQueue`` is null when empty."""
    return context.engine.jobs.unfinished() or None


def find_job(context: Context, arguments: Arguments) -> Job | None:
    """``findJob``: also one of the last ten that finished."""
    return context.engine.jobs.find(as_id(arguments["input"]["id"]))


def system_status(context: Context, _arguments: Arguments) -> dict[str, Any]:
    """``systemStatus`` answers also while a migration is due."""
    release, status = context.engine.release, context.engine.system_status
    schema = release.database_schema
    return {
        "databaseSchema": {"OK": schema, "NEEDS_MIGRATION": schema - 1}.get(status),
        "databasePath": None,
        "configPath": None,
        "appSchema": schema,
        "status": status,
        "os": "linux",
    }


def version(context: Context, _arguments: Arguments) -> dict[str, Any]:
    """``version``."""
    release = context.engine.release
    return {"version": release.version, "hash": release.git_hash, "build_time": ""}


def paged(rows: Iterable[Any], page: Mapping[str, Any]) -> Iterable[Any]:
    """Return one page: 25 rows when nothing is said, all for -1, none for 0."""
    per_page = page.get("per_page")
    per_page = _PER_PAGE if per_page is None else per_page
    if per_page < 0:
        return rows
    start = (max(page.get("page") or 1, 1) - 1) * per_page
    return itertools.islice(rows, start, start + per_page)


def _page_by_id(
    library: Library,
    criteria: Mapping[str, Any],
    page: Mapping[str, Any],
    passes: Callable[[Scene], bool],
    words: Sequence[str],
) -> list[Scene]:
    """Return a page in the order of ids without looking at more scenes than needed."""
    range_ = criteria.get("id") or {}
    above = range_["value"] if range_.get("modifier") == "GREATER_THAN" else 0
    with library.lock:
        found = (scene for scene in library.scenes_above(above) if passes(scene) and _mentions(scene, words))
        return list(paged(found, page))


def _scenes_by_ids(context: Context, ids: list[int]) -> list[Scene]:
    """Return the scenes in the given order; the whole answer fails when one id is missing or given twice."""
    seen: set[int] = set()
    for each in ids:
        if each in seen:
            if context.engine.release.minor < _IDS_VALIDATED_SINCE:
                raise NotFound("scene", each)
            raise ResolverError(f"validating ids: duplicate id found: {each}")
        seen.add(each)
    return [context.library.scene(each) for each in ids]


def _row(table: Mapping[int, Any], kind: str, row_id: int) -> Any:  # noqa: ANN401 - a row of the kind
    if row_id not in table:
        raise NotFound(kind, row_id)
    return table[row_id]


def _mentions(scene: Scene, words: Sequence[str]) -> bool:
    if not words:
        return True
    text = f"{scene.title}\n{scene.details}\n{scene.code}\n{scene.path}".casefold()
    return all(word in text for word in words)
