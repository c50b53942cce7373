"""What the daemon does beside its work, each in a thread of its own that ends with the round."""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import PermanentError, TransientError
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreClosed, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

NAP_S: Final = 0.5
"""So long a wait goes on at most before it is asked whether it is the end."""
AGAIN_AFTER_S: Final = 30.0
GOODBYE_S: Final = 1.0
"""A thread that hangs in a request at the end is left behind; the stores that it would write refuse it by then."""


@contextmanager
def beside(name: str, action: Callable[[threading.Event], object], end: threading.Event) -> Iterator[None]:
    """Run ``action(end)`` in a thread during the block; ``end`` is set when the block is left.

    What goes wrong is logged and never stops the daemon: delivering goes before anything that is done beside it. The
    action then begins anew after AGAIN_AFTER_S: a file that was locked for a moment must not end it for good.
    """
    thread = threading.Thread(target=_run_to_the_end, args=(name, action, end), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(timeout=GOODBYE_S)


class RoundOver(Exception):
    """What takes long is given up, since the round ends; no news for anybody."""


class Routine:
    """Something that is done now and then: an action for ``beside`` that can be asked about, and begun at once.

    It runs ``first_after_s`` seconds after ``beside`` begins and every ``interval_s`` seconds, after it failed
    ``again_after_s`` seconds later if that is sooner; never by itself if the interval is 0. Times are in epoch seconds.
    """

    def __init__(
        self,
        name: str,
        title: str,
        interval_s: float,
        action: Callable[[], object],
        *,
        first_after_s: Callable[[], float] = lambda: 0.0,
        again_after_s: float = math.inf,
    ) -> None:
        self.name = name
        self.title = title
        self.interval_s = interval_s
        self.last_started_at: float | None = None
        self.last_ended_at: float | None = None
        self.last_error = ""
        self.next_at: float | None = None
        self._action = action
        self._first_after_s = first_after_s
        self._again_after_s = again_after_s
        self._turn = threading.Lock()
        self._end = threading.Event()
        self._soon = threading.Event()

    def __call__(self, end: threading.Event) -> None:
        """Repeat the action until ``end``."""
        self._end = end
        if not self.interval_s:
            return
        self._wait(end, self._first_after_s())
        while not end.is_set():
            self.run()
            self._wait(end, min(self.interval_s, self._again_after_s) if self.last_error else self.interval_s)

    def _wait(self, end: threading.Event, wait_s: float) -> None:
        self.next_at = time.time() + wait_s
        due_at = time.monotonic() + wait_s
        while not end.is_set() and not self._soon.is_set() and (left_s := due_at - time.monotonic()) > 0:
            self._soon.wait(min(left_s, NAP_S))
        self._soon.clear()

    @property
    def is_running(self) -> bool:
        """Whether it is being done at this moment."""
        return self._turn.locked()

    def go_on(self) -> None:
        """Return unless the round is over. What takes long calls it now and then. Raises RoundOver."""
        if self._end.is_set():
            raise RoundOver

    def run_soon(self) -> None:
        """Let the next time be now or, while it is being done, right afterwards; any number of calls are one."""
        self._soon.set()

    def run_now(self) -> None:
        """Begin it at once, in a thread of its own; not beside itself."""
        threading.Thread(target=self.run, name=self.name, daemon=True).start()

    def run(self) -> None:
        """Do it once, unless it is being done."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            self.last_started_at = time.time()
            self.last_error = _run(self.name, lambda _: self._action(), self._end)
            self.last_ended_at = time.time()
        finally:
            self._turn.release()


def _run_to_the_end(name: str, action: Callable[[threading.Event], object], end: threading.Event) -> None:
    while _run(name, action, end) and not end.wait(AGAIN_AFTER_S):
        pass


def _run(name: str, action: Callable[[threading.Event], object], end: threading.Event) -> str:
    """Do it; return what went wrong, "" for nothing."""
    try:
        action(end)
    except StoreClosed as error:  # it was left behind; who works in its place does the same
        log.debug("%s ended late: %s", name, error)
        return ""
    except (TransientError, PermanentError, QueueError, StoreError, OSError) as error:
        log.warning("%s: %s", name, error)
        return str(error)
    except Exception as error:
        if end.is_set():  # at the end the stores are closed under a thread that was left behind
            return ""
        log.exception("%s failed; the daemon goes on", name)
        return type(error).__name__
    return ""
