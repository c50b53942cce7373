"""How the interpreter is to behave while scenes are written: many threads wait for Plex, a few compute beside them."""

from __future__ import annotations

import gc
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SWITCH_INTERVAL_S: Final = 0.0002
"""So long a thread whose answer has come waits before one that computes gives way. The usual five milliseconds are as
long as a quick Plex takes for an edit, and an edit waits for its turn several times."""


class Shared:
    """What there is one of in a process: it begins for the first who enters and ends with the last who leaves."""

    def __init__(self, begin: Callable[[], Callable[[], object]]) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._inside = 0
        self._end: Callable[[], object]

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._end = self._begin()
            self._inside += 1

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._end()


def quick_turns() -> Callable[[], object]:
    """Let threads take turns quickly, until what is returned is called."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return partial(sys.setswitchinterval, usual_s)


def sparing() -> Callable[[], object]:
    """Spare the garbage collection all that there is now, until what is returned is called.

    Else everything that was ever imported is looked through again and again, each time for some 80 ms in which nothing
    else happens.
    """
    gc.collect()  # what is garbage now would be kept for as long as it lasts
    gc.freeze()
    return gc.unfreeze


QUICK_TURNS: Final = Shared(quick_turns)
SPARED: Final = Shared(sparing)


@contextmanager
def tuned_for_waiting_threads() -> Iterator[None]:
    """Let threads take turns quickly, and spare the garbage collection what was there before the block."""
    with QUICK_TURNS, SPARED:
        yield
