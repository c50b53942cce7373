"""Know whether Plex may be given work, and notice within a second or two when that changes.

No job is spent on finding out: while the circuit is open ``/identity`` is asked (no token, cheap), an answer makes it
half-open, and one authenticated look at the libraries closes it. The same look builds the session: what is known about
a server hangs on its ``machineIdentifier``, so another server behind the same address is never taken for the old one.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import LibraryNotFound, PermanentError, TransientError
from scenesync.plex.exceptions import PlexUnauthorized
from scenesync.worker.circuit_breaker import CircuitState
from scenesync.worker.health import HealthListener

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.domain.item import ServerIdentity
    from scenesync.domain.ports import MediaServer
    from scenesync.worker.circuit_breaker import CircuitBreaker
    from scenesync.worker.library_index import LibraryIndex
    from scenesync.worker.proof import ProofDesk
    from scenesync.worker.scene_sync import SceneSync

log = logging.getLogger(__name__)

FIRST_PROBE_AFTER_S: Final = 0.5
SLOWEST_PROBE_S: Final = 1.0
"""The first edit is to come within two seconds of Plex answering, and the index is looked at before it."""
FLAPPING_WITHIN_S: Final = 60.0
SLOWEST_PROBE_WHEN_FLAPPING_S: Final = 60.0


class NeedsPerson(Exception):
    """Work cannot go on until somebody changes the settings; ``cause`` is what Plex or Stash said."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class PlexSession:
    """Everything that belongs to one Plex server."""

    identity: ServerIdentity
    index: LibraryIndex
    scene_sync: SceneSync
    proofs: ProofDesk


class PlexConnection:
    """Opens the session and keeps watch over it. Used by the loop's thread alone."""

    def __init__(
        self,
        server: MediaServer,
        breaker: CircuitBreaker,
        build: Callable[[ServerIdentity], PlexSession],
        *,
        health: HealthListener | None = None,
    ) -> None:
        self._health = health or HealthListener()
        self._server = server
        self._breaker = breaker
        self._build = build
        self._session: PlexSession | None = None
        self._probe_at = 0.0
        self._probe_interval_s = FIRST_PROBE_AFTER_S
        self._connected_at: float | None = None
        self._down_since: float | None = None
        self._last_error: Exception | None = None
        self._suspected = False
        self._told_down = False

    @property
    def session(self) -> PlexSession | None:
        """The session of the server that answered last."""
        return self._session

    @property
    def last_error(self) -> Exception | None:
        """What the last failed probe met."""
        return self._last_error

    def down_for_s(self) -> float:
        """Return for how long Plex has not been usable, 0 while it is."""
        return 0.0 if self._down_since is None else time.monotonic() - self._down_since

    def ready(self) -> PlexSession | None:
        """Return the session if work may flow, else probe when it is time to. Raises NeedsPerson."""
        if (
            self._session is not None
            and not self._suspected
            and self._down_since is None
            and self._breaker.state is CircuitState.CLOSED
        ):
            return self._session
        now = time.monotonic()
        if self._down_since is None:
            self._lost(now)
        if now < self._probe_at:
            return None
        return self._probe()

    def next_probe_in_s(self) -> float:
        """Return how long to wait before ``ready`` will ask again."""
        return max(0.0, self._probe_at - time.monotonic())

    def suspect(self, error: Exception) -> None:
        """Hear that a request did not get through: before more work is tried, Plex is asked whether it is there."""
        self._last_error = error
        self._suspected = True

    def _lost(self, now: float) -> None:
        self._down_since = now
        flapping = self._connected_at is not None and now - self._connected_at < FLAPPING_WITHIN_S
        if not flapping:
            self._probe_interval_s = FIRST_PROBE_AFTER_S
        if self._session is not None and not self._suspected:
            # Plex answers, but not usefully: give it a moment.
            self._probe_at = now + self._probe_interval_s
            self._health.plex_down(str(self._last_error or "several requests in a row failed"))

    def _probe(self) -> PlexSession | None:
        try:
            identity = self._server.identity()
        except (TransientError, PermanentError) as error:  # a proxy in front may refuse for good what Plex would not
            self._failed(error)
            return None
        self._breaker.allow_probe()
        permit = self._breaker.try_acquire()
        if permit is None:
            self._plan_next_probe()
            return None
        try:
            session = self._open(identity)
        except (PlexUnauthorized, LibraryNotFound) as error:
            self._breaker.return_permit(permit)
            raise NeedsPerson(error) from error
        except (TransientError, PermanentError) as error:
            self._breaker.record_failure(permit)
            self._failed(error, counted=True)
            return None
        self._breaker.record_success(permit)
        self._session = session
        self._down_since = None
        self._suspected = self._told_down = False
        self._health.plex_up()
        self._last_error = None
        self._connected_at = time.monotonic()
        return session

    def _open(self, identity: ServerIdentity) -> PlexSession:
        session = self._session
        if session is None or session.identity.machine_identifier != identity.machine_identifier:
            session = self._build(identity)
        session.index.refresh()
        return session

    def _failed(self, error: Exception, *, counted: bool = False) -> None:
        if not counted:
            self._breaker.record_failure()
        if not self._told_down:
            self._told_down = True
            log.warning("plex is not available, jobs wait error=%s message=%s", type(error).__name__, error)
            self._health.plex_down(str(error))
        self._last_error = error
        self._plan_next_probe()

    def _plan_next_probe(self) -> None:
        now = time.monotonic()
        flapping = (
            self._connected_at is not None
            and self._down_since is not None
            and (self._down_since - self._connected_at < FLAPPING_WITHIN_S)
        )
        slowest = SLOWEST_PROBE_WHEN_FLAPPING_S if flapping and self._answers() else SLOWEST_PROBE_S
        self._probe_at = now + self._probe_interval_s
        self._probe_interval_s = min(slowest, self._probe_interval_s * 1.5)

    def _answers(self) -> bool:
        """Say whether the server at least answers: then it is no outage whose end must be noticed at once."""
        return self._breaker.state is CircuitState.HALF_OPEN
