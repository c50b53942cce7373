"""Stash's job queue: one job at a time, in order; the last ten can still be found (facts/stash.md 1.7)."""

from __future__ import annotations

import enum
import itertools
import math
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from scenesync.simulators.stash.cancellation import Cancellation
from scenesync.simulators.stash.errors import OperationCancelled

if TYPE_CHECKING:
    from collections.abc import Callable

_REMEMBERED: Final = 10
TOLD_EVERY_S: Final = 0.1
"""How far a job is, is told no more often (facts/stash.md 3.4)."""


class JobStatus(enum.Enum):
    """GraphQL's JobStatus."""

    READY = "READY"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    STOPPING = "STOPPING"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is at one moment; times are Stash's timestamps."""

    id: int
    description: str
    added_at: str
    status: JobStatus = JobStatus.READY
    progress: float | None = None
    started_at: str | None = None
    ended_at: str | None = None
    error: str | None = None


class JobFailed(Exception):
    """The job could not even begin; its text becomes the job's ``error``."""


@dataclass(frozen=True, slots=True)
class JobControl:
    """What running work may tell and ask."""

    cancellation: Cancellation
    set_progress: Callable[[float], None]


class JobQueue:
    """Runs work in one thread of its own, started with the first job."""

    def __init__(self, now: Callable[[], str]) -> None:
        self._now = now
        self.on_change: Callable[[str, Job], None] = lambda _kind, _job: None
        """Told of ADD, UPDATE and REMOVE, the last one with the final status."""
        self._condition = threading.Condition()
        self._ids = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._told_at = -math.inf
        self._work: deque[tuple[int, Callable[[JobControl], None], Cancellation]] = deque()
        self._cancellations: dict[int, Cancellation] = {}
        self._finished: deque[Job] = deque(maxlen=_REMEMBERED)
        self._thread: threading.Thread | None = None
        self._stopping = False

    def add(self, description: str, work: Callable[[JobControl], None]) -> int:
        """Queue ``work`` and return the job's id."""
        with self._condition:
            job = Job(next(self._ids), description, self._now())
            cancellation = Cancellation()
            self._jobs[job.id] = job
            self._cancellations[job.id] = cancellation
            self._work.append((job.id, work, cancellation))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="simulated-jobs", daemon=True)
                self._thread.start()
            self._condition.notify_all()
        self.on_change("ADD", job)
        return job.id

    def unfinished(self) -> list[Job]:
        """Return running and waiting jobs, oldest first."""
        with self._condition:
            return list(self._jobs.values())

    def find(self, job_id: int) -> Job | None:
        """Return the job, also when it is one of the last ten that finished."""
        with self._condition:
            finished = {job.id: job for job in self._finished}
            return self._jobs.get(job_id) or finished.get(job_id)

    def cancel(self, job_id: int) -> None:
        """Stop a job: a running one is killed, a waiting one never starts. Does nothing for others."""
        with self._condition:
            job, cancellation = self._jobs.get(job_id), self._cancellations.get(job_id)
            if job is None or cancellation is None:
                return
            self._jobs[job_id] = replace(job, status=JobStatus.STOPPING)
        cancellation.cancel()

    def wait(self, job_id: int, timeout_s: float) -> Job:
        """Wait until the job has ended and return it. Raises :class:`TimeoutError`."""
        with self._condition:
            if not self._condition.wait_for(lambda: job_id not in self._jobs, timeout_s):
                raise TimeoutError(f"job {job_id} has not ended within {timeout_s} s")
            return next(job for job in self._finished if job.id == job_id)

    def stop(self) -> None:
        """Cancel all jobs and end the thread."""
        for job in self.unfinished():
            self.cancel(job.id)
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._work or self._stopping)
                if not self._work:
                    return
                job_id, work, cancellation = self._work.popleft()
            self._run_one(job_id, work, cancellation)

    def _run_one(self, job_id: int, work: Callable[[JobControl], None], cancellation: Cancellation) -> None:
        status, error = JobStatus.FINISHED, None
        if cancellation.cancelled:
            status = JobStatus.CANCELLED
        else:
            self._change(job_id, status=JobStatus.RUNNING)
            try:
                work(JobControl(cancellation, lambda value: self._set_progress(job_id, value)))
            except OperationCancelled:
                status = JobStatus.CANCELLED
            except JobFailed as failure:
                status, error = JobStatus.FAILED, str(failure)
        with self._condition:
            job = self._jobs.pop(job_id)
            del self._cancellations[job_id]
            ended = replace(job, status=status, error=error, ended_at=self._now())
            self._finished.append(ended)
            self._condition.notify_all()
        self.on_change("REMOVE", ended)

    def _change(self, job_id: int, *, status: JobStatus) -> None:
        with self._condition:
            job = self._jobs[job_id] = replace(self._jobs[job_id], status=status, started_at=self._now())
        self.on_change("UPDATE", job)

    def _set_progress(self, job_id: int, value: float) -> None:
        with self._condition:
            if job_id not in self._jobs:
                return
            job = self._jobs[job_id] = replace(self._jobs[job_id], progress=value)
            now = time.monotonic()
            if now - self._told_at < TOLD_EVERY_S:
                return
            self._told_at = now
        self.on_change("UPDATE", job)
