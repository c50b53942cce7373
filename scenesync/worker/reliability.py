"""How dependable a server was, from the history of its outages. Pure: times come from the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW_S: Final = 30 * 24 * 3600.0


class Period(Protocol):
    """A time without the server, in epoch seconds; ``ended_at`` None while it lasts."""

    @property
    def began_at(self) -> float:
        """When it began."""
        ...

    @property
    def ended_at(self) -> float | None:
        """When it was over."""
        ...


@dataclass(frozen=True, slots=True)
class Reliability:
    """A window of time in figures; ``availability`` from 0 to 1, the two mean times None without an outage.

    ``mttr_s`` is the mean time to recovery, ``mtbf_s`` the mean time in use between outages, so that
    ``availability == mtbf_s / (mtbf_s + mttr_s)``.
    """

    availability: float = 1.0
    outages: int = 0
    mttr_s: float | None = None
    mtbf_s: float | None = None


def reliability(outages: Iterable[Period], *, now: float, window_s: float = WINDOW_S) -> Reliability:
    """Judge the last ``window_s`` seconds before ``now``.

    Periods that overlap or touch are one outage; one that lasts counts up to now; of one that began before the window
    only the part inside counts. Time in which nobody looked counts as time in use.
    """
    merged = _merged(_clipped(outages, now - window_s, now))
    if not merged or window_s <= 0:
        return Reliability()
    down_s = sum(end - begin for begin, end in merged)
    up_s = max(0.0, window_s - down_s)
    count = len(merged)
    return Reliability(up_s / window_s, count, mttr_s=down_s / count, mtbf_s=up_s / count)


def _clipped(outages: Iterable[Period], begin: float, end: float) -> list[tuple[float, float]]:
    inside = []
    for outage in outages:
        ended_at = end if outage.ended_at is None else outage.ended_at
        # After a clock was set back an outage may seem to end before it began, or to lie in the future.
        from_, to = min(outage.began_at, end), min(max(ended_at, outage.began_at), end)
        if to >= begin:
            inside.append((max(from_, begin), to))
    return sorted(inside)


def _merged(periods: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for begin, end in periods:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged
