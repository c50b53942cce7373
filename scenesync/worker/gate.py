"""Decide whether work may flow: both servers usable, nothing that only a person can mend."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import LibraryNotFound, StashUnauthorized, StashUnavailable
from scenesync.plex.exceptions import PlexServerDown, PlexUnauthorized
from scenesync.worker.circuit_breaker import CircuitBreaker
from scenesync.worker.error_rules import rule_for
from scenesync.worker.health import HealthListener
from scenesync.worker.plex_connection import NeedsPerson, PlexConnection

if TYPE_CHECKING:
    from scenesync.worker.circuit_breaker import Permit
    from scenesync.worker.plex_connection import PlexSession

log = logging.getLogger(__name__)

LONGEST_PAUSE_S: Final = 1.0
SHORTEST_PAUSE_S: Final = 0.02
STASH_RETRY_AFTER_S: Final = 1.0
RETRY_REFUSED_EVERY_S: Final = 300.0
"""A refused token is tried again this often, in case it was Plex that changed its mind."""


class Gate:
    """Hears how every attempt ended, and says whether the next may begin.

    With ``unreachable_for_s`` (one-shot commands) it does not wait: it raises NeedsPerson when a server refuses, and
    PlexServerDown or StashUnavailable when one was not reachable for so long.
    """

    def __init__(
        self,
        connection: PlexConnection,
        breaker: CircuitBreaker,
        *,
        unreachable_for_s: float | None = None,
        health: HealthListener | None = None,
    ) -> None:
        self._connection = connection
        self._breaker = breaker
        self._unreachable_for_s = unreachable_for_s
        self._health = health or HealthListener()
        self._stash_breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=STASH_RETRY_AFTER_S)
        self._stash_seen = False
        self._stash_down_since: float | None = None
        self._stash_error: StashUnavailable | None = None
        self._refused: NeedsPerson | None = None
        self._refused_at = 0.0

    def session(self) -> PlexSession | None:
        """Return the session if work may flow, None if not now. Raises as the class says."""
        if self._refused is not None:
            self._raise_if_nobody_waits(self._refused)
            if time.monotonic() - self._refused_at < RETRY_REFUSED_EVERY_S:
                return None
            self._refused = None
        if not self._stash_breaker.can_execute():
            self._raise_if_unreachable()
            return None
        try:
            session = self._connection.ready()
        except NeedsPerson as refused:
            self._refuse(refused)
            self._raise_if_nobody_waits(refused)
            return None
        if session is None:
            self._raise_if_unreachable()
        return session

    def pause_s(self) -> float:
        """Return how long to sleep before asking again."""
        if self._refused is not None:
            return LONGEST_PAUSE_S
        if not self._stash_breaker.can_execute():
            return STASH_RETRY_AFTER_S / 4
        return min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, self._connection.next_probe_in_s()))

    def note(self, error: Exception | None, permit: Permit | None = None) -> None:
        """Hear how an attempt ended; None means that Plex did what it was asked."""
        if error is None:
            self._breaker.record_success(permit)
        elif isinstance(error, (PlexUnauthorized, LibraryNotFound, StashUnauthorized)):
            self._refuse(NeedsPerson(error))
        elif isinstance(error, StashUnavailable):
            self._stash_failed(error)
        elif rule_for(error).opens_breaker:
            self._breaker.record_failure(permit)
            if isinstance(error, PlexServerDown):
                self._connection.suspect(error)

    def stash_answered(self) -> None:
        """Hear that Stash did what it was asked."""
        self._stash_breaker.record_success()
        if self._stash_down_since is not None or not self._stash_seen:
            log.info("stash answers")
            self._stash_seen = True
            self._stash_down_since = None
            self._health.stash_up()

    def _stash_failed(self, error: StashUnavailable) -> None:
        self._stash_error = error
        self._stash_breaker.record_failure()
        if self._stash_down_since is None:
            self._stash_down_since = time.monotonic()
            log.warning("stash is not available, jobs wait message=%s", error)
            self._health.stash_down(str(error))

    def _refuse(self, refused: NeedsPerson) -> None:
        if self._refused is None:
            log.error("paused until the settings change: %s", refused)
        self._refused, self._refused_at = refused, time.monotonic()

    def _raise_if_nobody_waits(self, refused: NeedsPerson) -> None:
        if self._unreachable_for_s is not None:
            raise refused

    def _raise_if_unreachable(self) -> None:
        limit = self._unreachable_for_s
        if limit is None:
            return
        if self._stash_down_since is not None and time.monotonic() - self._stash_down_since >= limit:
            raise StashUnavailable(f"Stash was not reachable for {limit:.0f} s; all jobs are kept. {self._stash_error}")
        if self._connection.down_for_s() >= limit and self._connection.last_error is not None:
            raise PlexServerDown(
                f"Plex was not reachable for {limit:.0f} s; all jobs are kept. {self._connection.last_error}"
            )
