"""How Stash sorts: names naturally and without case, scenes by the few sorts that a sync may use."""

from __future__ import annotations

import functools
import re
import zlib
from typing import TYPE_CHECKING, Any, Final

from scenesync.simulators.stash.errors import ResolverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scenesync.simulators.stash.records import Scene, Tag

_DIGITS: Final = re.compile(r"(\d+)")


@functools.lru_cache(maxsize=65_536)
def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Digits count as numbers, letters without case."""
    parts = _DIGITS.split(text.casefold())
    return tuple((0, int(part), "") if index % 2 else (1, 0, part) for index, part in enumerate(parts))


def tag_key(tag: Tag) -> tuple[tuple[int, int, str], ...]:
    """Tags come by sort name where there is one."""
    return natural_key(tag.sort_name or tag.name)


_SCENE_KEYS: Final[dict[str, Callable[[Scene], Any]]] = {
    "id": lambda scene: scene.id,
    "updated_at": lambda scene: scene.updated_at,
    "created_at": lambda scene: scene.created_at,
    "title": lambda scene: natural_key(scene.shown_title),
    "path": lambda scene: natural_key(scene.path),
    "date": lambda scene: scene.date or "",
    "rating": lambda scene: scene.rating100 or 0,
    "filesize": lambda scene: scene.files[0].size_bytes if scene.files else 0,
    "duration": lambda scene: scene.files[0].duration_s if scene.files else 0.0,
    "organized": lambda scene: scene.organized,
    "file_mod_time": lambda scene: scene.files[0].mod_time if scene.files else "",
}


def sort_scenes(scenes: Iterable[Scene], sort: str, direction: str) -> list[Scene]:
    """Return the scenes in order; ties by title, as Stash does it.

    Without a sort Stash has no ORDER BY, and SQLite promises nothing: the simulator then shuffles (always alike), so
    that a client that relies on an order is found out. Raises :class:`ResolverError` for an unknown sort.
    """
    if not sort:
        return sorted(scenes, key=lambda scene: zlib.crc32(b"%d" % scene.id))
    key = _SCENE_KEYS.get(sort)
    if key is None:
        raise ResolverError(f"invalid sort: {sort}")
    ordered = list(scenes) if sort == "id" else sorted(scenes, key=_SCENE_KEYS["title"])
    ordered.sort(key=key, reverse=direction == "DESC")
    return ordered
