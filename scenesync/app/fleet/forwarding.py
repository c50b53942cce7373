"""Where jobs are worked off from a database, the queue file of this machine is an outbox: its events are sent on."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from scenesync.app.data_directory import make_data_dir, queue_folder
from scenesync.app.opening import journal_of
from scenesync.app.running.background import beside
from scenesync.disk.ownership import hand_over_all
from scenesync.intake.forwarder import Forwarder, Route
from scenesync.queue.errors import QueueDamaged
from scenesync.queue.forwarding.outbox import Outbox

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from scenesync.app.settings import Settings
    from scenesync.queue.port import Queue

log = logging.getLogger(__name__)


def outbox_at(settings: Settings, *, repairs: bool) -> Outbox:
    """Open the outbox, to be closed by the caller, who works there alone. Raises QueueError, OSError."""
    make_data_dir(settings.data_dir)
    outbox = Outbox(queue_folder(settings.data_dir), journal=journal_of(settings), repairs=repairs)
    hand_over_all(str(settings.data_dir))
    return outbox


@contextmanager
def forwarding(settings: Settings, queue: Queue, end: threading.Event, *, begins: bool = False) -> Iterator[None]:
    """Send on what hooks leave here during the block, where jobs are worked off from a database.

    If it ``begins`` with that, what waits already is sent before the block. A file that turns out to be damaged is
    replaced, and ends what ``end`` ends: who begins anew looks at every scene. Raises QueueError, OSError.
    """
    if settings.database_url is None:
        yield
        return
    route = Route("database", queue)
    with closing(outbox_at(settings, repairs=True)) as outbox:
        if begins:
            Forwarder(outbox, [route]).send_all(route, end)
        with sending(outbox, [route], end):
            yield


@contextmanager
def sending(outbox: Outbox, routes: Sequence[Route], end: threading.Event) -> Iterator[None]:
    """Send what is in an outbox along some routes during the block; the rest as in ``forwarding``."""
    forwarder = Forwarder(outbox, routes)
    with ExitStack() as stack:
        for route in forwarder.routes:
            sender = _Sender(forwarder, route, outbox, end)
            stack.enter_context(beside(f"outbox to {route.name}", sender.run, end))
        yield


class _Sender:
    """One route's thread."""

    def __init__(self, forwarder: Forwarder, route: Route, outbox: Outbox, end_of_round: threading.Event) -> None:
        self._forwarder = forwarder
        self._route = route
        self._outbox = outbox
        self._end_of_round = end_of_round

    def run(self, end: threading.Event) -> None:
        """Send until ``end``."""
        try:
            self._forwarder.forward(self._route, end)
        except QueueDamaged as error:
            log.error("starting over, since the outbox turned out to be damaged while in use: %s", error)  # noqa: TRY400 - said in full
            self._outbox.recover()
            self._end_of_round.set()
