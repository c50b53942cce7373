"""Wake jobs that wait for a file which Plex now has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from scenesync.domain.paths import name_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scenesync.queue.records import WaitingForPlex


class WakeableQueue(Protocol):
    """A queue that knows which of its jobs wait for Plex, without looking at the others."""

    def waiting_for_plex(self) -> Sequence[WaitingForPlex]:
        """Return the jobs that wait because Plex did not know their file."""
        ...

    def wake(self, job_keys: Iterable[str], now: float) -> int:
        """Make these jobs due if they wait because Plex did not know their file."""
        ...


class Waker:
    """Knows by a job's path hint which file it waits for."""

    def __init__(self, queue: WakeableQueue) -> None:
        self._queue = queue

    def wake(self, new_names: frozenset[str]) -> None:
        """Make due the jobs that wait for a file of one of these names (``paths.name_key``)."""
        # A job without a path does not say what it waits for (others may put jobs too): its time will come.
        keys = [key for key, path in self._queue.waiting_for_plex() if path is not None and name_key(path) in new_names]
        if keys:
            self._queue.wake(keys, time.time())
