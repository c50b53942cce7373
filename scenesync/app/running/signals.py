"""End on SIGTERM and SIGINT by setting an event, so that what is in hand finishes or goes back."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_noted: Final[list[int]] = []
"""The numbers of the signals that have ended something in this process."""


def signals_noted() -> int:
    """Return how many signals have ended something so far, for who does one thing after the other."""
    return len(_noted)


@contextlib.contextmanager
def stopping_on_signals(on_signal: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGINT set while the block runs; outside the main thread nobody sets it."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, _frame: object) -> None:
        _noted.append(number)
        stop.set()
        if on_signal is not None:
            on_signal()

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
