"""Decide what happens to a job after an attempt. Pure: no clock, no queue, no logging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.job import Job, retry_count
from scenesync.worker.backoff import NOT_FOUND_CAP_S, calculate_delay
from scenesync.worker.error_rules import Rule, Treatment, rule_for

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_MAX_RETRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Ack:
    """The job is done."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again at ``at`` (epoch seconds)."""

    at: float


@dataclass(frozen=True, slots=True)
class Dead:
    """Give up until a person looks; ``advice`` says what would help."""

    error: Exception
    advice: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Put the job back as it was: what stopped it is not the job's fault."""

    reason: str


Decision = Ack | Retry | Dead | Wait


def decide(
    error: Exception | None,
    job: Job,
    now: float,
    *,
    max_retries: int = DEFAULT_MAX_RETRIES,
    jitter_seed: int | None = None,
) -> Decision:
    """Return what to do with ``job`` after an attempt that ended with ``error`` (None: it worked).

    An outage is never the job's fault: it waits and its retry count stays. Everything else follows the table.
    """
    if error is None:
        return Ack()
    return _DECIDERS[rule_for(error).treatment](error, job, now, max_retries, jitter_seed)


def with_retry_state(job: Job, error: Exception, at: float) -> Job:
    """Write the retry state after a failure into ``job`` itself and return it; ``at`` is epoch seconds."""
    job["retry_count"] = retry_count(job) + 1
    job["next_retry_at"] = at
    job["last_error_type"] = type(error).__name__
    return job


def retry_limit(error: Exception, max_retries: int = DEFAULT_MAX_RETRIES) -> int:
    """Return after how many failures a job with this error becomes a dead letter."""
    limit = rule_for(error).max_retries
    return max_retries if limit is None else limit


def retry_delay(error: Exception, failures: int, jitter_seed: int | None = None) -> float:
    """Return the delay in seconds after ``failures`` earlier failures; a server's own Retry-After is a lower bound."""
    rule: Rule = rule_for(error)
    delay = calculate_delay(failures, rule.base_s, rule.cap_s, jitter_seed)
    asked = getattr(error, "retry_after_s", None)
    # Capped: the queue takes a time that lies further ahead for a clock that jumped.
    return min(max(delay, asked), NOT_FOUND_CAP_S) if isinstance(asked, (int, float)) else delay


def _finish(_error: Exception, _job: Job, _now: float, _max_retries: int, _seed: int | None) -> Decision:
    return Ack()


def _wait(error: Exception, _job: Job, _now: float, _max_retries: int, _seed: int | None) -> Decision:
    return Wait(reason=str(error))


def _bury(error: Exception, _job: Job, _now: float, _max_retries: int, _seed: int | None) -> Decision:
    return Dead(error, rule_for(error).advice)


def _retry(error: Exception, job: Job, now: float, max_retries: int, seed: int | None) -> Decision:
    failures = retry_count(job)
    if failures + 1 >= retry_limit(error, max_retries):
        return Dead(error, rule_for(error).advice)
    return Retry(at=now + retry_delay(error, failures, seed))


_DECIDERS: Final[dict[Treatment, Callable[[Exception, Job, float, int, int | None], Decision]]] = {
    Treatment.FINISH: _finish,
    Treatment.WAIT: _wait,
    Treatment.BURY: _bury,
    Treatment.RETRY: _retry,
}
