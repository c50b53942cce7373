"""What becomes of the scenes that a comparison found: enqueued, judged first, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from scenesync.domain.job import PRIORITY_BULK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scenesync.domain.job import Job
    from scenesync.reconciliation.automatic_run import Judge


class Queue(Protocol):
    """Where jobs go."""

    def put_many(self, jobs: Iterable[Job], priority: int = PRIORITY_BULK) -> object:
        """Enqueue in short transactions, merging with what waits."""
        ...


class Taker(Protocol):
    """What becomes of the scenes that are to be seen to."""

    def take(self, jobs: Sequence[Job]) -> None:
        """Take scenes durably; the same may come again after a crash."""
        ...

    def wait_for_plex(self, jobs: Sequence[Job]) -> None:
        """Take scenes that Plex does not have: their jobs wait until it does."""
        ...

    def conclude(self) -> bool:
        """Hear that these were all; say whether they are seen to, and not stopped for a person."""
        ...


class Enqueueing:
    """Puts what a person asked for into the queue at once."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def take(self, jobs: Sequence[Job]) -> None:
        """Enqueue the jobs."""
        self._queue.put_many(jobs, priority=PRIORITY_BULK)

    def wait_for_plex(self, jobs: Sequence[Job]) -> None:
        """Enqueue jobs that are not due yet."""
        self._queue.put_many(jobs, priority=PRIORITY_BULK)

    def conclude(self) -> bool:
        """Nothing is left to do."""
        return True


class Judging(Enqueueing):
    """Gathers what nobody asked for, and lets a judge decide about it as a whole."""

    def __init__(self, queue: Queue, judge: Judge, run_key: str) -> None:
        super().__init__(queue)
        self._judge = judge
        self._run_key = run_key

    def take(self, jobs: Sequence[Job]) -> None:
        """Gather the scenes."""
        if jobs:
            self._judge.gather(self._run_key, self._run_key, [job["scene_id"] for job in jobs])

    def conclude(self) -> bool:
        """Enqueue what was gathered, or stop it."""
        return self._judge.conclude(self._run_key, self._run_key, look=True)


class Nothing:
    """Takes nothing: for looking only."""

    def take(self, jobs: Sequence[Job]) -> None:
        """Do nothing."""

    def wait_for_plex(self, jobs: Sequence[Job]) -> None:
        """Do nothing."""

    def conclude(self) -> bool:
        """Nothing was to be done."""
        return True
