"""Writing to performers, studios, tags and groups: their own hooks fire, the scenes' ``updated_at`` stays (0.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from scenesync.simulators.stash.errors import ResolverError
from scenesync.simulators.stash.inputs import as_id, as_ids, as_image
from scenesync.simulators.stash.library import NotFound
from scenesync.simulators.stash.scene_mutations import full_input

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenesync.simulators.stash.engine import Context
    from scenesync.simulators.stash.library import Library
    from scenesync.simulators.stash.projection import Arguments
    from scenesync.simulators.stash.records import Performer, Scene, Studio, Tag

_TRIGGER_NAMES: Final = {
    "performer": ("Performer",),
    "studio": ("Studio",),
    "tag": ("Tag",),
    "group": ("Group", "Movie"),  # both fire, in this order (facts/stash.md 2.1)
}
_TEXT_FIELDS: Final = ("name", "disambiguation", "details", "description", "sort_name", "director", "synopsis")
_PLAIN_FIELDS: Final = ("gender", "birthdate", "rating100", "favorite", "date")
_LIST_FIELDS: Final = ("alias_list", "urls")
_ID_FIELDS: Final = ("parent_id", "studio_id")
_IDS_FIELDS: Final = ("tag_ids", "parent_ids")
_IMAGE_FIELDS: Final = ("image", "front_image")


def update_entity(kind: str) -> Callable[[Context, Arguments], Any]:
    """Return the resolver of ``performerUpdate``, ``studioUpdate``, ``tagUpdate`` or ``groupUpdate``."""

    def resolve(context: Context, arguments: Arguments) -> Any:  # noqa: ANN401 - a row of the kind
        raw = arguments["input"]
        entity_id = as_id(raw["id"])
        library = context.library
        table = _table(library, kind)
        with library.lock:
            if entity_id not in table:
                raise NotFound(kind, entity_id)
            table[entity_id] = replace(
                table[entity_id], **_changes(table[entity_id], raw), updated_at=library.timestamp()
            )
        for name in _TRIGGER_NAMES[kind]:
            context.fire(f"{name}.Update.Post", entity_id, _hook_input(context, kind, raw), tuple(raw))
        return table.get(entity_id)

    return resolve


def destroy_entities(kind: str) -> Callable[[Context, Arguments], bool]:
    """Return the resolver of ``performersDestroy`` and its like: one hook per id, each with the list of all ids."""

    def resolve(context: Context, arguments: Arguments) -> bool:
        ids = as_ids(arguments["ids"])
        library = context.library
        with library.lock:
            table = _table(library, kind)
            for each in ids:
                if each not in table:
                    raise NotFound(kind, each)
            for each in ids:
                del table[each]
            forget_entities(library, kind, frozenset(ids))
        for each in ids:
            for name in _TRIGGER_NAMES[kind]:
                context.fire(f"{name}.Destroy.Post", each, [str(one) for one in ids])
        return True

    return resolve


def tags_merge(context: Context, arguments: Arguments) -> Tag:
    """``tagsMerge``: scenes move to the destination without a bump; the one hook is Tag.Merge.Post."""
    raw = arguments["input"]
    destination, sources = as_id(raw["destination"]), frozenset(as_ids(raw["source"]))
    library = context.library
    with library.lock:
        for each in (destination, *sources):
            if each not in library.tags:
                raise NotFound("tag", each)
        if destination in sources:
            raise ResolverError("cannot merge a tag into itself")
        for scene in tuple(library.scenes.values()):
            if not sources.isdisjoint(scene.tag_ids):
                kept = tuple(each for each in scene.tag_ids if each not in sources)
                tag_ids = kept if destination in kept else (*kept, destination)
                library.put_scene(replace(scene, tag_ids=tag_ids), bump=False)
        names = tuple(library.tags.pop(each).name for each in sources)
        forget_entities(library, "tag", sources)
        merged = library.tags[destination]
        merged = replace(merged, aliases=merged.aliases + names, updated_at=library.timestamp())
        library.tags[destination] = merged
    context.fire("Tag.Merge.Post", destination, {"source": raw["source"], "destination": raw["destination"]})
    return merged


def _table(library: Library, kind: str) -> dict[int, Any]:
    tables: dict[str, dict[int, Any]] = {
        "performer": library.performers,
        "studio": library.studios,
        "tag": library.tags,
        "group": library.groups,
    }
    return tables[kind]


def _hook_input(context: Context, kind: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what hooks get: all keys for performers and studios, the present ones for tags and groups."""
    if kind in {"tag", "group"}:
        return dict(raw)
    if kind == "studio":
        return full_input(context, "StudioUpdateInput", raw)
    whole = full_input(context, "PerformerUpdateInput", raw)
    if "custom_fields" in whole:
        whole["custom_fields"] = {"full": None, "partial": None, "remove": None, **(whole["custom_fields"] or {})}
    # Two fields that the schema lost in 0.24 are still in Go's struct.
    return {**whole, "height": None, "aliases": None}


def _changes(row: object, raw: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, value in raw.items():
        if name in _IMAGE_FIELDS:
            changes["image"] = None if value is None else as_image(value, "image")
        elif name == "aliases":
            changes[name] = (value or "") if isinstance(getattr(row, name), str) else tuple(value or ())
        elif name in _TEXT_FIELDS:
            changes[name] = value or ""
        elif name in _PLAIN_FIELDS:
            changes[name] = value
        elif name in _LIST_FIELDS:
            changes[name] = tuple(value or ())
        elif name in _ID_FIELDS:
            changes[name] = None if value is None else as_id(value)
        elif name in _IDS_FIELDS:
            changes[name] = as_ids(value)
    return {name: value for name, value in changes.items() if hasattr(row, name)}


def forget_entities(library: Library, kind: str, ids: frozenset[int]) -> None:
    """Take ``ids`` out of every relation. Nothing else about the other rows changes, nor their times."""
    for scene in tuple(library.scenes.values()):
        without = _scene_without(scene, kind, ids)
        if without != scene:
            library.put_scene(without, bump=False)
    if kind == "studio":
        for studio in tuple(library.studios.values()):
            library.studios[studio.id] = _orphaned(studio, ids)
    if kind == "tag":
        for tag in tuple(library.tags.values()):
            kept = tuple(each for each in tag.parent_ids if each not in ids)
            library.tags[tag.id] = replace(tag, parent_ids=kept)
        for performer in tuple(library.performers.values()):
            library.performers[performer.id] = _untagged(performer, ids)


def _scene_without(scene: Scene, kind: str, ids: frozenset[int]) -> Scene:
    match kind:
        case "performer":
            return replace(scene, performer_ids=tuple(each for each in scene.performer_ids if each not in ids))
        case "tag":
            return replace(scene, tag_ids=tuple(each for each in scene.tag_ids if each not in ids))
        case "group":
            return replace(scene, groups=tuple(pair for pair in scene.groups if pair[0] not in ids))
    return replace(scene, studio_id=None) if scene.studio_id in ids else scene


def _orphaned(studio: Studio, ids: frozenset[int]) -> Studio:
    return replace(studio, parent_id=None) if studio.parent_id in ids else studio


def _untagged(performer: Performer, ids: frozenset[int]) -> Performer:
    return replace(performer, tag_ids=tuple(each for each in performer.tag_ids if each not in ids))
