"""Whether Stash is in the middle of a task that touches many scenes, so that what it causes waits until it is through.

A scan or an identification touches each scene several times. Worked on while it runs, each of them would be looked at
as often; afterwards once is enough. It is a matter of cost alone: after ``HOLD_AT_MOST_S`` nothing waits any more, and
what a person saves never does.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenesync.stash.jobs import Job

HOLD_AT_MOST_S: Final = 300.0
"""So long bulk work waits for the end of Stash's task, and then no longer until Stash has been at rest."""
_NOT_OF_SCENES: Final = ("Running plugin", "Optimi", "Migrat", "Backup", "Backing", "Download", "Install", "Updat")
"""How the descriptions of other jobs begin. Tasks of plugins are among them: ours would wait for itself."""


class StashActivity:
    """Told by whoever hears of Stash's jobs; asked by whoever could wait. May be shared by threads."""

    def __init__(self, hold_at_most_s: float = HOLD_AT_MOST_S) -> None:
        self._hold_at_most_s = hold_at_most_s
        self._jobs: set[int] = set()
        self._busy_since: float | None = None
        self._lock = threading.Lock()

    def heard_of(self, job: Job) -> None:
        """Take note of news of one job."""
        with self._lock:
            if job.is_over or not touches_scenes(job):
                self._jobs.discard(job.id)
            else:
                self._jobs.add(job.id)
            self._note()

    def asked(self, jobs: Iterable[Job]) -> None:
        """Take note of all the jobs that there are: what was not heard of is known again."""
        with self._lock:
            self._jobs = {job.id for job in jobs if touches_scenes(job)}
            self._note()

    def forget(self) -> None:
        """Know of nothing any more: Stash is away, and its jobs went with it."""
        self.asked(())

    def is_busy(self) -> bool:
        """Say whether Stash runs such a task, however long it has."""
        with self._lock:
            return self._busy_since is not None

    def holds_bulk(self) -> bool:
        """Say whether bulk work is to wait at this moment."""
        with self._lock:
            return self._busy_since is not None and time.monotonic() - self._busy_since < self._hold_at_most_s

    def _note(self) -> None:
        if not self._jobs:
            self._busy_since = None
        elif self._busy_since is None:
            self._busy_since = time.monotonic()


def touches_scenes(job: Job) -> bool:
    """Say whether a job may change scenes, as far as its description tells; what is not known may."""
    return not job.description.startswith(_NOT_OF_SCENES)
