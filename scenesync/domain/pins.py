"""A person's word that a scene's file is played by a certain Plex item."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from scenesync.domain.paths import ignores_case, path_key, without_case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenesync.domain.scene import SceneFile


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file of the pinned item as Plex sees it."""

    path: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Pin:
    """The item that was named, and how to know it again: ``files`` are its own, as they were last seen.

    ``scene_key`` is the ``scene_key`` of the scene's file; ``scene_id`` (what Stash called the scene) is for display.
    """

    scene_key: str
    rating_key: str
    files: tuple[PinnedFile, ...]
    scene_id: int = 0

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the pinned item's files were."""
        return tuple(file.path for file in self.files)


@lru_cache(maxsize=1024)  # it is asked for many scenes together, and then again for each of them
def scene_key(path: str) -> str:
    """Return under which key pins of a scene's file are kept: its path, whichever way it is spelt."""
    key = path_key(path)
    return without_case(key) if ignores_case(path) else key


def scene_keys(files: Iterable[SceneFile]) -> tuple[str, ...]:
    """Return the keys of a scene's files."""
    return tuple(dict.fromkeys(scene_key(file.path) for file in files))
