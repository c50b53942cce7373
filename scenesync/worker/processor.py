"""The worker as the specification names it: thin methods over the decision table, the queue and the breaker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.errors import AmbiguousMatch, PermanentError, TransientError
from scenesync.domain.job import ClaimedJob, Job, retry_count
from scenesync.plex.exceptions import PlexNotFound
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.worker.circuit_breaker import CircuitBreaker
from scenesync.worker.decision import (
    DEFAULT_MAX_RETRIES,
    Ack,
    Dead,
    Decision,
    Retry,
    Wait,
    decide,
    retry_delay,
    retry_limit,
    with_retry_state,
)
from scenesync.worker.stock_queue import StockQueue

if TYPE_CHECKING:
    import os

    from scenesync.domain.ports import JobQueue

__all__ = ["PermanentError", "SyncWorker", "TransientError"]


class SyncWorker:
    """Takes jobs from a queue and knows what to do with each after an attempt.

    ``queue`` may be any queue with ``put/get/ack/nack``; ours gets the atomic ways. ``dlq`` is where jobs go that are
    given up, ``config`` the settings, ``data_dir`` where state is kept. Constructing a worker starts nothing: no
    thread, no connection, no lock. The loop that feeds it is ``worker.loop``.
    """

    def __init__(
        self,
        queue: Any,  # noqa: ANN401 - any queue with put/get/ack/nack, a stock one or a stand-in
        dlq: Any,  # noqa: ANN401 - likewise
        config: Any,  # noqa: ANN401 - likewise
        data_dir: str | os.PathLike[str] | None = None,
        max_retries: int = DEFAULT_MAX_RETRIES,
        *,
        circuit_breaker: CircuitBreaker | None = None,
        skip_not_found: bool = False,
    ) -> None:
        self.queue = queue
        self.dlq = dlq
        self.config = config
        self.data_dir = data_dir
        self.max_retries = max_retries
        self.skip_not_found = skip_not_found
        self.circuit_breaker = circuit_breaker or CircuitBreaker()
        # By class, never by attribute: a mock has every attribute.
        self.jobs: JobQueue = queue if isinstance(queue, EmbeddedQueue) else StockQueue(queue, dlq)

    def settle(self, claimed: ClaimedJob, error: Exception | None) -> Decision:
        """Carry out what follows from an attempt that ended with ``error`` (None: it worked), and return it.

        Raises LeaseLost if another process owns the job by now; then nothing was changed.
        """
        decision = decide(error, claimed.job, time.time(), max_retries=self.max_retries)
        match decision:
            case Ack():
                self.jobs.complete(claimed)
            case Wait():
                self.jobs.release(claimed)
            case Retry(at):
                assert error is not None  # noqa: S101 - decide() retries only after an error
                self.jobs.requeue(claimed, with_retry_state(claimed.job, error, at))
            case Dead(PlexNotFound()) if self.skip_not_found:
                self.jobs.complete(claimed)
            case Dead(cause, advice):
                self.jobs.bury(claimed, _letter(claimed, cause, advice))
        return decision

    def _prepare_for_retry(self, job: Job, error: Exception) -> Job:
        """Write the retry state into ``job`` and return it; the delay uses the count before this failure."""
        return with_retry_state(job, error, time.time() + retry_delay(error, retry_count(job)))

    def _requeue_with_metadata(self, job: Job) -> None:
        """Put the job back with every field that it has, in one step where the queue can do that."""
        if isinstance(self.queue, EmbeddedQueue):
            held = self.queue.held(job)
            if held is None:
                self.queue.put_job(job)
            else:
                self.queue.requeue(held, job)
            return
        self.jobs.requeue(ClaimedJob(int(job.get("pqid") or 0), job), job)

    def _is_ready_for_retry(self, job: Job) -> bool:
        """Say whether the job's retry time, if it has one, has come."""
        next_retry_at = job.get("next_retry_at")
        return not isinstance(next_retry_at, (int, float)) or next_retry_at <= time.time()

    def _get_max_retries_for_error(self, error: Exception) -> int:
        """Return after how many failures a job that met ``error`` is given up."""
        return retry_limit(error, self.max_retries)


def _letter(claimed: ClaimedJob, error: Exception, advice: str) -> DeadLetter:
    details: dict[str, object] = {}
    match error:
        case AmbiguousMatch():
            scenes = {"scene_ids": list(error.scene_ids)} if error.scene_ids else {}
            advice = error.advice or advice
            details = {**error.facts, "candidates": list(error.candidates), **scenes}
        case PlexNotFound():
            details = dict(error.facts)
    return DeadLetter.from_error(claimed.job, error, failed_at=time.time(), advice=advice, details=details)
