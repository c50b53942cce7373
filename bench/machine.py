"""How fast the machine itself is, so that the figures of two runs can be held against each other."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_STARTS: Final = 9
_LOOPS: Final = 5
_TURNS: Final = 1_000_000


def speed() -> dict[str, float]:
    """Return how many ms the start of an empty Python takes, and a million turns of a loop that computes.

    Each is the quickest of a few: what else the machine does makes the others slower, and none quicker.
    """
    return {"empty_python_ms": round(_quickest(_start, _STARTS), 1), "loop_ms": round(_quickest(_compute, _LOOPS), 1)}


def _quickest(measure: Callable[[], float], rounds: int) -> float:
    return min(measure() for _ in range(rounds)) * 1000


def _start() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
    return time.perf_counter() - began


def _compute() -> float:
    began = time.process_time()
    total = 0
    for number in range(_TURNS):
        total += number * number
    return time.process_time() - began
