"""How many requests may be under way at once: as many as help, no more; of writes and of reads apart.

Plex serialises writes, and answers 500 after ten seconds when they pile up (facts/plex.md 10). So the number starts at
one and grows only while the time of a request does not: it doubles until that time grows for the first time, and then
grows by one. A quarter goes when the time grows, a half when a request fails because Plex is busy.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import LeaseLost
from scenesync.plex.exceptions import PlexBusy, PlexTemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

STALE_AFTER_S: Final = 5.0
"""When a write had to wait longer, for others or for its own pictures, its item is read again before it is sent."""
TOLERATED_GROWTH: Final = 1.5
NOISE_S: Final = 0.005
"""Growth below this, or below half of the time alone, says nothing."""
FIRST_SAMPLES: Final = 5
SAMPLES_EACH: Final = 3
"""So many requests are timed for each that may be under way before the number changes, and a few more at the very
first, since all else is measured by that: at the ceiling of four that is after eleven, at sixteen after forty-seven."""
FIRST_PATIENCE, LONGEST_PATIENCE = 20, 80
"""A server that does one at a time is asked for two again only after so many times the usual number of samples: at
first it may have been an accident, and each time that it is found to be so again the patience doubles."""
PATIENCE_AFTER_FAILURE: Final = 20
SLOWED_OFTEN: Final = 4
"""After so many times the time alone is measured anew."""


class RequestLimit:
    """Gives out slots for requests; ``ceiling`` is the most that are ever given out at once. Thread-safe.

    The ceiling is that of all workers together; each takes its share of it, by how many ``sharers`` there are, and at
    least one.
    """

    def __init__(self, ceiling: int, *, first: int = 1, sharers: Callable[[], int] = lambda: 1) -> None:
        self._ceiling = max(1, ceiling)
        self._sharers = sharers
        self._changed = threading.Condition()
        self._limit = min(max(1, first), self._share())
        self._under_way = 0
        self._alone_s = math.inf
        self._doubles = True
        self._shrinkings = 0
        self._slowed = 0
        self._patience = FIRST_PATIENCE
        self._times_s: list[float] = []
        self._wanted = max(FIRST_SAMPLES, SAMPLES_EACH * self._limit)

    @property
    def limit(self) -> int:
        """How many slots there are now."""
        with self._changed:
            return self._allowed()

    @contextmanager
    def hold(self, before: Callable[[], object], *, learns: bool = True) -> Iterator[float]:
        """Wait for a slot, call ``before``, and hold the slot for the block, which makes one request.

        The block's time and failure are learned from; a request that is no ordinary one ``learns`` only from failing.
        Yields for how many seconds there was no slot.
        """
        wanted = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < self._allowed())
            self._under_way += 1
            shrinkings = self._shrinkings
        took_s: float | None = math.nan
        try:
            before()
            started = time.monotonic()
            yield started - wanted
            if learns:
                took_s = time.monotonic() - started
        except (PlexBusy, PlexTemporaryError):
            took_s = None
            raise
        finally:  # any other failure says nothing about how busy Plex is, but the slot must come back
            self._ended(took_s, shrinkings)

    def _allowed(self) -> int:
        return min(self._limit, self._share())

    def _share(self) -> int:
        return max(1, self._ceiling // self._sharers())

    def _ended(self, took_s: float | None, shrinkings: int) -> None:
        with self._changed:
            self._under_way -= 1
            if took_s is None:
                self._doubles = False
                self._begin_round(self._limit // 2, PATIENCE_AFTER_FAILURE)
            elif not math.isnan(took_s) and shrinkings == self._shrinkings:  # others began beside too many
                self._learn(took_s)
            self._changed.notify(max(0, self._allowed() - self._under_way))

    def _learn(self, took_s: float) -> None:
        self._times_s.append(took_s)
        if len(self._times_s) < self._wanted:
            return
        typical_s = statistics.median(self._times_s)
        # Alone a request is never slower than beside others: later rounds correct a first measure that was too high.
        self._alone_s = typical_s if self._limit == 1 else min(self._alone_s, typical_s)
        if typical_s <= max(self._alone_s * TOLERATED_GROWTH, self._alone_s + NOISE_S):
            if self._limit > 1:
                self._patience = FIRST_PATIENCE
            self._begin_round(self._limit * 2 if self._doubles else self._limit + 1)
        else:
            self._slowed_down()

    def _slowed_down(self) -> None:
        self._slowed += 1
        if self._limit <= 2:  # noqa: PLR2004 - below that there is only one
            self._doubles = False
            self._begin_round(1, self._patience)
            self._patience = min(LONGEST_PATIENCE, self._patience * 2)
        elif self._doubles:
            self._doubles = False
            self._begin_round(self._limit // 2)
        elif self._slowed < SLOWED_OFTEN:
            self._begin_round(self._limit * 3 // 4)
        else:
            # What was taken for the time alone may have been that beside others.
            self._doubles = True
            self._slowed = 0
            self._begin_round(1)

    def _begin_round(self, limit: int, patience: int = 1) -> None:
        self._shrinkings += limit < self._limit
        self._limit = max(1, min(self._share(), limit))
        self._times_s.clear()
        self._wanted = SAMPLES_EACH * self._limit * patience


class ReadLimit(RequestLimit):
    """The limit of reads. Of these many may be under way in Plex: it starts at the ceiling, to be halved if need be."""

    def __init__(self, ceiling: int) -> None:
        super().__init__(ceiling, first=ceiling)

    def slot(self) -> AbstractContextManager[float]:
        """Wait for a slot and hold it for the block, which makes one read."""
        return self.hold(_nothing)


class WriteLimit(RequestLimit):
    """The limit of writes, each of which is made for a job."""

    def slot(self, still_ours: Callable[[], bool], *, learns: bool = True) -> AbstractContextManager[float]:
        """Wait for a slot and hold it for the block, which makes one write; otherwise as ``hold``.

        Whoever had to wait may have lost its job meanwhile: ``still_ours`` is asked last, and LeaseLost raised on a no.
        """
        return self.hold(lambda: _require(still_ours), learns=learns)


def _nothing() -> None:
    """Do nothing before a read: no job need be ours to look."""


def _require(still_ours: Callable[[], bool]) -> None:
    if not still_ours():
        raise LeaseLost("Another process has taken this job over; nothing more is written for it here.")
