"""Stop what would else go on for ever: two tools that each put an item back to what the other does not want. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


class Brake:
    """Lets each thing through ``times`` within ``within_s`` seconds, and no more.

    Remembers those that came up within that time, and some that did a little before.
    """

    def __init__(self, times: int, within_s: float) -> None:
        self._times = times
        self._within_s = within_s
        self._passed: dict[Hashable, deque[float]] = {}
        self._refused: set[Hashable] = set()
        self._forgot_at = 0.0

    def lets_through(self, thing: Hashable, now: float) -> bool:
        """Say whether ``thing`` may pass at ``now`` (seconds of a clock that never goes back), and count it if so."""
        if now - self._forgot_at >= self._within_s / 10:  # seldom: it looks at all that is remembered
            self._forgot_at = now
            self._forget_before(now - self._within_s)
        passed = self._passed.setdefault(thing, deque())
        while passed and passed[0] <= now - self._within_s:
            passed.popleft()
        if len(passed) >= self._times:
            return False
        passed.append(now)
        self._refused.discard(thing)
        return True

    def refused_anew(self, thing: Hashable) -> bool:
        """Say whether ``thing`` was refused for the first time since it last passed, and remember that it was."""
        is_first = thing not in self._refused
        self._refused.add(thing)
        return is_first

    def _forget_before(self, then: float) -> None:
        for thing in [thing for thing, passed in self._passed.items() if not passed or passed[-1] <= then]:
            del self._passed[thing]
        self._refused &= self._passed.keys()
