from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.domain.paths import name_key, path_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.domain.matching import IndexedFile


class Index:
    """A path index in memory, looked up by the keys that the port names."""

    def __init__(self, *files: IndexedFile) -> None:
        self._files = files

    def files_at(self, key: str) -> Sequence[IndexedFile]:
        return [file for file in self._files if path_key(file.path).casefold() == key]

    def files_named(self, key: str) -> Sequence[IndexedFile]:
        return [file for file in self._files if name_key(file.path) == key]

    def files_of(self, rating_key: str) -> Sequence[IndexedFile]:
        return [file for file in self._files if file.rating_key == rating_key]
