"""A job that was given up, with what is known about its failure."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from scenesync.domain.errors import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.job import Job


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that is not retried by itself, with what is known about its failure.

    ``attempts`` counts the tries, ``failed_at`` is in epoch seconds, ``advice`` says what would help, ``details`` holds
    JSON-able facts (candidates, times of the attempts). ``id`` is 0 until stored.
    """

    job: Job
    error_type: str
    message: str
    traceback: str = ""
    attempts: int = 0
    failed_at: float = 0.0
    advice: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0
    row_id: int | None = None

    @classmethod
    def from_error(
        cls,
        job: Mapping[str, Any],
        error: BaseException,
        *,
        failed_at: float,
        advice: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return the letter for ``job`` that ended with ``error`` at ``failed_at``."""
        retries = job.get("retry_count")
        return cls(
            job=dict(job),
            error_type=type(error).__name__,
            message=told(error),
            traceback="".join(traceback.format_exception(error)),
            attempts=(retries if isinstance(retries, int) else 0) + 1,
            failed_at=failed_at,
            advice=advice,
            details=details or {},
        )
