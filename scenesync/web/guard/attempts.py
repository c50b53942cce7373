"""How often somebody may present a wrong key."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from typing import Final

MOST_ADDRESSES: Final = 1_000


class WrongKeys:
    """Counts wrong keys by address; after ``most`` within ``within_s`` seconds nothing is looked at from there."""

    def __init__(self, most: int, within_s: float) -> None:
        self._most = most
        self._within_s = within_s
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> float:
        """Return how long to wait before a key from ``address`` is looked at; 0 for not at all."""
        now = time.monotonic()
        with self._lock:
            failed = self._failed.get(address)
            if failed is None:
                return 0.0
            while failed and now - failed[0] >= self._within_s:
                failed.popleft()
            return self._within_s - (now - failed[0]) if len(failed) >= self._most else 0.0

    def failed(self, address: str) -> None:
        """Note that a wrong key came from ``address``."""
        with self._lock:
            self._failed.setdefault(address, deque(maxlen=self._most)).append(time.monotonic())
            self._failed.move_to_end(address)
            while len(self._failed) > MOST_ADDRESSES:
                self._failed.popitem(last=False)

    def forget(self, address: str) -> None:
        """Note that the right key came from ``address``."""
        with self._lock:
            self._failed.pop(address, None)
