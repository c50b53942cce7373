"""What was done in the last hour, minute by minute, as columns for an SVG. Pure but for the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MINUTES: Final = 60
WIDTH: Final = 600.0
HEIGHT: Final = 48.0
LOWEST: Final = 2.0
"""A single attempt beside a thousand must be seen."""
_GAP: Final = 2.0
_TONES: Final = {
    "synced": "good",
    "unchanged": "faint",
    "skipped": "faint",
    "retry": "warn",
    "deferred": "warn",
    "dead": "bad",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A part of a minute's column, in units of the picture."""

    x: float
    y: float
    width: float
    height: float
    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Activity:
    """The columns; ``most`` is what the busiest minute had, ``text`` says the same in words."""

    columns: Sequence[Column]
    most: int
    text: str


def activity(by_minute: Mapping[tuple[int, str], int]) -> Activity:
    """Return the columns of the last hour; keys are minutes since 1970, and outcomes."""
    last = int(time.time() // 60)
    minutes = range(last - MINUTES + 1, last + 1)
    totals = {minute: sum(by_minute.get((minute, outcome), 0) for outcome in _TONES) for minute in minutes}
    most = max(totals.values())
    columns = [column for place, minute in enumerate(minutes) for column in _stack(place, minute, by_minute, most)]
    text = f"{counted(sum(totals.values()), 'attempt')}, at most {most} in a minute"
    return Activity(columns, most, text)


def _stack(place: int, minute: int, by_minute: Mapping[tuple[int, str], int], most: int) -> Iterator[Column]:
    step = WIDTH / MINUTES
    y = HEIGHT
    for outcome, tone in _TONES.items():
        count = by_minute.get((minute, outcome), 0)
        if count:
            height = min(y, max(LOWEST, count / most * HEIGHT))
            y -= height
            yield Column(round(place * step, 1), round(y, 1), step - _GAP, round(height, 1), tone, f"{count} {outcome}")
