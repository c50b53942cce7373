"""A disk in trouble is met by every thread, many times a second: said once, and once more when it is over."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

log = logging.getLogger(__name__)

SAY_AGAIN_AFTER_S: Final = 600.0


class DiskTrouble:
    """What was said about the queue or the state store, for any number of threads."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._said_at: float | None = None

    def met(self, error: Exception) -> None:
        """Say what is wrong, unless that was done just now."""
        with self._lock:
            now = time.monotonic()
            if self._said_at is not None and now - self._said_at < SAY_AGAIN_AFTER_S:
                return
            self._said_at = now
        log.error("the %s cannot be used now, work waits for it: %s", self._name, error)

    def over(self) -> None:
        """Say that it is well again, if it was not."""
        if self._said_at is None:  # the usual case, without the lock
            return
        with self._lock:
            was_said, self._said_at = self._said_at is not None, None
        if was_said:
            log.info("the %s can be used again", self._name)
