"""Tells work in another thread that nobody wants its result any more."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from scenesync.simulators.stash.errors import OperationCancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Cancellation:
    """Cancelled once, for good. Callbacks run in the thread that cancels."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """True from the moment of the cancellation."""
        return self._cancelled

    def cancel(self) -> None:
        """Cancel; further calls do nothing."""
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raise :class:`OperationCancelled` when cancelled."""
        if self._cancelled:
            raise OperationCancelled

    @contextlib.contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call ``callback`` if the cancellation comes inside the block (at once, when it came before)."""
        with self._lock:
            self._callbacks.append(callback)
            cancelled_before = self._cancelled
        try:
            if cancelled_before:
                callback()
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)
