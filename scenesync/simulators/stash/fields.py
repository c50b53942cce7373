"""Where each field of an answer comes from. Fields that are not listed are attributes of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scenesync.simulators.stash import go_json
from scenesync.simulators.stash.library import unix_of
from scenesync.simulators.stash.ordering import natural_key, tag_key
from scenesync.simulators.stash.scene_filters import related_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scenesync.simulators.stash.engine import Context
    from scenesync.simulators.stash.projection import Arguments, Resolver
    from scenesync.simulators.stash.records import Entity, Group, Scene, SceneFile, Studio, Tag


def _id(_context: Context, record: Any, _arguments: Arguments) -> str:  # noqa: ANN401 - any row has an id
    return str(record.id)


def _none(_context: Context, _record: object, _arguments: Arguments) -> None:
    return None


def _empty(_context: Context, _record: object, _arguments: Arguments) -> tuple[()]:
    return ()


def _first_url(_context: Context, record: Any, _arguments: Arguments) -> str | None:  # noqa: ANN401 - likewise
    return record.urls[0] if record.urls else None


def _tags(context: Context, record: Any, _arguments: Arguments) -> list[Tag]:  # noqa: ANN401 - scenes and performers
    return sorted(_rows(context.library.tags, record.tag_ids), key=tag_key)


def _rows(table: Mapping[int, Any], ids: Iterable[int]) -> list[Any]:
    """Return the rows that still exist."""
    return [row for each in ids if (row := table.get(each)) is not None]


def _image_path(kind: str, action: str = "image") -> Resolver:
    def resolve(context: Context, record: Entity, _arguments: Arguments) -> str:
        missing = "" if record.image else "&default=true"
        return f"{context.base_url}/{kind}/{record.id}/{action}?t={unix_of(record.updated_at)}{missing}"

    return resolve


def _scene_count(relation: str) -> Resolver:
    def resolve(context: Context, record: Entity, arguments: Arguments) -> int:
        library = context.library
        with library.lock:
            family = library.family_of(relation.removesuffix("s"), {record.id}, arguments.get("depth"))
            return sum(not family.isdisjoint(related_ids(relation, scene)) for scene in library.scenes.values())

    return resolve


def _scene_paths(context: Context, scene: Scene, _arguments: Arguments) -> dict[str, str]:
    root = f"{context.base_url}/scene/{scene.id}"
    # The real one puts the key there, in clear; a client that logs or stores it gives it away (facts/stash.md 3.6).
    key = context.engine.config.api_key
    return {
        "screenshot": f"{root}/screenshot?t={unix_of(scene.updated_at)}",
        "stream": f"{root}/stream?apikey={key}" if key else f"{root}/stream",
        "preview": f"{root}/preview",
        "webp": f"{root}/webp",
        "vtt": f"{root}_thumbs.vtt",
        "sprite": f"{root}_sprite.jpg",
    }


def _scene_groups(context: Context, scene: Scene, _arguments: Arguments) -> list[dict[str, Any]]:
    return [
        {"group": group, "movie": group, "scene_index": index}
        for group_id, index in scene.groups
        if (group := context.library.groups.get(group_id)) is not None
    ]


def _of_dict(*names: str) -> dict[str, Resolver]:
    return {name: _item(name) for name in names}


def _item(name: str) -> Resolver:
    return lambda _context, record, _arguments: record[name]


def _fingerprint(_context: Context, file: SceneFile, arguments: Arguments) -> str | None:
    return file.oshash if arguments["type"] == "oshash" else None


_SCENE: Final[dict[str, Resolver]] = {
    "id": _id,
    "url": _first_url,
    "o_counter": lambda _context, scene, _arguments: len(scene.o_history),
    "play_count": lambda _context, scene, _arguments: len(scene.play_history),
    "last_played_at": lambda _context, scene, _arguments: max(scene.play_history, default=None),
    "resume_time": lambda _context, scene, _arguments: go_json.number(scene.resume_time_s),
    "play_duration": lambda _context, scene, _arguments: go_json.number(scene.play_duration_s),
    "interactive": lambda _context, _scene, _arguments: False,
    "interactive_speed": _none,
    "captions": _none,
    "paths": _scene_paths,
    "scene_markers": _empty,
    "galleries": _empty,
    "studio": lambda context, scene, _arguments: context.library.studios.get(scene.studio_id),
    "groups": _scene_groups,
    "movies": _scene_groups,
    "tags": _tags,
    # There is no billing order in Stash: performers come by id (facts/stash.md 3.2).
    "performers": lambda context, scene, _arguments: _rows(context.library.performers, sorted(scene.performer_ids)),
}

_FILE: Final[dict[str, Resolver]] = {
    "id": _id,
    "size": lambda _context, file, _arguments: file.size_bytes,
    "duration": lambda _context, file, _arguments: go_json.number(file.duration_s),
    "frame_rate": lambda _context, file, _arguments: go_json.number(file.frame_rate),
    "fingerprint": _fingerprint,
    "fingerprints": lambda _context, file, _arguments: [{"type": "oshash", "value": file.oshash}],
}


def _child_studios(context: Context, studio: Studio, _arguments: Arguments) -> list[Studio]:
    with context.library.lock:
        children = [each for each in context.library.studios.values() if each.parent_id == studio.id]
    return sorted(children, key=lambda each: natural_key(each.name))


def _child_tags(context: Context, tag: Tag, _arguments: Arguments) -> list[Tag]:
    with context.library.lock:
        return sorted((each for each in context.library.tags.values() if tag.id in each.parent_ids), key=tag_key)


def _parent_tags(context: Context, tag: Tag, _arguments: Arguments) -> list[Tag]:
    return sorted(_rows(context.library.tags, tag.parent_ids), key=tag_key)


def _back_image(_context: Context, _group: Group, _arguments: Arguments) -> None:
    return None


_PERFORMER: Final[dict[str, Resolver]] = {
    "id": _id,
    "url": _first_url,
    "tags": _tags,
    "image_path": _image_path("performer"),
    "scene_count": _scene_count("performers"),
}
_STUDIO: Final[dict[str, Resolver]] = {
    "id": _id,
    "url": _first_url,
    "parent_studio": lambda context, studio, _arguments: context.library.studios.get(studio.parent_id),
    "child_studios": _child_studios,
    "tags": _empty,
    "image_path": _image_path("studio"),
    "scene_count": _scene_count("studios"),
}
_TAG: Final[dict[str, Resolver]] = {
    "id": _id,
    "parents": _parent_tags,
    "children": _child_tags,
    "image_path": _image_path("tag"),
    "scene_count": _scene_count("tags"),
}
_GROUP: Final[dict[str, Resolver]] = {
    "id": _id,
    "studio": lambda context, group, _arguments: context.library.studios.get(group.studio_id),
    "front_image_path": _image_path("group", "frontimage"),
    "back_image_path": _back_image,
    "scene_count": _scene_count("groups"),
}
_JOB: Final[dict[str, Resolver]] = {
    "id": _id,
    "subTasks": _none,
    "startTime": lambda _context, job, _arguments: job.started_at,
    "endTime": lambda _context, job, _arguments: job.ended_at,
    "addTime": lambda _context, job, _arguments: job.added_at,
    "status": lambda _context, job, _arguments: job.status.value,
    "progress": lambda _context, job, _arguments: go_json.number(job.progress),
}


def _plugin_enabled(context: Context, plugin: Any, _arguments: Arguments) -> bool:  # noqa: ANN401 - a Plugin
    return plugin.id not in context.engine.disabled_plugins


_PLUGIN: Final[dict[str, Resolver]] = {
    "enabled": _plugin_enabled,
    "tasks": lambda _context, plugin, _arguments: [_of(plugin, each) for each in plugin.tasks],
    "hooks": lambda _context, plugin, _arguments: [_of(plugin, each) for each in plugin.hooks] or None,
    "settings": lambda _context, plugin, _arguments: list(plugin.settings) or None,
}


def _of(plugin: Any, entry: Any) -> dict[str, Any]:  # noqa: ANN401 - a Plugin, its task or hook
    return {
        "name": entry.name,
        "description": entry.description or None,
        "hooks": list(getattr(entry, "triggered_by", ())),
        "plugin": plugin,
    }


FIELDS: Final[Mapping[str, Mapping[str, Resolver]]] = {
    "Scene": _SCENE,
    "VideoFile": _FILE,
    "Fingerprint": _of_dict("type", "value"),
    "ScenePathsType": _of_dict("screenshot", "stream", "preview", "webp", "vtt", "sprite"),
    "SceneGroup": _of_dict("group", "scene_index"),
    "SceneMovie": _of_dict("movie", "scene_index"),
    "Movie": _GROUP,
    "Performer": _PERFORMER,
    "Studio": _STUDIO,
    "Tag": _TAG,
    "Group": _GROUP,
    "Job": _JOB,
    "JobStatusUpdate": _of_dict("type", "job"),
    "Plugin": _PLUGIN,
    "PluginTask": _of_dict("name", "description", "plugin"),
    "PluginHook": _of_dict("name", "description", "hooks", "plugin"),
    "HistoryMutationResult": _of_dict("count", "history"),
    "FindPerformersResultType": _of_dict("count", "performers"),
    "FindStudiosResultType": _of_dict("count", "studios"),
    "FindTagsResultType": _of_dict("count", "tags"),
    "FindGroupsResultType": _of_dict("count", "groups"),
    "FindMoviesResultType": _of_dict("count", "movies"),
    "ConfigGeneralResult": _of_dict(
        "apiKey", "username", "databasePath", "pluginsPath", "pythonPath", "parallelTasks", "maxSessionAge"
    ),
    "SystemStatus": _of_dict("databaseSchema", "databasePath", "configPath", "appSchema", "status", "os"),
    "Version": _of_dict("version", "hash", "build_time"),
}
