"""Keep for others what the loop learns about Plex and Stash: their state now, and the history of their outages."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from scenesync.store.outages import OutageStore
    from scenesync.store.service_state import ServiceState, ServiceStateStore
    from scenesync.worker.circuit_breaker import CircuitState

log = logging.getLogger(__name__)

PLEX: Final = "plex"
STASH: Final = "stash"


class HealthListener:
    """Hears about the two servers; this one keeps nothing."""

    def plex_up(self) -> None:
        """Plex can be worked with."""

    def plex_down(self, cause: str) -> None:
        """Plex cannot be worked with."""

    def stash_up(self) -> None:
        """Stash answers."""

    def stash_down(self, cause: str) -> None:
        """Stash does not answer."""

    def circuit_changed(self, old: CircuitState, new: CircuitState) -> None:
        """Plex's circuit breaker moved."""


class WaitingJobs(Protocol):
    """A queue that knows how many jobs wait."""

    @property
    def total(self) -> int:
        """How many jobs wait."""
        ...


class HealthRecorder(HealthListener):
    """Writes it down. That it cannot be written stops no work: it is logged."""

    def __init__(self, services: ServiceStateStore, outages: OutageStore, queue: WaitingJobs) -> None:
        self._services = services
        self._outages = outages
        self._queue = queue
        self._changing = threading.Lock()

    def plex_up(self) -> None:
        """Note that Plex can be worked with; an outage of it is over."""
        self._up(PLEX)

    def plex_down(self, cause: str) -> None:
        """Note that an outage of Plex began."""
        self._down(PLEX, cause)

    def stash_up(self) -> None:
        """Note that Stash answers; an outage of it is over."""
        self._up(STASH)

    def stash_down(self, cause: str) -> None:
        """Note that an outage of Stash began."""
        self._down(STASH, cause)

    def circuit_changed(self, old: CircuitState, new: CircuitState) -> None:
        """Note the state of Plex's circuit breaker."""
        log.info("circuit %s -> %s", old.value, new.value)
        self._change(PLEX, circuit=new.value)

    def _up(self, service: str) -> None:
        now = time.time()
        self._change(service, reachability="up", since=now, message="")
        try:
            self._outages.end(service, at=now)
        except StoreError as error:
            log.warning("outage history not kept: %s", error)

    def _down(self, service: str, cause: str) -> None:
        now = time.time()
        self._change(service, reachability="down", since=now, message=cause)
        try:
            self._outages.begin(service, cause, at=now, jobs_waiting=self._queue.total)
        except StoreError as error:
            log.warning("outage history not kept: %s", error)

    def _change(self, service: str, **changes: object) -> None:
        try:
            with self._changing:  # several threads hear of the same outage, each of another side of it
                state: ServiceState = self._services.read(service)
                self._services.write(service, replace(state, **changes))  # type: ignore[arg-type]
        except StoreError as error:
            log.warning("state of %s not kept: %s", service, error)
