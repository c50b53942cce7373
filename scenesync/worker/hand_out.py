"""Jobs in hand that wait for a free worker: by lane, then in the order in which they were claimed."""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenesync.worker.attempts import Running


class HandOut:
    """Gives each job to one worker. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int, Running]] = []
        self._numbers = itertools.count()
        self._is_closed = False

    def put(self, job: Running) -> None:
        """Let a job wait for a worker."""
        with self._changed:
            heapq.heappush(self._waiting, (job.claim.priority, next(self._numbers), job))
            self._changed.notify()

    def get(self) -> Running | None:
        """Return the next job as soon as there is one; None when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            return heapq.heappop(self._waiting)[2] if self._waiting else None

    def close(self) -> None:
        """Take no more jobs: whoever waits for one is told so, once all are given out."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
