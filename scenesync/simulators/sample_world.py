"""An invented library in a simulated Stash, with the same files in a simulated Plex: for demo, tests and benchmarks.

Everything follows from the seed: the same call makes the same films, travels and concerts.
"""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from scenesync.simulators import sample_words as words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.simulators.stash.records import Group, Performer, Scene, Studio, Tag
    from scenesync.simulators.stash.server import StashSimulator

_FIRST_YEAR: Final = 1996
_LAST_YEAR: Final = 2025
_COVER_SIZE: Final = (48, 27)

Library = TypeVar("Library")


class PlexItem(Protocol):
    """What is needed to know of an item in the simulated Plex."""

    @property
    def rating_key(self) -> str:
        """Its ``ratingKey``."""


class Plex(Protocol[Library]):
    """What is needed of a simulated Plex."""

    def add_library(self, title: str, roots: Sequence[str]) -> Library:
        """Add a movie library."""

    def add_item(self, library: Library, *, file: str, size_bytes: int, duration_ms: int) -> PlexItem:
        """Add an item with one file."""


@dataclass(frozen=True, slots=True)
class World:
    """What was built. ``scene_ids`` are in the order of creation."""

    scene_ids: tuple[int, ...]
    path_map: tuple[str, str]
    """Prefix in Stash, prefix in Plex: the same folder, mounted at different places."""
    rating_key_of: Mapping[int, str]
    """Scene id to the item with the same file."""
    scene_of: Mapping[str, int]
    """The reverse."""
    studio_ids: tuple[int, ...]
    performer_ids: tuple[int, ...]
    tag_ids: tuple[int, ...]
    group_ids: tuple[int, ...]
    library_title: str

    def plex_path(self, stash_path: str) -> str:
        """Return where Plex sees a file of Stash."""
        stash_root, plex_root = self.path_map
        return plex_root + stash_path.removeprefix(stash_root)


@dataclass(frozen=True, slots=True)
class _Cast:
    studios: tuple[Studio, ...]
    performers: tuple[Performer, ...]
    tags: tuple[Tag, ...]
    groups: tuple[Group, ...]


def build_world(
    stash: StashSimulator,
    plex: Plex[Library],
    scenes: int,
    *,
    seed: int = 1,
    stash_root: str = "/data/stash",
    plex_root: str = "/mnt/media",
    with_covers: bool = True,
    library_title: str = "Scenes",
) -> World:
    """Fill both servers with ``scenes`` scenes and their files; no hook fires."""
    rng = random.Random(seed)
    cast = _hire(stash, rng, scenes)
    library = plex.add_library(library_title, [plex_root])
    rating_keys: dict[int, str] = {}
    for number in range(1, scenes + 1):
        scene = _add_scene(stash, rng, cast, number, stash_root, with_covers=with_covers)
        file = scene.files[0]
        item = plex.add_item(
            library,
            file=plex_root + file.path.removeprefix(stash_root),
            size_bytes=file.size_bytes,
            duration_ms=round(file.duration_s * 1000),
        )
        rating_keys[scene.id] = item.rating_key
    return World(
        scene_ids=tuple(rating_keys),
        path_map=(stash_root, plex_root),
        rating_key_of=rating_keys,
        scene_of={key: scene_id for scene_id, key in rating_keys.items()},
        studio_ids=tuple(each.id for each in cast.studios),
        performer_ids=tuple(each.id for each in cast.performers),
        tag_ids=tuple(each.id for each in cast.tags),
        group_ids=tuple(each.id for each in cast.groups),
        library_title=library_title,
    )


def random_edit(stash: StashSimulator, scene_id: int, rng: random.Random) -> dict[str, Any]:
    """Change one to three fields of a scene as a person would, and press Save: its hooks run.

    Returns what was entered, in the words of ``StashSimulator.save``; each value differs from the one before.
    """
    scene = stash.scene(scene_id)
    # Without performers, say, there is nothing to choose from.
    choices = [name for name in sorted(_EDITS) if getattr(stash.library, _PLURALS.get(name, ""), True)]
    names = rng.sample(choices, rng.randint(1, 3))
    changes = {name: _EDITS[name](stash, scene, rng) for name in names}
    stash.save(scene_id, **changes)
    return changes


def png(seed: int, *, width: int = _COVER_SIZE[0], height: int = _COVER_SIZE[1]) -> bytes:
    """Return a small valid PNG; different seeds give different pictures."""
    rng = random.Random(seed)
    stripes = [bytes(rng.randrange(256) for _channel in range(3)) for _stripe in range(6)]
    shift = seed % 6
    bands = [  # every row of a band is the same
        b"\x00" + b"".join(stripes[(x * 6 // width + band + shift) % 6] for x in range(width))
        for band in range((height - 1) // 9 + 1)
    ]
    rows = b"".join(bands[y // 9] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"tEXt", b"Comment\x00%d" % seed), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _hire(stash: StashSimulator, rng: random.Random, scenes: int) -> _Cast:
    owners = tuple(stash.add_studio(name) for name in words.OWNERS)
    studios = tuple(stash.add_studio(name, rng.choice(owners)) for name in words.STUDIOS)
    count = max(6, min(400, scenes // 4))
    performers = []
    for number in range(count):
        first, last = words.FIRST_NAMES[number % len(words.FIRST_NAMES)], rng.choice(words.LAST_NAMES)
        # Some share a name; Stash then tells them apart by the disambiguation.
        performers.append(stash.add_performer(f"{first} {last}", rng.choice(words.CALLINGS) if number % 5 == 0 else ""))
    tags = tuple(stash.add_tag(name) for name in words.TAGS)
    groups = tuple(stash.add_group(name, date=f"{rng.randint(_FIRST_YEAR, _LAST_YEAR)}") for name in words.GROUPS)
    return _Cast((*owners, *studios), tuple(performers), tags, groups)


def _add_scene(
    stash: StashSimulator, rng: random.Random, cast: _Cast, number: int, root: str, *, with_covers: bool
) -> Scene:
    folder = rng.choice(words.FOLDERS)
    name = f"{rng.choice(words.PLACES)} {rng.choice(words.THINGS)} {number:05d}"
    return stash.add_scene(
        title="" if number % 17 == 0 else _title(rng, number),  # Stash then shows the file's name
        path=f"{root}/{folder}/{name[0].upper()}/{name}.{rng.choice(words.EXTENSIONS)}",
        size_bytes=50_000_000 + number * 4_099 + rng.randrange(4_000),
        duration_s=60.0 + number % 7200 + rng.randrange(1000) / 1000,
        details=_details(rng),
        date=_date(rng),
        studio=rng.choice(cast.studios) if number % 9 else None,
        performers=rng.sample(cast.performers, rng.randint(0, 4)),
        tags=rng.sample(cast.tags, rng.randint(0, 6)),
        groups=rng.sample(cast.groups, 1) if number % 6 == 0 else (),
        director=f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.LAST_NAMES)}" if number % 3 else "",
        code=f"SC-{number:05d}" if number % 4 == 0 else "",
        rating100=rng.choice((None, 20, 45, 60, 85, 100)),
        organized=number % 3 == 0,
        cover=png(number) if with_covers else None,
    )


def _title(rng: random.Random, number: int) -> str:
    pattern = rng.choice(words.TITLES)
    return pattern.format(place=rng.choice(words.PLACES), thing=rng.choice(words.THINGS), number=number)


def _details(rng: random.Random) -> str:
    paragraphs = (" ".join(rng.sample(words.SENTENCES, rng.randint(1, 4))) for _each in range(rng.randint(0, 3)))
    return "\n\n".join(paragraphs)


def _date(rng: random.Random) -> str | None:
    year, month, day = rng.randint(_FIRST_YEAR, _LAST_YEAR), rng.randint(1, 12), rng.randint(1, 28)
    whole = f"{year:04d}-{month:02d}-{day:02d}"
    return rng.choice((whole, whole, whole, whole, whole[:7], whole[:4], None))


def _new_title(_stash: StashSimulator, scene: Scene, rng: random.Random) -> str:
    return _other(scene.title, lambda: _title(rng, rng.randint(1, 99_999)))


def _new_details(_stash: StashSimulator, scene: Scene, rng: random.Random) -> str:
    return _other(scene.details, lambda: _details(rng))


def _new_date(_stash: StashSimulator, scene: Scene, rng: random.Random) -> str | None:
    return _other(scene.date, lambda: _date(rng))


def _new_studio(stash: StashSimulator, scene: Scene, rng: random.Random) -> int | None:
    return _other(scene.studio_id, lambda: rng.choice([None, *stash.library.studios]))


def _new_performers(stash: StashSimulator, scene: Scene, rng: random.Random) -> list[int]:
    return _other(sorted(scene.performer_ids), lambda: _some(stash.library.performers, rng, most=4))


def _new_tags(stash: StashSimulator, scene: Scene, rng: random.Random) -> list[int]:
    return _other(sorted(scene.tag_ids), lambda: _some(stash.library.tags, rng, most=6))


def _new_cover(_stash: StashSimulator, _scene: Scene, rng: random.Random) -> bytes:
    return png(rng.randrange(1_000_000, 2_000_000_000))


def _some(table: Mapping[int, object], rng: random.Random, *, most: int) -> list[int]:
    return sorted(rng.sample(sorted(table), rng.randint(0, min(most, len(table)))))


Value = TypeVar("Value")


def _other(current: Value, draw: Callable[[], Value]) -> Value:
    """Draw until the value is a change."""
    while (value := draw()) == current:
        pass
    return value


_PLURALS: Final = {"studio": "studios", "performers": "performers", "tags": "tags"}
_EDITS: Final[Mapping[str, Callable[[StashSimulator, Scene, random.Random], Any]]] = {
    "title": _new_title,
    "details": _new_details,
    "date": _new_date,
    "studio": _new_studio,
    "performers": _new_performers,
    "tags": _new_tags,
    "cover": _new_cover,
}
