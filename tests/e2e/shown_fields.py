"""What Plex must show, worked out from the simulators' own records, by nothing that SceneSync uses itself."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter, defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from scenesync.simulators.plex.model import ImageCandidate, PlexItem
    from scenesync.simulators.plex.records import FieldWrite
    from scenesync.simulators.plex.server import PlexSimulator
    from scenesync.simulators.stash.records import Scene
    from scenesync.simulators.stash.server import StashSimulator

Fields = dict[str, str | list[str]]


def fields_in_stash(stash: StashSimulator, scene: Scene) -> Fields:
    """Return what a person who looks at the scene in Stash expects to see in Plex."""
    library = stash.library
    title = _line(scene.title) or _line(PurePosixPath(scene.path).stem)
    cast = [library.performers[each] for each in sorted(scene.performer_ids)]
    namesakes = Counter(performer.name for performer in cast)
    studio = [] if scene.studio_id is None else [library.studios[scene.studio_id].name]
    cover = hashlib.sha1(scene.cover.content, usedforsecurity=False).hexdigest() if scene.cover else ""
    return {
        "title": title,
        "sort title": title,
        "summary": scene.details.strip(),
        "date": _whole_date(scene.date or ""),
        "studio": "".join(studio),
        # Two of one name and no more to tell them apart are one actor: Plex knows actors by their names.
        "actors": list(
            dict.fromkeys(
                f"{performer.name} ({performer.disambiguation})"
                if namesakes[performer.name] > 1 and performer.disambiguation
                else performer.name
                for performer in cast
            )
        ),
        "genres": sorted(library.tags[each].name for each in scene.tag_ids),
        "directors": [scene.director] if scene.director else [],
        "collections": studio,
        "poster": cover,
        "background": cover,
    }


def fields_in_plex(item: PlexItem) -> Fields:
    """Return what the item shows."""
    return {
        "title": item.title,
        "sort title": item.title_sort,
        "summary": item.summary,
        "date": item.originally_available_at,
        "studio": item.studio,
        "actors": list(item.actors),
        "genres": sorted(item.genres),
        "directors": list(item.directors),
        "collections": list(item.collections),
        "poster": _sha1(item.poster),
        "background": _sha1(item.art),
    }


def differences(stash: StashSimulator, plex: PlexSimulator, scene: Scene, item: PlexItem) -> list[str]:
    """Return one line for each field in which the item is not what Stash says, or was written and is not locked."""
    return all_differences(stash, plex, [(scene, item)])


def all_differences(stash: StashSimulator, plex: PlexSimulator, pairs: Iterable[tuple[Scene, PlexItem]]) -> list[str]:
    """Return ``differences`` of many scenes and their items; the record of writes, which is long, is read once."""
    locks: dict[str, set[str]] = defaultdict(set)
    for write in plex.field_writes:
        locks[write.rating_key].add(_lock_of(write.field))
    return [line for scene, item in pairs for line in _differences(stash, scene, item, locks[item.rating_key])]


def _differences(stash: StashSimulator, scene: Scene, item: PlexItem, written: AbstractSet[str]) -> list[str]:
    wanted, shown = fields_in_stash(stash, scene), fields_in_plex(item)
    found = [
        f"scene {scene.id} {name}: Stash {wanted[name]!r}, Plex {shown[name]!r}"
        for name in wanted
        if wanted[name] != shown[name]
    ]
    return [*found, *(f"scene {scene.id} {name}: not locked" for name in sorted(written - item.locked))]


def needless_writes(plex: PlexSimulator) -> list[FieldWrite]:
    """Return the writes that changed nothing, or sent a field of an item what it had been sent last."""
    last: dict[tuple[str, str], object] = {}
    found = []
    for write in plex.field_writes:
        key = (write.rating_key, write.field)
        if not write.changed or last.get(key) == write.value:
            found.append(write)
        last[key] = write.value
    return found


def _line(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _whole_date(date: str) -> str:
    return date if len(date) in {0, 10} else (date + "-01-01")[:10]


def _sha1(image: ImageCandidate | None) -> str:
    # What Plex took from the film itself is no picture of ours.
    return image.sha1 if image is not None and image.key.startswith("upload://") else ""


def _lock_of(stem: str) -> str:
    return {"poster": "thumb"}.get(stem, stem).removesuffix(".locked")
