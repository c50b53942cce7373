"""Work from a queue that is not ours: any object with persist-queue's ``put/get/ack/nack``.

Such a queue cannot put a changed job back in one step, cannot tell owners apart and cannot wait for a retry time.
The steps below stand in the order in which a crash leaves a job twice (harmless, jobs are idempotent), never none.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from persistqueue.exceptions import Empty

from scenesync.domain.job import ClaimedJob, Job

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Sequence

    from scenesync.domain.dead_letter import DeadLetter


class StockQueue:
    """``domain.ports.JobQueue`` over a stock acknowledging queue and a separate dead letter store."""

    def __init__(self, queue: Any, dlq: Any) -> None:  # noqa: ANN401 - foreign objects, possibly stand-ins
        self._queue = queue
        self._dlq = dlq
        # Such a queue does not say which row a job came from, so a claim gets a number of its own.
        self._claim_numbers = itertools.count(1)

    def claim(self, limit: int = 1) -> Sequence[ClaimedJob]:
        """Take up to ``limit`` jobs; those that are not due yet go back at once."""
        claimed: list[ClaimedJob] = []
        waiting: list[Job] = []
        while len(claimed) < limit:
            try:
                job: Job = self._queue.get(block=False)
            except Empty:
                break
            if _is_due(job, time.time()):
                claimed.append(ClaimedJob(next(self._claim_numbers), job))
            else:
                waiting.append(job)
        for job in waiting:
            self._queue.nack(job)
        return claimed

    def claim_urgent(self, limit: int = 1) -> Sequence[ClaimedJob]:  # noqa: ARG002 - the port's shape
        """Return none: such a queue knows no lanes."""
        return ()

    def complete(self, claimed: ClaimedJob) -> None:
        """Take the finished job out."""
        self._queue.ack(claimed.job)

    def complete_all(self, claims: Sequence[ClaimedJob]) -> Sequence[ClaimedJob]:
        """Take the finished jobs out, one after the other: such a queue knows no other way."""
        for claimed in claims:
            self.complete(claimed)
        return ()

    def requeue(self, claimed: ClaimedJob, job: Job) -> None:
        """Put the changed job in, then take the old one out."""
        # A row id belongs to the row: in the new one it would make a later ack end the wrong job.
        self._queue.put({field: value for field, value in job.items() if field != "pqid"})
        self._queue.ack(claimed.job)

    def release(self, claimed: ClaimedJob) -> None:
        """Put the job back as it was."""
        self._queue.nack(claimed.job)

    def bury(self, claimed: ClaimedJob, letter: DeadLetter) -> None:
        """Keep the letter, then take the job out of the queue."""
        self._dlq.add(letter)
        getattr(self._queue, "ack_failed", self._queue.ack)(claimed.job)

    def confirm_owned(self, claimed: ClaimedJob) -> bool:  # noqa: ARG002 - the port's shape
        """Say yes: a stock queue knows no owners, whoever has the job holds it."""
        return True

    def take_over_dead_owners(self) -> int:
        """Do nothing: a stock queue does not know whose a job is."""
        return 0

    def maintain(self) -> None:
        """Do nothing: a stock queue tidies when it is told to by its own methods."""

    def wake_for_files(self, file_keys: Iterable[str]) -> int:  # noqa: ARG002 - the port's shape
        """Wake nobody: nothing is known of a job until it is taken, and each turn takes all."""
        return 0

    def next_due_at(self) -> float | None:
        """Return now if anything is there: a stock queue has no due times."""
        return time.time() if getattr(self._queue, "size", 0) > 0 else None

    def wait_for_change(self, timeout_s: float, stop: threading.Event) -> bool:
        """Sleep for ``timeout_s`` at most: a stock queue does not tell of other processes' puts."""
        stop.wait(timeout_s)
        return True


def _is_due(job: Job, now: float) -> bool:
    next_retry_at = job.get("next_retry_at")
    return not isinstance(next_retry_at, (int, float)) or next_retry_at <= now
