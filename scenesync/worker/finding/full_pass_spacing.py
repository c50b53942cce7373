"""Full passes over a library that look necessary again and again and find nothing are to become rare."""

from __future__ import annotations

import math
import time
from typing import Final

FIRST_WAIT_S: Final = 60.0
LONGEST_WAIT_S: Final = 600.0


class FullPassSpacing:
    """Keeps the full passes over one library apart: each that finds nothing doubles the time to the next one."""

    def __init__(self) -> None:
        self._wait_s = 0.0
        self._until = -math.inf

    def is_too_early(self) -> bool:
        """Say whether it is too early for another pass."""
        return time.monotonic() < self._until

    def made_one(self, *, found_something: bool) -> None:
        """Hear that a pass was made that looked necessary."""
        self._wait_s = 0.0 if found_something else min(max(FIRST_WAIT_S, 2 * self._wait_s), LONGEST_WAIT_S)
        self._until = time.monotonic() + self._wait_s

    def none_was_needed(self) -> None:
        """Hear that no pass was necessary."""
        self._wait_s, self._until = 0.0, -math.inf
