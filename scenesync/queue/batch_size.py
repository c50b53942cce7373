"""How many rows a bulk stores in one transaction. Pure: no clock, no queue."""

from typing import Final

TOO_LONG_S: Final = 0.040  # a hook is given 250 ms in all, and a person waits for it
SHORT_S: Final = 0.015
FEWEST_ROWS: Final = 100  # below that a transaction is little else than its sync


class BatchSize:
    """Starts with ``most`` rows; fewer where the write lock is held for too long, on a slow disk or a busy machine."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._fewest = min(FEWEST_ROWS, most)
        self.rows = most

    def lock_was_held(self, seconds: float) -> None:
        """Take note of how long the last transaction lasted."""
        if seconds > TOO_LONG_S:
            self.rows = max(self.rows // 2, self._fewest)
        elif seconds < SHORT_S:
            self.rows = min(self.rows * 2, self._most)
