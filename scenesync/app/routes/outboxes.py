"""Where the hooks of each Stash leave their events when there are several routes, and how they get to the queues.

A hook knows one queue file, its own. With several routes that is an outbox: each event goes to the queue of every route
of its Stash, exactly once, and is deleted when all have it.
"""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from scenesync.app.data_directory import OUTBOX_FOLDER, make_data_dir, queue_folder, worker_lock
from scenesync.app.fleet.forwarding import sending
from scenesync.app.opening import journal_of, queue_at
from scenesync.app.running.background import NAP_S, beside
from scenesync.disk.ownership import hand_over_all
from scenesync.intake.forwarder import Forwarder
from scenesync.intake.forwarder import Route as Way
from scenesync.queue.errors import QueueDamaged, QueueError
from scenesync.queue.forwarding.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from scenesync.app.settings import LoadedSettings, Route, Settings
    from scenesync.queue.port import Queue
    from scenesync.queue.records import BulkResult, OutboxEvent

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

LOOK_FOR_LOCK_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ServedOutbox:
    """The data directory in which hooks leave events, and the settings of the routes to whose queues they go."""

    folder: Path
    routes: tuple[Settings, ...]


def home_outbox(data_dir: Path) -> Path:
    """Return the outbox of the Stash in whose plugin we live: hooks use it once it is there."""
    return data_dir / OUTBOX_FOLDER


def routes_at_home(loaded: LoadedSettings) -> Sequence[Route]:
    """Return the routes of the Stash in whose plugin we live: the one that says so, else the first that says none."""
    homes = (loaded.settings.installation_dir, None)
    stash = next((route.stash for home in homes for route in loaded.routes if route.outbox == home), None)
    return [route for route in loaded.routes if route.stash == stash]


def outboxes_of(loaded: LoadedSettings) -> Sequence[ServedOutbox]:
    """Return the outboxes: our own for the first Stash that names none, and those that the file names."""
    data_dir = loaded.settings.installation_dir
    if not loaded.routes:
        return [ServedOutbox(home_outbox(data_dir), (loaded.settings,))]
    at_home = routes_at_home(loaded)
    found: dict[Path, list[Settings]] = {}
    for route in loaded.routes:
        folder = home_outbox(data_dir) if route in at_home else route.outbox
        if folder is not None:
            found.setdefault(folder, []).append(route.settings)
    return [ServedOutbox(folder, tuple(routes)) for folder, routes in found.items()]


class QueueOfRoute:
    """The queue of a route, opened when it is needed, and anew after it failed. One thread at a time.

    Implements ``forwarder.Destination``.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queue: Queue | None = None

    def taken_from(self, outbox_id: str) -> int:
        """Return up to which number the events of an outbox were taken in. Raises QueueError."""
        return self._ask(lambda queue: queue.taken_from(outbox_id))

    def take_in(self, outbox_id: str, events: Sequence[OutboxEvent]) -> BulkResult:
        """Store those of the events that were not taken in before. Raises QueueError."""
        return self._ask(lambda queue: queue.take_in(outbox_id, events))

    def close(self) -> None:
        """Let go of the queue."""
        if self._queue is not None:
            self._queue.close()
            self._queue = None

    def _ask(self, question: Callable[[Queue], Answer]) -> Answer:
        try:
            if self._queue is None:
                make_data_dir(self._settings.data_dir)
                self._queue = queue_at(self._settings, auto_resume=False, repairs=False)
            return question(self._queue)
        except QueueDamaged as error:  # it is for its own process to replace; the outbox is sound
            self.close()
            raise QueueError(str(error)) from error
        except QueueError:
            self.close()
            raise


@contextmanager
def _opened(outbox: ServedOutbox) -> Iterator[tuple[Outbox, Sequence[Way]]]:
    """Open an outbox that nobody else serves, and give the ways to its routes. Raises QueueError, OSError."""
    with ExitStack() as stack:
        journal = journal_of(outbox.routes[0])
        box = stack.enter_context(closing(Outbox(queue_folder(outbox.folder), journal=journal)))
        hand_over_all(str(outbox.folder))
        ways = []
        for settings in outbox.routes:
            queue = stack.enter_context(closing(QueueOfRoute(settings)))
            ways.append(Way("" if settings.place is None else settings.place.name, queue))
        yield box, ways


def serve(outbox: ServedOutbox, end: threading.Event) -> None:
    """Deliver from an outbox until ``end``; wait as long as somebody else does. Raises QueueError, OSError."""
    make_data_dir(outbox.folder)
    lock = worker_lock(outbox.folder)
    while not lock.acquire():
        log.warning("somebody works in %s: its events wait until that SceneSync is stopped", outbox.folder)
        if end.wait(LOOK_FOR_LOCK_EVERY_S):
            return
    with ExitStack() as stack:
        stack.callback(lock.release)
        while not end.is_set():
            _serve_while_sound(outbox, end)


def _serve_while_sound(outbox: ServedOutbox, end: threading.Event) -> None:
    """Deliver until ``end``, or until the outbox was damaged and is replaced: then it is to be opened anew."""
    is_over = threading.Event()
    with _opened(outbox) as (box, ways), sending(box, ways, is_over):
        while not (end.is_set() or is_over.wait(NAP_S)):
            pass


@contextmanager
def delivering(outboxes: Sequence[ServedOutbox]) -> Iterator[None]:
    """Bring what hooks leave in each outbox to the queues of its routes while the block runs."""
    with ExitStack() as stack:
        for outbox in outboxes:
            stack.enter_context(beside(f"outbox {outbox.folder}", partial(serve, outbox), threading.Event()))
        yield


def left_over_events(loaded: LoadedSettings) -> AbstractContextManager[None]:
    """Deliver from the outbox of an installation that has one route now: hooks go on to use it once it is there."""
    is_alone = len(loaded.routes) <= 1
    left = [outbox for outbox in outboxes_of(loaded) if is_alone and outbox.folder.is_dir()]
    return delivering(left) if left else nullcontext()


def deliver_once(loaded: LoadedSettings) -> None:
    """Bring to the queues what waits in the outboxes now, unless somebody does so already. Raises QueueError, OSError.

    For commands that work where no daemon runs. An outbox that cannot be opened is none of theirs.
    """
    for outbox in outboxes_of(loaded):
        lock = worker_lock(outbox.folder)
        if not queue_folder(outbox.folder).is_dir() or not lock.acquire():
            continue
        try:
            with _opened(outbox) as (box, ways):
                forwarder = Forwarder(box, ways)
                for way in ways:
                    forwarder.send_all(way, threading.Event())
        finally:
            lock.release()
