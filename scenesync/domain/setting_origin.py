"""Where the value of a setting comes from, in the words that people are shown, and what follows from that. Pure."""

from __future__ import annotations

from typing import Final

DEFAULT: Final = "default"
"""The origin of what nobody decided."""
_FILE: Final = "file "


def of_file(path: object) -> str:
    """Return the origin of what a file says."""
    return f"{_FILE}{path}"


def is_decided(origin: str) -> bool:
    """Say whether somebody decided on the value, wherever."""
    return origin != DEFAULT


def wins_over_file(origin: str) -> bool:
    """Say whether another value in the settings file would not count."""
    return is_decided(origin) and not origin.startswith(_FILE)
