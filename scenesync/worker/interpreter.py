"""How the interpreter is to behave while scenes are written: many threads wait for Plex, a few compute beside them."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SWITCH_INTERVAL_S: Final = 0.0002
"""So long a thread whose answer has come waits before one that computes gives way. The usual five milliseconds are as
long as a quick Plex takes for an edit, and an edit waits for its turn several times."""


@contextmanager
def tuned_for_waiting_threads() -> Iterator[None]:
    """Let threads take turns quickly, and spare the garbage collection what was there before the block.

    Else everything that was ever imported is looked through again and again, each time for some 80 ms in which nothing
    else happens. Where somebody has spared it something already, whoever that was decides what: there is one such
    store for the whole process, and to empty it would undo theirs.
    """
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    is_ours = not gc.get_freeze_count()
    if is_ours:
        gc.collect()  # what is garbage now would be kept for as long as the block lasts
        gc.freeze()
    try:
        yield
    finally:
        if is_ours:
            gc.unfreeze()
        sys.setswitchinterval(usual_s)
