"""Writing to scenes: commit first, hooks afterwards, one after another (facts/stash.md 0.1, 1.6, 2.1)."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from graphql import GraphQLInputObjectType

from scenesync.simulators.stash import go_json
from scenesync.simulators.stash.errors import ResolverError
from scenesync.simulators.stash.inputs import as_date, as_id, as_ids, as_image, foreign_key_failed, known_ids
from scenesync.simulators.stash.library import as_timestamp
from scenesync.simulators.stash.records import Scene, StashId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.simulators.stash.engine import Context
    from scenesync.simulators.stash.projection import Arguments

SCENE_UPDATED: Final = "Scene.Update.Post"
SCENE_DESTROYED: Final = "Scene.Destroy.Post"
_TEXTS: Final = ("title", "code", "details", "director")


def scene_update(context: Context, arguments: Arguments) -> Scene | None:
    """``sceneUpdate``: the Save button."""
    raw = arguments["input"]
    library = context.library
    with library.lock:
        scene = library.put_scene(updated_scene(context, library.scene(as_id(raw["id"])), raw))
    context.fire(SCENE_UPDATED, scene.id, full_input(context, "SceneUpdateInput", raw), tuple(raw))
    return library.scenes.get(scene.id)


def scenes_update(context: Context, arguments: Arguments) -> list[Scene | None]:
    """``scenesUpdate``: every hook gets the whole array."""
    raws = arguments["input"]
    library = context.library
    with library.lock:
        changed = [updated_scene(context, library.scene(as_id(raw["id"])), raw) for raw in raws]
        for scene in changed:
            library.put_scene(scene)
    whole = [full_input(context, "SceneUpdateInput", raw) for raw in raws]
    for scene, raw in zip(changed, raws, strict=True):
        context.fire(SCENE_UPDATED, scene.id, whole, tuple(raw))
    return [library.scenes.get(scene.id) for scene in changed]


def bulk_scene_update(context: Context, arguments: Arguments) -> list[Scene | None]:
    """``bulkSceneUpdate``: all or nothing is written, then one hook per scene with the bulk input."""
    raw = arguments["input"]
    library = context.library
    with library.lock:
        try:
            scenes = [library.scenes[each] for each in as_ids(raw.get("ids"))]
        except KeyError:
            raise ResolverError("sql: no rows in result set") from None
        changed = [updated_scene(context, scene, _bulk_values(scene, raw)) for scene in scenes]
        for scene in changed:
            library.put_scene(scene)
    present = {key: value for key, value in raw.items() if value is not None}
    for scene in changed:
        context.fire(SCENE_UPDATED, scene.id, present, tuple(raw))
    return [library.scenes.get(scene.id) for scene in changed]


def scene_destroy(context: Context, arguments: Arguments) -> bool:
    """``sceneDestroy``."""
    raw = arguments["input"]
    scene = context.library.remove_scene(as_id(raw["id"]))
    context.fire(SCENE_DESTROYED, scene.id, destroy_input({"id": raw["id"]}, raw, scene))
    return True


def scenes_destroy(context: Context, arguments: Arguments) -> bool:
    """``scenesDestroy``: all are gone before the first hook runs."""
    raw = arguments["input"]
    library = context.library
    with library.lock:
        ids = as_ids(raw["ids"])
        for each in ids:
            library.scene(each)
        scenes = [library.remove_scene(each) for each in ids]
    for scene in scenes:
        context.fire(SCENE_DESTROYED, scene.id, destroy_input({"ids": raw["ids"]}, raw, scene))
    return True


def scene_merge(context: Context, arguments: Arguments) -> Scene:
    """``sceneMerge``: the sources vanish without a Destroy hook, the destination changes without an Update hook."""
    raw = arguments["input"]
    library = context.library
    with library.lock:
        destination = library.scene(as_id(raw["destination"]))
        sources = [library.scene(each) for each in as_ids(raw["source"])]
        if destination.id in {source.id for source in sources}:
            raise ResolverError("destination scene cannot be in source list")
        values = raw.get("values") or {}
        merged = updated_scene(context, destination, values)
        files = merged.files + tuple(file for source in sources for file in source.files)
        for source in sources:
            library.remove_scene(source.id)
        return library.put_scene(replace(merged, files=files))


def scene_add_play(context: Context, arguments: Arguments) -> dict[str, Any]:
    """``sceneAddPlay``: no hook, no bump, equal times are kept; times come back in UTC."""
    library = context.library
    with library.lock:
        scene = library.scene(as_id(arguments["id"]))
        history = _longer_history(context, scene.play_history, arguments)
        library.put_scene(replace(scene, play_history=history), bump=False)
    return {"count": len(history), "history": list(history)}


def scene_add_o(context: Context, arguments: Arguments) -> dict[str, Any]:
    """``sceneAddO``: as silent as a play."""
    library = context.library
    with library.lock:
        scene = library.scene(as_id(arguments["id"]))
        history = _longer_history(context, scene.o_history, arguments)
        library.put_scene(replace(scene, o_history=history), bump=False)
    return {"count": len(history), "history": list(history)}


def scene_save_activity(context: Context, arguments: Arguments) -> bool:
    """``sceneSaveActivity``: the resume time is set, the duration is added; no hook, no bump."""
    library = context.library
    with library.lock:
        scene = library.scene(as_id(arguments["id"]))
        resume = arguments.get("resume_time")
        played = scene.play_duration_s + (arguments.get("playDuration") or 0.0)
        scene = replace(scene, play_duration_s=played, resume_time_s=scene.resume_time_s if resume is None else resume)
        library.put_scene(scene, bump=False)
    return True


def scene_reset_activity(context: Context, arguments: Arguments) -> bool:
    """``sceneResetActivity``: no hook, no bump."""
    library = context.library
    with library.lock:
        scene = library.scene(as_id(arguments["id"]))
        resume = 0.0 if arguments.get("reset_resume") else scene.resume_time_s
        played = 0.0 if arguments.get("reset_duration") else scene.play_duration_s
        library.put_scene(replace(scene, resume_time_s=resume, play_duration_s=played), bump=False)
    return True


def full_input(context: Context, type_name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a hand-written Go struct as hooks see it: all keys, null where the request had none."""
    kind = context.engine.schema.type_map[type_name]
    if not isinstance(kind, GraphQLInputObjectType):
        raise TypeError(f"{type_name} is no input")
    return {name: _struct_value(raw.get(name)) for name in kind.fields}


def destroy_input(identity: Mapping[str, Any], raw: Mapping[str, Any], scene: Scene) -> dict[str, Any]:
    """Return what a Destroy hook gets: the request, and what the scene's first file was."""
    return {
        **identity,
        "delete_file": raw.get("delete_file"),
        "delete_generated": raw.get("delete_generated"),
        "checksum": "",
        "oshash": scene.files[0].oshash if scene.files else "",
        "path": scene.path,
    }


def _struct_value(value: object) -> object:
    return go_json.number(value) if isinstance(value, float) else value


def updated_scene(context: Context, scene: Scene, raw: Mapping[str, Any]) -> Scene:
    """Return the scene with the present fields of ``raw`` taken over: null clears, absent keeps."""
    release = context.engine.release
    texts = {name: raw[name] or "" for name in _TEXTS if name in raw}
    changes: dict[str, Any] = {name: text.strip() if release.trims_texts else text for name, text in texts.items()}
    if "date" in raw:
        changes["date"] = as_date(raw["date"], takes_partial=release.takes_partial_dates)
    if "rating100" in raw:
        changes["rating100"] = raw["rating100"]
    # resume_time, play_count and o_counter are in the input type, and silently ignored (facts/stash.md 3.5).
    for name, attribute in (("organized", "organized"), ("play_duration", "play_duration_s")):
        if raw.get(name) is not None:
            changes[attribute] = raw[name]
    if "urls" in raw or "url" in raw:
        single = (raw["url"],) if raw.get("url") else ()
        changes["urls"] = tuple(raw["urls"] or ()) if "urls" in raw else single
    if raw.get("cover_image") is not None:
        changes["cover"] = as_image(raw["cover_image"], "cover image")
    if raw.get("primary_file_id") is not None:
        changes["files"] = _with_primary(scene, as_id(raw["primary_file_id"]))
    if "stash_ids" in raw:
        changes["stash_ids"] = tuple(_stash_id(context, each) for each in raw["stash_ids"] or ())
    return replace(scene, **changes, **_relations(context, raw))


def _relations(context: Context, raw: Mapping[str, Any]) -> dict[str, Any]:
    library = context.library
    changes: dict[str, Any] = {}
    if "studio_id" in raw:
        studio = raw["studio_id"]
        changes["studio_id"] = None if studio is None else as_id(studio)
        if changes["studio_id"] is not None and changes["studio_id"] not in library.studios:
            raise foreign_key_failed(
                "updating scenes: executing `UPDATE `scenes` SET `studio_id`=?,`updated_at`=? WHERE (`id` = ?)`",
                changes["studio_id"],
            )
    if "performer_ids" in raw:
        statement = "updating scenes: executing `INSERT INTO `performers_scenes` (`scene_id`, `performer_id`)`"
        changes["performer_ids"] = tuple(sorted(known_ids(raw["performer_ids"], library.performers, statement)))
    if "tag_ids" in raw:
        statement = "updating scenes: executing `INSERT INTO `scenes_tags` (`scene_id`, `tag_id`)`"
        changes["tag_ids"] = known_ids(raw["tag_ids"], library.tags, statement)
    if "groups" in raw or "movies" in raw:
        links = raw.get("groups") or raw.get("movies") or ()
        pairs = {as_id(each.get("group_id") or each["movie_id"]): each.get("scene_index") for each in links}
        known_ids(list(pairs), library.groups, "updating scenes: executing `INSERT INTO `groups_scenes``")
        changes["groups"] = tuple(pairs.items())
    return changes


def _bulk_values(scene: Scene, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the input of a single update that a bulk input means for ``scene``."""
    values = {key: raw[key] for key in (*_TEXTS, "date", "rating100", "organized", "studio_id", "url") if key in raw}
    for key, current in (("performer_ids", scene.performer_ids), ("tag_ids", scene.tag_ids)):
        if raw.get(key) is not None:
            values[key] = _bulk_list(current, as_ids(raw[key].get("ids")), raw[key]["mode"])
    if raw.get("urls") is not None:
        values["urls"] = _bulk_list(scene.urls, raw["urls"].get("values") or (), raw["urls"]["mode"])
    if raw.get("group_ids") is not None:
        indexes = dict(scene.groups)
        ids = _bulk_list(tuple(indexes), as_ids(raw["group_ids"].get("ids")), raw["group_ids"]["mode"])
        values["groups"] = [{"group_id": each, "scene_index": indexes.get(each)} for each in ids]
    return values


def _bulk_list(current: Iterable[Any], given: Sequence[Any], mode: str) -> list[Any]:
    match mode:
        case "ADD":
            return list(dict.fromkeys((*current, *given)))
        case "REMOVE":
            return [each for each in current if each not in given]
    return list(given)


def _with_primary(scene: Scene, file_id: int) -> tuple[Any, ...]:
    if file_id not in {file.id for file in scene.files}:
        raise ResolverError(f"file with id {file_id} not associated with scene {scene.id}")
    return tuple(sorted(scene.files, key=lambda file: file.id != file_id))


def _stash_id(context: Context, raw: Mapping[str, Any]) -> StashId:
    # A time that Stash sets itself has up to nine fractional digits, without zeros at the end (facts/stash.md 3.2).
    given = raw.get("updated_at")
    if given is None:
        now = context.library.now_s()
        fraction = f"{int(now % 1 * 1_000_000):06d}353"
        given = f"{as_timestamp(now, dt.UTC).removesuffix('Z')}.{fraction}Z"
    return StashId(raw["endpoint"], raw["stash_id"], given)


def _longer_history(context: Context, history: tuple[str, ...], arguments: Arguments) -> tuple[str, ...]:
    given = arguments.get("times") or [as_timestamp(context.library.now_s(), dt.UTC)]
    times = (as_timestamp(dt.datetime.fromisoformat(each).timestamp(), dt.UTC) for each in given)
    return tuple(sorted((*history, *times), reverse=True))
