"""Wake jobs that wait for a file which Plex now has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.paths import name_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scenesync.queue.records import PendingJob

PAGE_SIZE: Final = 1000


class WakeableQueue(Protocol):
    """A queue that can be looked through."""

    def list_pending(self, limit: int = 100, after: int = 0) -> Sequence[PendingJob]:
        """Return waiting jobs in the order of their rows."""
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
        keys = [str(pending.job.get("job_key")) for pending in self._waiting_for_plex() if _name(pending) in new_names]
        if keys:
            self._queue.wake(keys, time.time())

    def _waiting_for_plex(self) -> Iterator[PendingJob]:
        after = 0
        while page := self._queue.list_pending(PAGE_SIZE, after):
            yield from (pending for pending in page if pending.job.get("last_error_type") == "PlexNotFound")
            after = page[-1].row_id


def _name(pending: PendingJob) -> str | None:
    """Return the name key of the file that a job waits for, None if the job does not say (others may put jobs too)."""
    data = pending.job.get("data")
    path = data.get("path") if isinstance(data, dict) else None
    return name_key(path) if isinstance(path, str) else None
