"""How numbers and times are shown on a page."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from scenesync.domain.quantities import span


def moment(epoch_s: float | None) -> str:
    """Return a time as this machine's clocks show it, "" for none."""
    if epoch_s is None:
        return ""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(epoch_s: float | None) -> str:
    """Return a time for ``<time datetime>``, with its zone."""
    return "" if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC).astimezone().isoformat(timespec="seconds")


def ago(epoch_s: float | None) -> str:
    """Return how long ago something was, "never" for None."""
    return "never" if epoch_s is None else f"{span(max(0.0, time.time() - epoch_s))} ago"


def grouped(number: float) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,.0f}".replace(",", "\u202f")
