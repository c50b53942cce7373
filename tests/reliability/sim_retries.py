"""What the retry state of every job has to be (I3): an account kept beside the queue, by rules of its own."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sim_kernel import Kernel

    from scenesync.domain.dead_letter import DeadLetter
    from scenesync.domain.job import ClaimedJob

FAILURES_ALLOWED: Final = {"PlexTemporaryError": 5, "PlexBusy": 12, "PlexNotFound": 12}
LONGEST_DELAY_S: Final = 600.0
CLOCK_JUMP_S: Final = 900.0
"""A job planned further ahead than this was planned by a clock that has jumped since; it may run at once."""


class RetryAccount:
    """Knows how often each row's job may have failed; ``violate`` hears of what is otherwise.

    Outages, stops, kills, take-overs and bulk events leave the number as it is; a failure adds one; what a person did
    anew may take it back to none.
    """

    def __init__(self, kernel: Kernel, violate: Callable[[str, str], None]) -> None:
        self._kernel = kernel
        self._violate = violate
        self._allowed: dict[int, set[int]] = {}
        self._rows_of: defaultdict[str, set[int]] = defaultdict(set)
        self._holder: dict[int, tuple[str, int]] = {}
        self._spooled: set[str] = set()
        self.failures_seen = 0

    def person_came(self, job_key: str) -> None:
        """Hear that a person's event came, which may have been merged into a row that waits."""
        for row_id in self._rows_of[job_key]:
            self._allowed[row_id].add(0)

    def person_comes_later(self, job_key: str) -> None:
        """Hear that a person's event lies in the spool: when it is taken in, nobody is told."""
        self._spooled.add(job_key)

    def person_replayed(self) -> None:
        """Hear that dead letters were replayed."""
        for allowed in self._allowed.values():
            allowed.add(0)

    def claimed(self, owner: str, claims: Sequence[ClaimedJob], *, clock_is_steady: bool) -> None:
        """Hear what was handed out."""
        for claim in claims:
            key, job = str(claim.job_key), claim.job
            failures = _failures(job)
            allowed = self._allowed.get(claim.row_id, {0}) | ({0} if key in self._spooled else set())
            if failures not in allowed:
                self._violate("I3", f"{key} is claimed with {failures} failures, and had {sorted(allowed)}")
            ahead_s = job.get("next_retry_at", 0.0) - self._kernel.wall()
            if clock_is_steady and 0.0 < ahead_s <= CLOCK_JUMP_S:
                self._violate("I3", f"{key} is claimed {ahead_s:.3f} s before its time")
            self._allowed[claim.row_id] = {failures}
            self._rows_of[key].add(claim.row_id)
            self._holder[claim.row_id] = owner, claim.claim_no

    def failures_of(self, owner: str, claim: ClaimedJob) -> int | None:
        """Return how often the job had failed when it was handed out, None if it is somebody else's by now."""
        if self._holder.get(claim.row_id) != (owner, claim.claim_no):
            return None
        return max(self._allowed[claim.row_id])

    def failed(self, claim: ClaimedJob, job: Mapping[str, Any], before: int | None) -> None:
        """Hear that a job is to be tried again, with this content; ``before`` is the number of failures before."""
        if before is None:
            return
        self.failures_seen += 1
        after, error = _failures(job), str(job.get("last_error_type"))
        if after != before + 1:
            self._violate("I3", f"{claim.job_key} failed {before} times, then once more: now it says {after}")
        if after >= FAILURES_ALLOWED.get(error, 1):
            self._violate("I3", f"{claim.job_key} is tried again after {after} failures with {error}")
        delay_s = job.get("next_retry_at", 0.0) - self._kernel.wall()
        if not 0.0 < delay_s <= LONGEST_DELAY_S:
            self._violate("I3", f"{claim.job_key} is tried again after {delay_s:.3f} s")
        self._allowed[claim.row_id] = {before, after}  # the first if the process is killed before it is written down

    def written_down(self, claim: ClaimedJob, job: Mapping[str, Any], before: int | None) -> None:
        """Hear that this is stored by now."""
        if before is not None:
            self._allowed[claim.row_id].discard(before)
            self._allowed[claim.row_id].add(_failures(job))

    def given_up(self, claim: ClaimedJob, letter: DeadLetter, before: int | None) -> None:
        """Hear that a job became a dead letter."""
        limit = FAILURES_ALLOWED.get(letter.error_type, 1)
        if before is not None and before + 1 < limit:
            self._violate("I3", f"{claim.job_key} is given up after {before + 1} failures with {letter.error_type}")


def _failures(job: Mapping[str, Any]) -> int:
    return int(job.get("retry_count", 0))
