"""Implements ``web.ports.Rate``: what was done in the last hour, minute by minute."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.app.dashboard.desk import Desk

HOUR_S: Final = 3600.0
FRESH_S: Final = 2.0


class RecentAttempts:
    """Reads the history of attempts, every two seconds at most, however many ask."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._found: Mapping[tuple[int, str], int] = {}
        self._read_at = -FRESH_S

    def by_minute(self) -> Mapping[tuple[int, str], int]:
        """Return how many attempts of the last hour began in which minute and ended in which way. Raises StoreError."""
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_S:
                self._found = self._desk.installation.attempts.by_minute_since(time.time() - HOUR_S)
                self._read_at = time.monotonic()
            return self._found
