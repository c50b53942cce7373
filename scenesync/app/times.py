"""Times as people read and type them: an age like 24h, or an ISO time."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from click import Context, Parameter

_AGE: Final = re.compile(r"(\d+)([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_age(_context: Context, _parameter: Parameter, text: str | None) -> float | None:
    """Return the epoch time that lies this age (90s, 2h, 7d, 1w) in the past; a click callback."""
    if text is None:
        return None
    found = _AGE.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no age. Use a number and s, m, h, d or w, e.g. 90s, 24h, 7d.")
    return time.time() - int(found.group(1)) * _SECONDS[found.group(2)]


def moment(epoch_s: float) -> str:
    """Return a time as this machine's clocks show it, with its zone."""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().isoformat(timespec="seconds")


def span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def parse_since(_context: Context, _parameter: Parameter, text: str | None) -> datetime | None:
    """Return the moment meant by an age or an ISO time (without a zone: this machine's); a click callback."""
    if text is None:
        return None
    if found := _AGE.fullmatch(text):
        return datetime.fromtimestamp(time.time() - int(found.group(1)) * _SECONDS[found.group(2)], UTC)
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time. Use an age (90s, 24h, 7d, 1w) or an ISO time (2024-05-01, 2024-05-01T12:00)."
        ) from None
