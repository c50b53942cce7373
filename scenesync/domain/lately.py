"""How often something happened within the last hour, in a few numbers whatever happens. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60
MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Lately:
    """Counts by minute: pairs of the minute since the epoch and how often it happened then."""

    minutes: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_text(cls, text: str | None) -> Lately:
        """Return what ``to_text`` wrote; nothing for None. Raises ValueError, TypeError."""
        return cls(tuple((int(minute), int(count)) for minute, count in json.loads(text))) if text else cls()

    def to_text(self) -> str:
        """Return it as text."""
        return json.dumps(self.minutes)

    def count(self, now: float) -> int:
        """Return how often it happened within the hour that ends at ``now`` (epoch seconds)."""
        return sum(count for _, count in self._since(now))

    def with_one(self, now: float) -> Lately:
        """Return it with what happens ``now``, without what is older than an hour."""
        this_minute = int(now // MINUTE_S)
        counts = dict(self._since(now))
        counts[this_minute] = counts.get(this_minute, 0) + 1
        return Lately(tuple(sorted(counts.items())))

    def _since(self, now: float) -> tuple[tuple[int, int], ...]:
        # A clock that was set back makes what it counted before look late; that lasts until it has caught up.
        first = int(now // MINUTE_S) - MINUTES
        return tuple(each for each in self.minutes if each[0] > first)
