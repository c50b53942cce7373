"""The sign of life of whoever works: a file whose time of change moves as long as the loop turns.

Standard library only: Stash's own Python looks at it too.
"""

from __future__ import annotations  # Stash may bring a Python older than ours

import logging
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

FILE: Final = "daemon.beat"
BEAT_EVERY_S: Final = 5.0


class Heartbeat:
    """Call it as often as you like; it writes at most every ``every_s`` seconds.

    The file holds the prefix of the Python that works, for ``works_with``.
    """

    def __init__(self, data_dir: Path, every_s: float = BEAT_EVERY_S) -> None:
        self._path = data_dir / FILE
        self._every_s = every_s
        self._next = time.monotonic()
        self._is_said = False

    def __call__(self) -> None:
        """Beat, if it is time. A disk that refuses costs the sign, not the work."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_s
        try:
            self._path.touch(0o600)
            if not self._is_said:
                self._path.write_text(sys.prefix, encoding="utf-8")
                self._is_said = True
        except OSError as error:
            log.debug("no sign of life could be left: %s", error)


def silence_s(data_dir: Path) -> float | None:
    """Return the seconds since the last beat, None if there never was one; 0 where a clock was set back."""
    try:
        beaten_at = (data_dir / FILE).stat().st_mtime
    except FileNotFoundError:
        return None
    return max(0.0, time.time() - beaten_at)


def works_with(data_dir: Path, environment: Path) -> bool:
    """Return whether who gave the last sign of life uses the Python of ``environment``. Raises OSError."""
    try:
        return (data_dir / FILE).read_text(encoding="utf-8") == str(environment)
    except FileNotFoundError:
        return False
