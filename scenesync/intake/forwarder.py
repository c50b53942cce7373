"""Send on what hooks leave in this machine's outbox, to one queue or to several, each event exactly once.

An event is deleted here only when every queue has it on its disk. Each queue is served by a thread of its own and has a
progress of its own, so that one that is away holds up none of the others. How far a queue has come it knows itself, and
tells when it is there again: what was sent but not acknowledged is then neither lost nor repeated.
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.queue.errors import QueueDamaged, QueueError
from scenesync.worker.backoff import calculate_delay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.domain.job import Job
    from scenesync.queue.forwarding.outbox import Outbox
    from scenesync.queue.records import BulkResult, OutboxEvent

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
"""So long a wait for news goes on at most; a hook's event ends it at once."""
SOONEST_AGAIN_S: Final = 0.2
BACKOFF_BASE_S, BACKOFF_CAP_S = 0.5, 5.0
"""A queue that was away is to be noticed within seconds, however long it was away."""


class Destination(Protocol):
    """A queue that takes in what others send (``queue.port.Queue``). Both methods may raise QueueError."""

    def taken_from(self, outbox_id: str) -> int:
        """Return up to which number the events of an outbox were taken in, 0 for none."""
        ...

    def take_in(self, outbox_id: str, events: Sequence[OutboxEvent]) -> BulkResult:
        """Store those of the events that were not taken in before."""
        ...


def as_it_is(job: Job) -> Job | None:
    """Return the job unchanged."""
    return job


@dataclass(frozen=True, slots=True)
class Route:
    """Where events go; ``readdress`` returns the job as it is to be there, None for one that is not for that queue."""

    name: str
    queue: Destination
    readdress: Callable[[Job], Job | None] = as_it_is


class Forwarder:
    """Serves the ``routes`` of an outbox; each by a thread that runs ``forward``.

    ``jitter_seed`` makes the pauses after failures repeatable.
    """

    def __init__(self, outbox: Outbox, routes: Sequence[Route], *, jitter_seed: int | None = None) -> None:
        self.routes = tuple(routes)
        self._outbox = outbox
        self._random = random.Random(jitter_seed)  # noqa: S311 - pauses, no secrets
        self._lock = threading.Lock()
        self._taken = dict.fromkeys((route.name for route in self.routes), 0)
        self._forgotten = 0

    def forward(self, route: Route, stop: threading.Event) -> None:
        """Send events to ``route`` until ``stop``, however often it is away.

        Raises QueueDamaged when our own file or that of the queue turns out to be damaged.
        """
        failures = 0
        while not stop.is_set():
            try:
                number = self._begin(route)
                if failures:
                    log.info("the outbox is on its way again: queue=%s", route.name)
                    failures = 0
                while not stop.is_set():
                    number = self._send_next(route, number, stop)
            except QueueDamaged:
                raise
            except QueueError as error:
                if not failures:
                    log.warning("events wait in the outbox: queue=%s reason=%s", route.name, error)
                stop.wait(self._pause_s(failures))
                failures += 1

    def send_all(self, route: Route, stop: threading.Event) -> int:
        """Send what there is now, once; return how many events. Raises QueueError."""
        number, sent = self._begin(route), 0
        while not stop.is_set() and (events := self._outbox.batch(number)):
            number = self._send(route, events)
            sent += len(events)
        return sent

    def _begin(self, route: Route) -> int:
        """Ask how far the queue has come; take another name if somebody else goes by ours."""
        number = route.queue.taken_from(self._outbox.id)
        if number > self._outbox.last_number():
            # Our file was put back to an older state, or copied: its next numbers are known there as other events.
            log.warning("the outbox goes by another name from now on: queue=%s knows later events of it", route.name)
            self._rename()
            number = 0
        self._note(route, number)
        return number

    def _send_next(self, route: Route, number: int, stop: threading.Event) -> int:
        events = self._outbox.batch(number)
        if not events:
            self._outbox.wait_for_change(LOOK_EVERY_S, stop)
            return number
        return self._send(route, events)

    def _send(self, route: Route, events: Sequence[OutboxEvent]) -> int:
        addressed = [replace(each, job=job) for each in events if (job := route.readdress(dict(each.job))) is not None]
        if addressed:
            result = route.queue.take_in(self._outbox.id, addressed)
            known = len(addressed) - result.created - result.merged
            if known:  # it had said that it knows none of them
                log.warning("the outbox goes by another name from now on: queue=%s hears of it twice", route.name)
                self._rename()
                return 0
            log.debug("events sent on: queue=%s count=%d", route.name, len(addressed))
        self._note(route, events[-1].number)
        return events[-1].number

    def _note(self, route: Route, number: int) -> None:
        """Note how far a queue has come, and delete what all have."""
        with self._lock:
            self._taken[route.name] = max(number, self._taken[route.name])
            everywhere = min(self._taken.values())
            if everywhere <= self._forgotten:
                return
            self._forgotten = everywhere
        self._outbox.forget_up_to(everywhere)

    def _rename(self) -> None:
        with self._lock:
            self._taken = dict.fromkeys(self._taken, 0)
            self._forgotten = 0
        self._outbox.renew_id()

    def _pause_s(self, failures: int) -> float:
        seed = self._random.randrange(2**32)
        return max(SOONEST_AGAIN_S, calculate_delay(failures, BACKOFF_BASE_S, BACKOFF_CAP_S, seed))
