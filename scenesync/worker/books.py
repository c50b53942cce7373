"""The books that the worker keeps: what it wrote, what it changed from what, and which scenes it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from scenesync.domain.diff import Baseline, ItemBaselines
    from scenesync.domain.fields import Field, FieldValue
    from scenesync.domain.holds import Hold
    from scenesync.domain.journal import JournalEntry


class Baselines(Protocol):
    """Where it is kept what SceneSync last wrote."""

    def read(self, rating_key: str) -> Mapping[Field, Baseline]:
        """Return what was written to the item, field by field."""
        ...

    def write(self, rating_key: str, scene_id: int, entries: Mapping[Field, Baseline]) -> None:
        """Remember what was written."""
        ...

    def write_all(self, written: Iterable[ItemBaselines]) -> None:
        """Remember what was written to many items, in one step."""
        ...

    def looking_up(self) -> AbstractContextManager[object]:
        """Let the reads of the block cost less."""
        ...

    def foresee(self, rating_keys: Iterable[str]) -> None:
        """Read all at once what the block is going to ask of these items."""
        ...

    def together(self) -> AbstractContextManager[object]:
        """Make all that is written in the block one step: baselines and journal wait for the disk once."""
        ...


class Journal(Protocol):
    """The history of edits."""

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Keep the entries."""
        ...

    def note_shown(self, shown: Mapping[str, Mapping[Field, FieldValue]]) -> None:
        """Note how the server shows what was last written to these fields of these items."""
        ...


class Holds(Protocol):
    """Which scenes are left alone since they were undone."""

    def of_scene(self, scene_id: int) -> Hold | None:
        """Return the scene's hold, None if it is not held."""
        ...

    def foresee(self, scene_ids: Iterable[int]) -> None:
        """Look up all at once what a block of ``Baselines.looking_up`` is going to ask of these scenes."""
        ...

    def release(self, scene_ids: Iterable[int]) -> None:
        """Let scenes be synced again."""
        ...
