"""Decide whether work may flow: both servers usable, nothing that only a person can mend."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import LibraryNotFound, NeedsPerson, StashUnauthorized, StashUnavailable
from scenesync.plex.exceptions import PlexBusy, PlexServerDown, PlexTemporaryError, PlexUnauthorized
from scenesync.worker.availability.health import PLEX, STASH, HealthListener
from scenesync.worker.availability.pacing import Pacing
from scenesync.worker.availability.stash_connection import StashConnection
from scenesync.worker.error_rules import rule_for

if TYPE_CHECKING:
    from scenesync.worker.availability.plex_connection import PlexConnection, PlexSession
    from scenesync.worker.circuit_breaker import CircuitBreaker, Permit

log = logging.getLogger(__name__)

LONGEST_PAUSE_S: Final = 1.0
SHORTEST_PAUSE_S: Final = 0.02
RETRY_REFUSED_EVERY_S: Final = 300.0
"""A refused token is tried again this often, in case it was Plex that changed its mind."""


class Gate:
    """Hears how every attempt ended, from any thread, and tells the loop's thread whether the next may begin.

    With ``unreachable_for_s`` (one-shot commands) it does not wait: it raises NeedsPerson when a server refuses, and
    PlexServerDown or StashUnavailable when one was not reachable for so long.
    """

    def __init__(
        self,
        connection: PlexConnection,
        breaker: CircuitBreaker,
        *,
        stash: StashConnection | None = None,
        pacing: Pacing | None = None,
        unreachable_for_s: float | None = None,
        health: HealthListener | None = None,
    ) -> None:
        self._connection = connection
        self._breaker = breaker
        self._health = health or HealthListener()
        self._stash = stash or StashConnection(health=self._health)
        self._pacing = pacing or Pacing(0)
        self._unreachable_for_s = unreachable_for_s
        self._lock = threading.Lock()
        self._refused: NeedsPerson | None = None
        self._refused_at = 0.0
        self._last_error: Exception | None = None
        self._told_refusal = ""

    def session(self) -> PlexSession | None:
        """Return the session if work may flow, None if not now. Raises as the class says."""
        refused = self._standing_refusal()
        if refused is not None:
            self._raise_if_nobody_waits(refused)
            return None
        try:
            # Both are watched, whichever is down: each has its own history of outages.
            stash_ready = self._stash.ready()
            session = self._connection.ready()
        except NeedsPerson as error:
            self._refuse(error)
            self._raise_if_nobody_waits(error)
            return None
        except StashUnauthorized as error:
            self._refuse(NeedsPerson(error))
            self._raise_if_nobody_waits(NeedsPerson(error))
            return None
        if session is None or not stash_ready:
            self._raise_if_unreachable()
            return None
        return session

    def require_session(self) -> PlexSession:
        """Return the session of the server that answered last, whatever may flow now. Raises PlexServerDown."""
        return self._connection.require_session()

    @property
    def is_refused(self) -> bool:
        """Whether a server refuses what only a person can change."""
        return self._standing_refusal() is not None

    def pause_s(self) -> float:
        """Return how long to sleep before asking again."""
        if self._standing_refusal() is not None:
            return LONGEST_PAUSE_S
        waits = (self._stash.next_probe_in_s(), self._connection.next_probe_in_s())
        shortest_s = min((wait_s for wait_s in waits if wait_s is not None), default=0.0)
        return min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, shortest_s))

    def may_begin(self, wanted: int) -> int:
        """Return how many of ``wanted`` jobs may begin now: all of them, except for a while after an outage."""
        return self._pacing.allowance(wanted)

    def begun(self, jobs: int) -> None:
        """Hear that jobs began."""
        self._pacing.begun(jobs)

    def note(self, error: Exception | None, permit: Permit | None = None, *, began_at: float | None = None) -> None:
        """Hear how an attempt ended, which began at ``began_at`` (monotonic); None means that Plex did as it was asked.

        One failed request may end many attempts (a proof reads a hundred items): it counts once.
        """
        if error is not None and self._is_known(error):
            return
        if error is None:
            self._breaker.record_success(permit)
            self._forget_told_refusal()
        elif isinstance(error, (PlexUnauthorized, LibraryNotFound, StashUnauthorized)):
            self._refuse(NeedsPerson(error))
        elif isinstance(error, StashUnavailable):
            self._stash.failed(error, began_at=began_at)
        elif rule_for(error).opens_breaker:
            self._breaker.record_failure(permit)
            if isinstance(error, PlexServerDown):
                self._connection.suspect(error)
        if isinstance(error, (PlexServerDown, PlexTemporaryError, PlexBusy)):
            self._pacing.erred()

    def _is_known(self, error: Exception) -> bool:
        with self._lock:
            known = error is self._last_error
            self._last_error = error
            return known

    def stash_answered(self) -> None:
        """Hear that Stash did what it was asked."""
        self._stash.answered()

    def _standing_refusal(self) -> NeedsPerson | None:
        with self._lock:
            if self._refused is not None and time.monotonic() - self._refused_at >= RETRY_REFUSED_EVERY_S:
                self._refused = None
            return self._refused

    def _refuse(self, refused: NeedsPerson) -> None:
        with self._lock:
            self._refused, self._refused_at = refused, time.monotonic()
            # Once, however many jobs met it and however often it was tried again.
            who = type(refused.cause).__name__
            news = who != self._told_refusal
            self._told_refusal = who
        # What is refused is asked for again before any job is spent on finding out.
        if isinstance(refused.cause, StashUnauthorized):
            self._stash.doubt()
        else:
            self._connection.suspect(refused.cause)
        if news:
            log.error("paused until the settings change: %s", refused)
        if self._unreachable_for_s is None:
            self._health.refused(STASH if isinstance(refused.cause, StashUnauthorized) else PLEX, refused.cause)

    def _forget_told_refusal(self) -> None:
        if not self._told_refusal:
            return
        with self._lock:
            if self._refused is not None:  # this success began before the refusal
                return
            self._told_refusal = ""
        log.info("no longer refused, work goes on")

    def _raise_if_nobody_waits(self, refused: NeedsPerson) -> None:
        if self._unreachable_for_s is not None:
            raise refused

    def _raise_if_unreachable(self) -> None:
        limit = self._unreachable_for_s
        if limit is None:
            return
        if self._stash.down_for_s() >= limit and self._stash.last_error is not None:
            raise StashUnavailable(
                f"Stash was not reachable for {limit:.0f} s; all jobs are kept. {self._stash.last_error}"
            )
        if self._connection.down_for_s() >= limit and self._connection.last_error is not None:
            raise PlexServerDown(
                f"Plex was not reachable for {limit:.0f} s; all jobs are kept. {self._connection.last_error}"
            )
