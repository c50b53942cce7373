"""Jobs in hand that wait for a free thread: by lane, then in the order in which they came."""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING

from scenesync.domain.job import PRIORITY_PERSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.worker.attempts import Running


class HandOut:
    """Gives each job to one thread. Thread-safe."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._arrived = threading.Condition(lock)
        self._few_left = threading.Condition(lock)
        self._few = 0
        self._waiting: list[tuple[int, int, Running]] = []
        self._numbers = itertools.count()
        self._is_closed = False

    def put(self, job: Running) -> None:
        """Let a job wait for a thread."""
        self.put_all([job])

    def put_all(self, jobs: Sequence[Running]) -> None:
        """Let jobs wait for threads."""
        with self._arrived:
            for job in jobs:
                heapq.heappush(self._waiting, (job.claim.priority, next(self._numbers), job))
            self._arrived.notify(len(jobs))

    def get(self) -> Running | None:
        """Return the next job as soon as there is one; None when there will be no more."""
        return next(iter(self.get_some(1)), None)

    def get_some(self, most: int) -> list[Running]:
        """Return the next jobs, at most so many, as soon as there is one; none when there will be no more."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._waiting or self._is_closed)
            taken = [heapq.heappop(self._waiting)[2] for _ in range(min(most, len(self._waiting)))]
            if len(self._waiting) <= self._few:
                self._few_left.notify_all()
            return taken

    def wait_until_few(self, few: int, timeout_s: float) -> bool:
        """Wait until at most so many jobs wait, ``timeout_s`` at most; say whether that is so."""
        with self._few_left:
            self._few = few
            return self._few_left.wait_for(lambda: len(self._waiting) <= few or self._is_closed, timeout_s)

    def has_urgent(self) -> bool:
        """Say whether the next job is one that a person waits for."""
        with self._arrived:
            return bool(self._waiting) and self._waiting[0][0] <= PRIORITY_PERSON

    def close(self) -> None:
        """Take no more jobs: whoever waits for one is told so, once all are given out."""
        with self._arrived:
            self._is_closed = True
            self._arrived.notify_all()
            self._few_left.notify_all()
