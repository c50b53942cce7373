"""Keep for others what the loop learns about Plex and Stash: their state now, and the history of their outages."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.circuit import CircuitState
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError
from scenesync.store.pauses import Pause
from scenesync.store.service_state import ServiceState

if TYPE_CHECKING:
    from scenesync.store.outages import OutageStore
    from scenesync.store.pauses import PauseStore
    from scenesync.store.service_state import ServiceStateStore

log = logging.getLogger(__name__)

PLEX: Final = "plex"
STASH: Final = "stash"
SERVICES: Final = (PLEX, STASH)


class HealthListener:
    """Hears about the two servers, from any thread; this one keeps nothing."""

    def plex_up(self) -> None:
        """Plex can be worked with."""

    def plex_answers(self) -> None:
        """Plex is reachable, although it cannot be worked with."""

    def plex_down(self, cause: str) -> None:
        """Plex cannot be worked with."""

    def stash_up(self) -> None:
        """Stash answers."""

    def stash_down(self, cause: str) -> None:
        """Stash does not answer."""

    def refused(self, service: str, error: Exception) -> None:
        """Work waits for a person, since a server refuses; until ``plex_up`` or ``stash_up``. May be said again."""


class WaitingJobs(Protocol):
    """A queue that knows how many jobs wait."""

    @property
    def total(self) -> int:
        """How many jobs wait."""
        ...


class HealthRecorder(HealthListener):
    """Writes it down. That it cannot be written stops no work: it is logged."""

    def __init__(
        self, services: ServiceStateStore, outages: OutageStore, pauses: PauseStore, queue: WaitingJobs
    ) -> None:
        self._services = services
        self._outages = outages
        self._pauses = pauses
        self._queue = queue

    def plex_up(self) -> None:
        """Note that Plex can be worked with; an outage of it is over, and so is a pause."""
        self._up(PLEX)
        self._accepted(PLEX)

    def plex_answers(self) -> None:
        """Note that an outage of Plex is over."""
        self._up(PLEX)

    def plex_down(self, cause: str) -> None:
        """Note that an outage of Plex began."""
        self._down(PLEX, cause)

    def stash_up(self) -> None:
        """Note that Stash answers; an outage of it is over, and so is a pause."""
        self._up(STASH)
        self._accepted(STASH)

    def stash_down(self, cause: str) -> None:
        """Note that an outage of Stash began."""
        self._down(STASH, cause)

    def refused(self, service: str, error: Exception) -> None:
        """Note that work waits for a person."""
        try:
            self._pauses.begin(Pause(service, time.time(), type(error).__name__, str(error)))
        except StoreError as failure:
            log.warning("that %s refuses could not be noted: %s", service, failure)

    def _accepted(self, service: str) -> None:
        try:
            self._pauses.end(service)
        except StoreError as error:
            log.warning("that %s refuses no longer could not be noted: %s", service, error)

    def _up(self, service: str) -> None:
        now = time.time()
        try:
            self._services.write(service, ServiceState("up", now))
            self._outages.end(service, at=now, jobs_waiting=self._jobs_waiting())
        except StoreError as error:
            log.warning("the end of an outage of %s could not be noted: %s", service, error)

    def _down(self, service: str, cause: str) -> None:
        now = time.time()
        try:
            self._services.write(service, ServiceState("down", now, cause))
            self._outages.begin(service, cause, at=now, jobs_waiting=self._jobs_waiting() or 0)
        except StoreError as error:
            log.warning("an outage of %s could not be noted: %s", service, error)

    def _jobs_waiting(self) -> int | None:
        try:
            return self._queue.total
        except QueueError as error:
            log.debug("waiting jobs not counted: %s", error)
            return None


def log_circuit_change(service: str, old: CircuitState, new: CircuitState) -> None:
    """Log that a circuit moved; an outage of days is not worth a line for every probe."""
    level = logging.INFO if CircuitState.CLOSED in {old, new} else logging.DEBUG
    log.log(level, "circuit of %s %s -> %s", service, old.value, new.value)
