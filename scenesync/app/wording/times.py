"""Times as people read and type them: an age like 24h, or an ISO time."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from scenesync.domain.quantities import span

if TYPE_CHECKING:
    from click import Context, Parameter

__all__ = ["moment", "parse_age", "parse_since", "span", "time_meant"]

_AGE: Final = re.compile(r"(\d+)([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_age(_context: Context, _parameter: Parameter, text: str | None) -> float | None:
    """Return the epoch time that lies this age (90s, 2h, 7d, 1w) in the past; a click callback."""
    if text is None:
        return None
    found = _AGE.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no age. Use a number and s, m, h, d or w, e.g. 90s, 24h, 7d.")
    try:
        return _time_before(found).timestamp()
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(f"{text!r} is longer ago than a calendar goes back.") from None


def _time_before(age: re.Match[str]) -> datetime:
    """Return the moment that lies this age in the past. Raises ValueError, OverflowError or OSError if none does."""
    return datetime.fromtimestamp(time.time() - int(age.group(1)) * _SECONDS[age.group(2)], UTC)


def moment(epoch_s: float) -> str:
    """Return a time as this machine's clocks show it, with its zone."""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().isoformat(timespec="seconds")


def time_meant(text: str) -> datetime:
    """Return the moment meant by an age or an ISO time (without a zone: this machine's). Raises ValueError."""
    try:
        if found := _AGE.fullmatch(text):
            return _time_before(found)
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is no time. Use an age (90s, 24h, 7d, 1w) or an ISO time (2024-05-01, 2024-05-01T12:00)."
        ) from None


def parse_since(_context: Context, _parameter: Parameter, text: str | None) -> datetime | None:
    """Return the moment meant by an age or an ISO time (without a zone: this machine's); a click callback."""
    if text is None:
        return None
    try:
        return time_meant(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
