"""How long to wait before the next try: exponential with full jitter, so that retries never arrive together."""

from __future__ import annotations

import random
from typing import Final

TRANSIENT_BASE_S: Final = 5.0
TRANSIENT_CAP_S: Final = 80.0
NOT_FOUND_BASE_S: Final = 30.0
NOT_FOUND_CAP_S: Final = 600.0

_LARGEST_EXPONENT: Final = 64
"""Beyond this every cap is reached, and larger powers would only overflow a float."""


def calculate_delay(retry_count: int, base: float, cap: float, jitter_seed: int | None = None) -> float:
    """Return a delay in seconds, uniform in [0, min(cap, base * 2**retry_count)].

    ``jitter_seed`` makes the draw repeatable.
    """
    exponent = min(max(retry_count, 0), _LARGEST_EXPONENT)
    ceiling = min(cap, base * 2.0**exponent)
    return random.Random(jitter_seed).uniform(0.0, ceiling)  # noqa: S311 - spreads load, guards no secret
