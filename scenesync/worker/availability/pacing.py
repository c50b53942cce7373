"""How many jobs may begin after an outage: few at first, more and more, then as many as there are.

A Plex that has just come back answers thousands of requests at once with 503 (facts/plex.md 1), and the outage begins
anew. Without an outage there is no limit, and nothing is computed.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

FIRST_RATE: Final = 5.0
FULL_RATE: Final = 200.0
"""Jobs a second at the beginning and at the end of the ramp; Plex writes less than twenty items a second."""
BURST_S: Final = 0.1
"""What was not begun in time may be made up for, but no more than came together in this time (at least one job)."""
HALVED_AT_MOST_EVERY_S: Final = 1.0
"""Requests under way side by side fail together; that is one reason to slow down, not four."""


class Pacing:
    """A token bucket whose rate grows, evenly in proportion, from FIRST_RATE to FULL_RATE within ``ramp_s`` seconds.

    With ``ramp_s`` 0 there is never a limit. The rate is that of all workers together; each takes its share of it, by
    how many ``sharers`` there are. ``clock`` returns seconds (None: ``time.monotonic``). Thread-safe.
    """

    def __init__(
        self, ramp_s: float, *, sharers: Callable[[], int] = lambda: 1, clock: Callable[[], float] | None = None
    ) -> None:
        self._sharers = sharers
        self._ramp_s = ramp_s
        self._clock = clock
        self._lock = threading.Lock()
        self._position_s: float | None = None
        """How far up the ramp; None off it."""
        self._tokens = 0.0
        self._advanced_at = 0.0
        self._halved_at = -math.inf

    @property
    def rate(self) -> float | None:
        """Jobs a second that may begin now, None without a limit."""
        with self._lock:
            return self._rate() if self._advance() else None

    def outage_ended(self, ago_s: float = 0.0) -> None:
        """Start at the foot of the ramp, or as far up as it leads in ``ago_s``; the first job may begin at once."""
        if not 0 <= ago_s < self._ramp_s:
            return
        with self._lock:
            self._position_s = ago_s
            self._tokens = 1.0 / self._sharers()
            self._advanced_at = self._now()
            self._halved_at = -math.inf
        log.info("the rate of jobs grows to its full height within %.0f s", self._ramp_s - ago_s)

    def erred(self) -> None:
        """Halve the rate if there is a limit: the server has not recovered yet."""
        with self._lock:
            now = self._now()
            if not self._advance() or now - self._halved_at < HALVED_AT_MOST_EVERY_S:
                return
            self._halved_at = now
            assert self._position_s is not None  # noqa: S101 - _advance() said so
            one_half = self._ramp_s * math.log(2) / math.log(FULL_RATE / FIRST_RATE)
            self._position_s = max(0.0, self._position_s - one_half)
            self._tokens = min(self._tokens, self._capacity())

    def allowance(self, wanted: int) -> int:
        """Return how many of ``wanted`` jobs may begin now."""
        if self._position_s is None:  # no lock: nearly always so, and as true as it would be a moment later
            return wanted
        with self._lock:
            return min(wanted, int(self._tokens)) if self._advance() else wanted

    def begun(self, jobs: int) -> None:
        """Note that jobs began."""
        if self._position_s is None:
            return
        with self._lock:
            self._tokens -= jobs

    def _advance(self) -> bool:
        """Come to the present time; say whether there is a limit."""
        if self._position_s is None:
            return False
        now = self._now()
        elapsed_s = max(0.0, now - self._advanced_at)
        self._advanced_at = now
        # By the rate at the beginning of this time, which is below that of its end.
        self._tokens = min(self._tokens + self._rate() * elapsed_s, self._capacity())
        self._position_s += elapsed_s
        if self._position_s >= self._ramp_s:
            self._position_s = None
            return False
        return True

    def _rate(self) -> float:
        climbed = (self._position_s or 0.0) / self._ramp_s
        return float(FIRST_RATE * (FULL_RATE / FIRST_RATE) ** climbed) / self._sharers()

    def _capacity(self) -> float:
        return max(1.0, self._rate() * BURST_S)

    def _now(self) -> float:
        return time.monotonic() if self._clock is None else self._clock()
