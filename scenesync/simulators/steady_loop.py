from __future__ import annotations

import asyncio
import time


class SteadyLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes on when a test freezes time: answers and delays must still arrive."""

    # Kept in the class: freezegun replaces what modules hold, not what classes hold.
    _real_clock = staticmethod(time.monotonic)

    def time(self) -> float:
        """Return the loop's clock, in seconds."""
        return self._real_clock()
