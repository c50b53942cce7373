"""Compare what Stash says with what Plex shows, scene by scene.

A judge must not agree with itself: nothing here uses what SceneSync decides by (matching, desired fields, diff). What
Plex should show is stated anew, from the simulators' own records.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scenesync.simulators.plex.model import ImageCandidate, PlexItem
    from scenesync.simulators.plex.records import FieldWrite, RequestRecord
    from scenesync.simulators.stash.library import Library
    from scenesync.simulators.stash.records import Performer, Scene

Value = str | tuple[str, ...]

FIELDS: Final = (
    "title",
    "sort title",
    "summary",
    "date",
    "studio",
    "actors",
    "genres",
    "director",
    "poster",
    "background",
)
# Where the name of a field in the simulator's record of writes is not the name of its lock.
_LOCK_OF: Final = {"poster": "thumb"}
_TAKE_OFF: Final = "[].tag.tag-"
_FIRST_OF_YEAR: Final = "-01-01"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one scene that is not as it should be."""

    scene_id: int
    field: str
    stash_says: Value
    plex_shows: Value

    def __str__(self) -> str:
        return f"scene {self.scene_id}, {self.field}: Stash says {self.stash_says!r}, Plex shows {self.plex_shows!r}"


def said_by_stash(scene: Scene, library: Library) -> Mapping[str, Value]:
    """Return every field as Plex should show it. Pictures are named by the SHA-1 of their bytes."""
    name, dot, _extension = scene.files[0].basename.rpartition(".")
    title = scene.title or (name if dot else scene.files[0].basename)
    studio = library.studios.get(scene.studio_id) if scene.studio_id is not None else None
    # Stash knows no billing order: it shows performers by id.
    cast = [library.performers[each] for each in sorted(scene.performer_ids) if each in library.performers]
    picture = hashlib.sha1(scene.cover.content, usedforsecurity=False).hexdigest() if scene.cover else ""
    return {
        "title": title,
        "sort title": title,
        "summary": scene.details,
        "date": _whole_date(scene.date),
        "studio": studio.name if studio else "",
        "actors": _credits(cast),
        "genres": tuple(sorted(library.tags[each].name for each in scene.tag_ids if each in library.tags)),
        "director": (scene.director,) if scene.director else (),
        "poster": picture,
        "background": picture,
    }


def shown_by_plex(item: PlexItem) -> Mapping[str, Value]:
    """Return every field as Plex shows it; the order of genres means nothing, that of actors does."""
    return {
        "title": item.title,
        "sort title": item.title_sort,
        "summary": item.summary,
        "date": item.originally_available_at,
        "studio": item.studio,
        "actors": item.actors,
        "genres": tuple(sorted(item.genres)),
        "director": item.directors,
        "poster": _sha1_of(item.poster),
        "background": _sha1_of(item.art),
    }


def compare_scene(scene: Scene, library: Library, item: PlexItem | None) -> list[Difference]:
    """Return the fields in which Plex does not show what Stash says; ``item`` None: the file is not in Plex."""
    if item is None:
        return [Difference(scene.id, "file", scene.path, "nothing")]
    wanted, shown = said_by_stash(scene, library), shown_by_plex(item)
    return [Difference(scene.id, name, wanted[name], shown[name]) for name in FIELDS if not _same(name, wanted, shown)]


def compare_locks(scene: Scene, item: PlexItem, writes: Iterable[FieldWrite]) -> list[Difference]:
    """Return a difference unless exactly the fields that were written are locked; ``writes`` are those of ``item``.

    What was written must survive a refresh of Plex's metadata; what was right by itself is left to Plex.
    """
    stems = {write.field.removesuffix(".locked") for write in writes}
    written = {_LOCK_OF.get(stem, stem) for stem in stems}
    if written == item.locked:
        return []
    return [Difference(scene.id, "locks", tuple(sorted(written)), tuple(sorted(item.locked)))]


def needless_writes(writes: Iterable[FieldWrite], requests: Iterable[RequestRecord]) -> list[FieldWrite]:
    """Return the writes that gave a field the value, and the lock, that it had.

    A request that does nothing but take names off a list repeats no value, even if the list has lost them already:
    names with a comma or an apostrophe have to be taken off one by one (facts/plex.md 3.3).
    """
    removals = Counter(removal for request in requests if (removal := _removal(request)) is not None)
    needless = []
    for write in writes:
        if write.changed:
            continue
        if removals[write.rating_key, write.field] > 0:
            removals[write.rating_key, write.field] -= 1
        else:
            needless.append(write)
    return needless


def _removal(request: RequestRecord) -> tuple[str, str] | None:
    """Return item and field of an edit that only takes names off one list, else None."""
    names = [name for name, _value in request.query if name not in {"type", "id"}]
    stems = {name.removesuffix(_TAKE_OFF) for name in names if name.endswith(_TAKE_OFF)}
    if len(stems) != 1:
        return None
    (stem,) = stems
    only = {f"{stem}{_TAKE_OFF}", f"{stem}.locked"}
    return (dict(request.query)["id"], stem) if only.issuperset(names) else None


def _same(name: str, wanted: Mapping[str, Value], shown: Mapping[str, Value]) -> bool:
    if name in {"poster", "background"} and not wanted[name]:
        return True  # a scene without cover says nothing about pictures
    return wanted[name] == shown[name]


def _whole_date(date: str | None) -> str:
    """Complete what Stash may leave out: 2019 and 2019-05 are days in January, and the first of May."""
    if not date:
        return ""
    return date + _FIRST_OF_YEAR[len(date) - len("2019") :]


def _credits(cast: list[Performer]) -> tuple[str, ...]:
    """Name everybody once; namesakes in one cast are told apart as Stash does."""
    names = [each.name for each in cast]
    shown = (
        f"{each.name} ({each.disambiguation})" if each.disambiguation and names.count(each.name) > 1 else each.name
        for each in cast
    )
    return tuple(dict.fromkeys(shown))


def _sha1_of(image: ImageCandidate | None) -> str:
    return image.sha1 if image else ""
