"""How many writes may be under way at once: as many as help, no more.

Plex serialises writes, and answers 500 after ten seconds when they pile up (facts/plex.md 10). So the number starts at
one and grows only while the time of a write does not; it shrinks when that time grows, and is halved when a write fails
because Plex is busy.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import LeaseLost
from scenesync.plex.exceptions import PlexBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STALE_AFTER_S: Final = 5.0
"""When a write had to wait longer, for others or for its own pictures, its item is read again before it is sent."""
TOLERATED_GROWTH: Final = 1.5
NOISE_S: Final = 0.005
"""Growth below this, or below half of the time alone, says nothing."""
SAMPLES_PER_WRITER: Final = 3
PATIENCE_AFTER_SHRINKING: Final = 20
"""After shrinking, growing is tried again only after so many times the usual number of samples."""


class WriteLimit:
    """Gives out slots for writes; ``ceiling`` is the most that are ever given out at once. Thread-safe."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = max(1, ceiling)
        self._changed = threading.Condition()
        self._limit = 1
        self._under_way = 0
        self._alone_s = math.inf
        self._times_s: list[float] = []
        self._wanted = SAMPLES_PER_WRITER

    @property
    def limit(self) -> int:
        """How many slots there are now."""
        with self._changed:
            return self._limit

    @contextmanager
    def slot(self, still_ours: Callable[[], bool], *, learns: bool = True) -> Iterator[float]:
        """Wait for a slot and hold it for the block, which makes one write; its time and failure are learned from.

        Whoever had to wait may have lost its job meanwhile: ``still_ours`` is asked last, and LeaseLost raised on a no.
        Yields for how many seconds there was no slot. A write that is no ordinary one ``learns`` only from failing.
        """
        wanted = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < self._limit)
            self._under_way += 1
        try:
            _require(still_ours)
            started = time.monotonic()
            yield started - wanted
        except PlexBusy:
            self._ended(None)
            raise
        except BaseException:  # any other failure says nothing about how busy Plex is, but the slot must come back
            self._ended(math.nan)
            raise
        self._ended(time.monotonic() - started if learns else math.nan)

    def _ended(self, took_s: float | None) -> None:
        with self._changed:
            self._under_way -= 1
            if took_s is None:
                self._shrink_to(self._limit // 2)
            elif not math.isnan(took_s):
                self._learn(took_s)
            self._changed.notify_all()

    def _learn(self, took_s: float) -> None:
        self._times_s.append(took_s)
        if len(self._times_s) < self._wanted:
            return
        typical_s = statistics.median(self._times_s)
        # Alone a write is never slower than beside others: later rounds correct a first measure that was too high.
        self._alone_s = typical_s if self._limit == 1 else min(self._alone_s, typical_s)
        if typical_s <= max(self._alone_s * TOLERATED_GROWTH, self._alone_s + NOISE_S):
            self._limit = min(self._ceiling, self._limit + 1)
            self._begin_round(SAMPLES_PER_WRITER)
        else:
            self._shrink_to(self._limit - 1)

    def _shrink_to(self, limit: int) -> None:
        self._limit = max(1, limit)
        self._begin_round(SAMPLES_PER_WRITER * PATIENCE_AFTER_SHRINKING)

    def _begin_round(self, samples_per_writer: int) -> None:
        self._times_s.clear()
        self._wanted = samples_per_writer * self._limit


def _require(still_ours: Callable[[], bool]) -> None:
    if not still_ours():
        raise LeaseLost("Another process has taken this job over; nothing more is written for it here.")
