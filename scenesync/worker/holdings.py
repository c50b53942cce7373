"""The jobs that this process has in hand, and in which stage each of them is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scenesync.domain.job import ClaimedJob

MOST_PROVING: Final = 1000
"""Edits that wait to be read back hold up nobody, but not without end."""


_Key = tuple[int, int]


def _key(claim: ClaimedJob) -> _Key:
    # Not by row alone: a row that was put back may be claimed again before its earlier claim is off the books.
    return claim.row_id, claim.claim_no


class Holdings:
    """A thread-safe account of claimed jobs. A job leaves it once: whoever takes it out settles it."""

    def __init__(self, wake_at: int = 0) -> None:
        """Whoever waits is woken once no more than ``wake_at`` jobs are worked on: before there is nothing to do."""
        self._changed = threading.Condition()
        self._wake_at = wake_at
        self._active: dict[_Key, ClaimedJob] = {}
        self._proving: dict[_Key, ClaimedJob] = {}

    def add(self, claims: Iterable[ClaimedJob]) -> None:
        """Take jobs into hand."""
        with self._changed:
            self._active.update({_key(claim): claim for claim in claims})

    def wait_for_proof(self, claim: ClaimedJob) -> None:
        """Note that a job's work is done but for its proof: it takes up no room any more."""
        with self._changed:
            if self._active.pop(_key(claim), None) is not None:
                self._proving[_key(claim)] = claim
                self._wake()

    def has(self, claim: ClaimedJob) -> bool:
        """Say whether the job is still in hand: at a stop it may have been given back over our heads."""
        with self._changed:
            return _key(claim) in self._active or _key(claim) in self._proving

    def remove(self, claim: ClaimedJob) -> None:
        """Note that the job is settled."""
        self.remove_all_of([claim])

    def remove_all_of(self, claims: Iterable[ClaimedJob]) -> None:
        """Note that the jobs are settled."""
        with self._changed:
            for claim in claims:
                self._active.pop(_key(claim), None)
                self._proving.pop(_key(claim), None)
            self._wake()

    def remove_all(self) -> Sequence[ClaimedJob]:
        """Take everything out and return it."""
        with self._changed:
            left = [*self._active.values(), *self._proving.values()]
            self._active.clear()
            self._proving.clear()
            self._changed.notify_all()
            return left

    def room(self, limit: int) -> int:
        """Return how many jobs may be claimed so that at most ``limit`` are worked on."""
        with self._changed:
            return 0 if len(self._proving) >= MOST_PROVING else max(0, limit - len(self._active))

    def is_empty(self) -> bool:
        """Say whether nothing is in hand."""
        with self._changed:
            return not self._active and not self._proving

    def only_proofs_left(self) -> bool:
        """Say whether all work is done and only waits to be read back."""
        with self._changed:
            return bool(self._proving) and not self._active

    def wait(self, timeout_s: float) -> None:
        """Sleep until a job moves on while few are worked on, ``timeout_s`` at most."""
        with self._changed:
            self._changed.wait(timeout_s)

    def _wake(self) -> None:
        if len(self._active) <= self._wake_at:
            self._changed.notify_all()
