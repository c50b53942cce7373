"""What the daemon does beside its work, each in a thread of its own that ends with the round."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import PermanentError, TransientError
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

GOODBYE_S: Final = 1.0
"""A thread that hangs in a request at the end is left behind; the file that it would write is closed by then."""


@contextmanager
def beside(name: str, action: Callable[[threading.Event], object], end: threading.Event) -> Iterator[None]:
    """Run ``action(end)`` in a thread during the block; ``end`` is set when the block is left.

    What goes wrong is logged and never stops the daemon: delivering goes before anything that is done beside it.
    """
    thread = threading.Thread(target=_run, args=(name, action, end), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(timeout=GOODBYE_S)


def every(name: str, interval_s: float, action: Callable[[], object]) -> Callable[[threading.Event], None]:
    """Return an action for ``beside`` that runs now and every ``interval_s`` seconds, also after it failed."""

    def repeat(end: threading.Event) -> None:
        while not end.is_set():
            _run(name, lambda _: action(), end)
            end.wait(interval_s)

    return repeat


def _run(name: str, action: Callable[[threading.Event], object], end: threading.Event) -> None:
    try:
        action(end)
    except (TransientError, PermanentError, QueueError, StoreError, OSError) as error:
        log.warning("%s: %s", name, error)
    except Exception:
        if not end.is_set():  # at the end the stores are closed under a thread that was left behind
            log.exception("%s failed; the daemon goes on", name)
