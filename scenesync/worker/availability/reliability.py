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
    """A window of time in figures, of which ``observed_s`` are known.

    ``availability`` is from 0 to 1 (None: nobody has looked yet), the two mean times are None without an outage.
    ``mttr_s`` is the mean time to recovery, ``mtbf_s`` the mean time in use between outages, so that
    ``availability == mtbf_s / (mtbf_s + mttr_s)``.
    """

    availability: float | None = None
    outages: int = 0
    mttr_s: float | None = None
    mtbf_s: float | None = None
    observed_s: float = 0.0


def reliability(
    outages: Iterable[Period], *, now: float, known_since: float | None, window_s: float = WINDOW_S
) -> Reliability:
    """Judge the last ``window_s`` seconds before ``now``, as far as they are known: from ``known_since`` on.

    None means that nothing is known but the outages, which are known from their own beginning. Those that overlap or
    touch are one; one that lasts counts up to now; of one that began before the window only the part inside counts.
    Time in which nobody looked counts as time in use.
    """
    periods = list(outages)
    known = [period.began_at for period in periods] + ([] if known_since is None else [known_since])
    observed_s = min(window_s, now - min(known, default=now))
    if observed_s <= 0:
        return Reliability()
    merged = _merged(_clipped(periods, now - observed_s, now))
    if not merged:
        return Reliability(1.0, observed_s=observed_s)
    down_s = sum(end - begin for begin, end in merged)
    up_s = max(0.0, observed_s - down_s)
    count = len(merged)
    return Reliability(up_s / observed_s, count, mttr_s=down_s / count, mtbf_s=up_s / count, observed_s=observed_s)


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
