"""The worker as the specification names it: thin methods over the decision table, the queue and the breaker."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.errors import AmbiguousMatch, PermanentError, TransientError, told
from scenesync.domain.job import ClaimedJob, Job, retry_count
from scenesync.domain.outcome import Outcome
from scenesync.plex.exceptions import PlexNotFound
from scenesync.queue.port import are_our_letters, is_our_queue
from scenesync.queue.records import LetterFilter
from scenesync.store.errors import StoreError
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
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.domain.outcome import Attempt
    from scenesync.domain.ports import JobQueue

__all__ = ["PermanentError", "SyncWorker", "TransientError"]

log = logging.getLogger(__name__)

LONGEST_NOTED_ERROR: Final = 300
"""Characters of an attempt's message that a dead letter repeats; its own last one it has whole."""


class SyncWorker:
    """Takes jobs from a queue and knows what to do with each after an attempt.

    ``queue`` may be any queue with ``put/get/ack/nack``; ours gets the atomic ways. ``dlq`` is where jobs go that are
    given up, ``config`` the settings, ``data_dir`` where state is kept. ``attempts_of`` returns the last attempts at a
    scene, newest first, to be kept with a job that is given up; it may raise StoreError. Constructing a worker starts
    nothing: no thread, no connection, no lock. The loop that feeds it is ``worker.loop``.
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
        attempts_of: Callable[[int], Sequence[Attempt]] | None = None,
    ) -> None:
        self.queue = queue
        self.dlq = dlq
        self.config = config
        self.data_dir = data_dir
        self.max_retries = max_retries
        self.skip_not_found = skip_not_found
        self._attempts_of = attempts_of
        self.circuit_breaker = circuit_breaker or CircuitBreaker()
        # By class, never by attribute: a mock has every attribute.
        self.jobs: JobQueue = queue if is_our_queue(queue) else StockQueue(queue, dlq)

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
                self._bury(claimed, self._letter(claimed, cause, advice))
        return decision

    def settle_done(self, claims: Sequence[ClaimedJob]) -> Sequence[ClaimedJob]:
        """End jobs whose attempts worked, in one step; return those that another process owns by now."""
        return self.jobs.complete_all(claims)

    def _bury(self, claimed: ClaimedJob, letter: DeadLetter) -> None:
        """Make the job a dead letter, in place of earlier ones that say the same of the same scene.

        Scenes are looked at again and again; one that can only be settled by a person must not fill the list.
        """
        if not (are_our_letters(self.dlq) and is_our_queue(self.queue)):
            self.jobs.bury(claimed, letter)
            return
        scene_id = letter.job.get("scene_id")
        alike = LetterFilter(error=letter.error_type, scene_id=scene_id if isinstance(scene_id, int) else -1)
        repeated = [
            known.id
            for known in self.dlq.list(alike)
            if known.message == letter.message and known.job.get("job_key") == letter.job.get("job_key")
        ]
        self.jobs.bury(claimed, letter)
        if repeated:
            self.dlq.discard(repeated)

    def _prepare_for_retry(self, job: Job, error: Exception) -> Job:
        """Write the retry state into ``job`` and return it; the delay uses the count before this failure."""
        return with_retry_state(job, error, time.time() + retry_delay(error, retry_count(job)))

    def _requeue_with_metadata(self, job: Job) -> None:
        """Put the job back with every field that it has, in one step where the queue can do that."""
        if is_our_queue(self.queue):
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

    def _letter(self, claimed: ClaimedJob, error: Exception, advice: str) -> DeadLetter:
        failed_at = time.time()
        details = _facts(error)
        if isinstance(error, AmbiguousMatch) and error.advice:
            advice = error.advice
        details["attempts"] = [
            *self._earlier_attempts(claimed.job),
            {"at": failed_at, "outcome": Outcome.DEAD.value, "error": _short(type(error).__name__, told(error))},
        ]
        return DeadLetter.from_error(claimed.job, error, failed_at=failed_at, advice=advice, details=details)

    def _earlier_attempts(self, job: Job) -> list[Mapping[str, Any]]:
        """Return the attempts before the present one, oldest first."""
        scene_id = job.get("scene_id")
        if self._attempts_of is None or not isinstance(scene_id, int):
            return []
        try:
            attempts = self._attempts_of(scene_id)
        except StoreError as error:  # the letter matters more than its history
            log.warning("a dead letter goes without its earlier attempts: %s", error)
            return []
        return [
            {
                "at": attempt.started_at,
                "outcome": attempt.outcome.value,
                "error": _short(attempt.error_type, attempt.message),
            }
            for attempt in reversed(attempts)
        ]


def _short(error_type: str, message: str) -> str:
    text = f"{error_type}: {message}" if message else error_type
    return text if len(text) <= LONGEST_NOTED_ERROR else text[: LONGEST_NOTED_ERROR - 1] + "…"


def _facts(error: Exception) -> dict[str, Any]:
    match error:
        case AmbiguousMatch():
            scenes = {"scene_ids": list(error.scene_ids)} if error.scene_ids else {}
            return {**error.facts, "candidates": list(error.candidates), **scenes}
        case PlexNotFound():
            return dict(error.facts)
    return {}
