"""Outages as bars on a line of 30 days, for an SVG."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.quantities import span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.web.models.state import Outage

DAYS: Final = 30
WIDTH: Final = 600.0
THINNEST: Final = 1.5
"""A bar that is too thin to be seen tells nothing."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One outage, in units of the picture; ``text`` says when and why."""

    x: float
    width: float
    text: str


def timeline(outages: Sequence[Outage], service: str) -> Sequence[Bar]:
    """Return the bars of a service's outages, oldest first."""
    now = time.time()
    begin = now - DAYS * 86_400.0
    scale = WIDTH / (now - begin)
    bars = []
    for outage in reversed(outages):
        ended_at = now if outage.ended_at is None else outage.ended_at
        if outage.service != service or ended_at < begin:
            continue
        x = max(0.0, (outage.began_at - begin) * scale)
        width = max(THINNEST, (ended_at - max(outage.began_at, begin)) * scale)
        lasted = "still going on" if outage.ended_at is None else f"lasted {span(ended_at - outage.began_at)}"
        bars.append(Bar(round(min(x, WIDTH - THINNEST), 1), round(width, 1), f"{lasted}: {outage.cause}"))
    return bars
