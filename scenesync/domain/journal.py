"""The history of edits: what a field showed before SceneSync changed it, what it wrote, and whose the locks were."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scenesync.domain.fields import Field, FieldValue

SYNC: Final = "sync"
"""The cause of an edit that made Plex show what Stash knows."""
UNDO: Final = "undo"
"""The cause of an edit that took others back."""


class Lock(StrEnum):
    """Whether a field is locked, and whose lock it is."""

    NONE = "none"
    OURS = "ours"
    PERSON = "person"


def lock_of(*, is_locked: bool, ours: bool) -> Lock:
    """Return the lock of a field that is locked or not, by us if it is by anybody known."""
    if not is_locked:
        return Lock.NONE
    return Lock.OURS if ours else Lock.PERSON


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One field of one edit; ``at`` in epoch seconds, ``cause`` says what kind of run wrote it.

    Of a picture, ``before`` and ``after`` are the selected candidate's key as the server lists it, "" for none, and
    ``after`` may be the SHA-1 of what was uploaded, with which its key ends. ``shown`` is how the server showed
    ``after`` where it did so in its own way. The locks are None in entries of a version that did not note them.
    ``file`` is the file, as Plex sees it, for which the item was taken. ``number`` orders entries, ``run_id`` names the
    run that made them; both are given when an entry is stored.
    """

    at: float
    scene_id: int
    rating_key: str
    field: Field
    before: FieldValue
    after: FieldValue
    cause: str
    shown: FieldValue | None = None
    lock_before: Lock | None = None
    lock_after: Lock | None = None
    file: str = ""
    run_id: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which entries are meant: those for any of the scenes (none named: all), not older, of the run, if given.

    ``numbers`` name single entries; none named: all.
    """

    scene_ids: tuple[int, ...] = ()
    since: float | None = None
    run_id: str = ""
    numbers: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Say whether anything is chosen at all."""
        return bool(self.scene_ids or self.since is not None or self.run_id or self.numbers)

    def takes(self, entry: JournalEntry) -> bool:
        """Say whether the entry is meant."""
        return (
            (not self.scene_ids or entry.scene_id in self.scene_ids)
            and (self.since is None or entry.at >= self.since)
            and (not self.run_id or entry.run_id == self.run_id)
            and (not self.numbers or entry.number in self.numbers)
        )


@dataclass(frozen=True, slots=True)
class Run:
    """What one run wrote: from when to when (epoch seconds), for how many scenes, how many fields."""

    run_id: str
    cause: str
    began_at: float
    ended_at: float
    scenes: int
    fields: int
