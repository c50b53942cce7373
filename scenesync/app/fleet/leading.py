"""What one node does for all: look at Stash, reconcile, listen, keep the schedules. It is elected, alone or among many.

Nothing of it does harm when two do it for a moment: jobs of one scene merge, cursors only go back to what is looked at
once more, and listings of Plex are taken over side by side (``store.path_index``).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scenesync.app.running.background import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from scenesync.domain.ports import Fleet

LOOK_EVERY_S: Final = 0.1
"""So soon after an election the duties begin, and after its loss they end."""


@contextmanager
def leading(
    fleet: Fleet,
    duties: Callable[[threading.Event], AbstractContextManager[None]],
    end: threading.Event,
    *,
    fit: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Stand for election during the block, and have the duties done whenever, and as long as, it is won.

    ``duties`` begin when the context is entered that it returns for an event, which is set when they are to end. Who is
    not ``fit`` for them lets somebody else be elected who is.
    """
    withdrawn = threading.Event()

    def serve(over: threading.Event) -> None:
        try:
            serve_terms(fleet, duties, over)
        finally:
            if over.is_set():  # no sooner: nobody else is to begin while we are still at it
                withdrawn.set()

    with (
        beside("election", lambda over: fleet.stand_for_election(over, fit), withdrawn),
        beside("duties", serve, end),
    ):
        yield


def serve_terms(
    fleet: Fleet, duties: Callable[[threading.Event], AbstractContextManager[None]], end: threading.Event
) -> None:
    """Do the duties in one term after the other, until ``end``."""
    while not end.is_set():
        if fleet.is_elected:
            over = threading.Event()
            with duties(over):
                while fleet.is_elected and not end.wait(LOOK_EVERY_S):
                    pass
                over.set()
        end.wait(LOOK_EVERY_S)
