"""How numbers and times are shown on a page."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

from scenesync.domain.quantities import span

MANY: Final = 2
"""A unit is used from two of it on: 90 minutes say more than 2 hours."""
_CODE: Final = re.compile("`([^`]+)`")


def moment(epoch_s: float | None) -> str:
    """Return a time as this machine's clocks show it, "" for none."""
    if epoch_s is None:
        return ""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock(epoch_s: float) -> str:
    """Return a time of today as this machine's clocks show it, one of another day with its date."""
    then = datetime.fromtimestamp(epoch_s, UTC).astimezone()
    is_today = then.date() == datetime.fromtimestamp(time.time(), UTC).astimezone().date()
    return then.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")


def utc_offset_s() -> int:
    """Return how far this machine's clocks are ahead of UTC now."""
    offset = datetime.fromtimestamp(time.time(), UTC).astimezone().utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


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


def ahead(epoch_s: float | None) -> str:
    """Return in how long something is to be, roughly, "" for None."""
    if epoch_s is None:
        return ""
    seconds = epoch_s - time.time()
    return f"in {span(seconds)}" if seconds >= 1.0 else "now"


def every(interval_s: float) -> str:
    """Return how often something is done."""
    known = {3600.0: "every hour", 86_400.0: "every day", 604_800.0: "every week"}
    return known.get(interval_s) or f"every {span(interval_s).replace('.0 ', ' ')}"


def ticked(text: str) -> Markup:
    """Return a text in which what stands between backticks is shown as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped in this very line


def grouped(number: float) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,.0f}".replace(",", "\u202f")


def setting_lines(value: object) -> list[str]:
    """Return the value of a setting as the lines in which it is shown, none for one that is empty."""
    match value:
        case bool():
            return [str(value).lower()]
        case None | "":
            return []
        case list():
            return [str(each) for each in value]
        case float() if value.is_integer():
            return [str(int(value))]
        case _:
            return [str(value)]
