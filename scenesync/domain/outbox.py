"""Messages that wait to be sent, each by its own ways: pure values and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scenesync.domain.news import Message

MOST: Final = 50
"""More than that nobody would read; the oldest go."""
GIVE_UP_AFTER_S: Final = 6 * 3600.0
PAUSES_S: Final = (10.0, 30.0, 120.0, 600.0, 1800.0)
"""The last one is repeated."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on one way: ``id`` is the same at each try, times are in epoch seconds."""

    id: str
    way: str
    message: Message
    made_at: float
    next_at: float
    tries: int = 0

    def is_due(self, now: float) -> bool:
        """Say whether it is to be tried now; after a clock was set back rather too early than never."""
        return now >= self.next_at or self.next_at - now > GIVE_UP_AFTER_S

    def is_too_old(self, now: float) -> bool:
        """Say whether it is no use any more."""
        return now - self.made_at > GIVE_UP_AFTER_S

    def again(self, now: float, least_s: float = 0.0) -> Parcel:
        """Return it after a try that failed; ``least_s`` is how long the other side asked to be left alone."""
        pause_s = max(PAUSES_S[min(self.tries, len(PAUSES_S) - 1)], min(least_s, PAUSES_S[-1]))
        return replace(self, tries=self.tries + 1, next_at=now + pause_s)


def added(waiting: Sequence[Parcel], new: Iterable[Parcel]) -> tuple[tuple[Parcel, ...], int]:
    """Return what waits then, the latest MOST, and how many older ones went for it."""
    together = (*waiting, *new)
    return together[-MOST:], max(0, len(together) - MOST)
