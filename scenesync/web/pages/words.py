"""How numbers and times are shown on a page."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

MANY: Final = 2
"""A unit is used from two of it on: 90 minutes say more than 2 hours."""
_CODE: Final = re.compile("`([^`]+)`")


def moment(epoch_s: float | None) -> str:
    """Return a time as this machine's clocks show it, "" for none."""
    if epoch_s is None:
        return ""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(epoch_s: float | None) -> str:
    """Return a time for ``<time datetime>``, with its zone."""
    return "" if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC).astimezone().isoformat(timespec="seconds")


def ago(epoch_s: float | None) -> str:
    """Return how long ago something was, roughly, "never" for None."""
    if epoch_s is None:
        return "never"
    seconds = max(0.0, time.time() - epoch_s)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= MANY * size or (seconds >= size and unit == "min"):
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def ticked(text: str) -> Markup:
    """Return a text in which what stands between backticks is shown as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped in this very line


def grouped(number: float) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,.0f}".replace(",", "\u202f")
