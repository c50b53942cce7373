"""Know whether Plex may be given work, and notice within a second or two when that changes.

No job is spent on finding out: while the circuit is open ``/identity`` is asked (no token, cheap), an answer makes it
half-open, and one authenticated look at the libraries closes it. The same look builds the session: what is known about
a server hangs on its ``machineIdentifier``, so another server behind the same address is never taken for the old one.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import LibraryNotFound, NeedsPerson, PermanentError, TransientError
from scenesync.plex.exceptions import PlexServerDown, PlexUnauthorized
from scenesync.worker.availability.health import HealthListener
from scenesync.worker.circuit_breaker import CircuitState

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.domain.item import ServerIdentity
    from scenesync.domain.ports import MediaServer
    from scenesync.worker.circuit_breaker import CircuitBreaker, Permit
    from scenesync.worker.collections.upkeep import CollectionUpkeep
    from scenesync.worker.departures import Departures
    from scenesync.worker.finding.library_index import LibraryIndex
    from scenesync.worker.proof import ProofDesk
    from scenesync.worker.scene_sync import SceneSync
    from scenesync.worker.undo.undoing import Undoing

log = logging.getLogger(__name__)

FIRST_PROBE_AFTER_S: Final = 0.5
SLOWEST_PROBE_S: Final = 1.0
"""The first edit is to come within two seconds of Plex answering, and the index is looked at before it."""


@dataclass(frozen=True, slots=True)
class PlexSession:
    """Everything that belongs to one Plex server."""

    identity: ServerIdentity
    index: LibraryIndex
    scene_sync: SceneSync
    proofs: ProofDesk
    departures: Departures
    undoing: Undoing
    collections: CollectionUpkeep


class PlexConnection:
    """Opens the session and keeps watch over it.

    ``ready`` is for the loop's thread alone; everything else may be called from any thread. ``on_recovery`` is called
    when an outage is over, before the first work flows.
    """

    def __init__(
        self,
        server: MediaServer,
        breaker: CircuitBreaker,
        build: Callable[[ServerIdentity], PlexSession],
        *,
        health: HealthListener | None = None,
        on_recovery: Callable[[], None] | None = None,
    ) -> None:
        self._health = health or HealthListener()
        self._server = server
        self._breaker = breaker
        self._build = build
        self._on_recovery = on_recovery
        self._lock = threading.Lock()
        self._session: PlexSession | None = None
        self._last_error: Exception | None = None
        self._down_since: float | None = None
        self._is_outage = False
        """Whether the present time without Plex is one: a single call that failed is not yet."""
        self._is_told = False
        self._is_refused = False
        """Whether Plex answers and takes a person to go on, which is none whatever the circuit says."""
        self._answered_in_vain = False
        self._suspicions = 0
        self._suspicions_cleared = 0
        self._circuit_seen = CircuitState.CLOSED
        self._probe_at = 0.0
        self._probe_interval_s = FIRST_PROBE_AFTER_S

    @property
    def session(self) -> PlexSession | None:
        """The session of the server that answered last."""
        with self._lock:
            return self._session

    def require_session(self) -> PlexSession:
        """Return the session of the server that answered last. Raises PlexServerDown if none ever did."""
        session = self.session
        if session is None:
            raise PlexServerDown("No Plex server has answered yet.")
        return session

    @property
    def last_error(self) -> Exception | None:
        """What the last failed probe met."""
        with self._lock:
            return self._last_error

    def down_for_s(self) -> float:
        """Return for how long Plex has not been usable, 0 while it is."""
        with self._lock:
            return 0.0 if self._down_since is None else time.monotonic() - self._down_since

    def next_probe_in_s(self) -> float | None:
        """Return how long to wait before ``ready`` will ask again, None while Plex is usable."""
        with self._lock:
            return None if self._down_since is None else max(0.0, self._probe_at - time.monotonic())

    def suspect(self, error: Exception) -> None:
        """Hear that a request did not get through: before more work is tried, Plex is asked whether it is there."""
        with self._lock:
            self._last_error = error
            self._suspicions += 1

    def ready(self) -> PlexSession | None:
        """Return the session if work may flow, else probe when it is time to. Raises NeedsPerson."""
        circuit = self._breaker.state
        now = time.monotonic()
        with self._lock:
            suspected = self._suspicions != self._suspicions_cleared
            closed_by_others = circuit is CircuitState.CLOSED and self._circuit_seen is not CircuitState.CLOSED
            self._circuit_seen = circuit
            if self._down_since is None:
                if self._session is not None and not suspected and circuit is CircuitState.CLOSED:
                    return self._session
                self._lose(now, suspected=suspected)
            if closed_by_others:  # by a person, who does not want to wait for the next probe
                self._probe_at = now
            too_early = now < self._probe_at
        self._notice(circuit)
        if too_early:
            return None
        session = self._probe()
        circuit = self._breaker.state
        with self._lock:
            self._circuit_seen = circuit
        return session

    def _lose(self, now: float, *, suspected: bool) -> None:
        """Begin a time without Plex, which may turn out to be no outage."""
        self._down_since = now
        self._probe_interval_s = FIRST_PROBE_AFTER_S
        self._is_outage = self._is_told = self._is_refused = False
        if self._session is not None and not suspected:
            # Plex answers, but not usefully: give it a moment.
            self._probe_at = now + self._probe_interval_s

    def _notice(self, circuit: CircuitState) -> None:
        """Tell of the outage that an open circuit means, also one that is over before the first probe fails."""
        with self._lock:
            if circuit is CircuitState.CLOSED or self._is_told or self._is_refused:
                return
            self._is_outage = True
            if self._session is None:  # at the very beginning: an earlier process has noted it
                return
            self._is_told = True
            cause = str(self._last_error or "several requests in a row failed")
        log.warning("plex is not usable, jobs wait message=%s", cause)
        self._health.plex_down(cause)

    def _probe(self) -> PlexSession | None:
        with self._lock:
            suspicions = self._suspicions
        try:
            identity = self._server.identity()
        except (TransientError, PermanentError) as error:  # a proxy in front may refuse for good what Plex would not
            self._answered_in_vain = False
            self._breaker.record_failure()
            self._failed(error)
            return None
        self._notice(self._breaker.state)
        # Where it answered the last time too, and then was of no use, the circuit moves only once it is of use: its
        # state is on the disk, and nothing is written while nothing changes.
        looks_first = self._answered_in_vain and self._breaker.state is CircuitState.OPEN
        permit = None if looks_first else self._permit()
        if permit is None and not looks_first:
            self._plan_next_probe()
            return None
        try:
            session = self._open(identity)
        except (PlexUnauthorized, LibraryNotFound) as error:
            self._give_back(permit)
            self._end_outage()
            raise NeedsPerson(error) from error
        except (TransientError, PermanentError) as error:
            self._answered_in_vain = True
            self._breaker.record_failure(permit)
            self._failed(error)
            return None
        except BaseException:  # nobody else could be the probe until this one is given up
            self._give_back(permit)
            raise
        permit = permit or self._permit()
        if permit is None:
            self._plan_next_probe()
            return None
        self._answered_in_vain = False
        self._breaker.record_success(permit)
        self._connected(session, suspicions)
        return session

    def _permit(self) -> Permit | None:
        """Take the right to be the probe, None if somebody else has it."""
        self._breaker.allow_probe()
        return self._breaker.try_acquire()

    def _give_back(self, permit: Permit | None) -> None:
        if permit is not None:
            self._breaker.return_permit(permit)

    def _open(self, identity: ServerIdentity) -> PlexSession:
        session = self.session
        if session is None or session.identity.machine_identifier != identity.machine_identifier:
            session = self._build(identity)
        session.index.refresh()
        return session

    def _connected(self, session: PlexSession, suspicions: int) -> None:
        with self._lock:
            was_outage = self._is_outage
            down_s = 0.0 if self._down_since is None else time.monotonic() - self._down_since
            self._session = session
            self._down_since = None
            self._is_outage = False
            self._suspicions_cleared = suspicions  # those that came up during the probe stand
            self._last_error = None
        if was_outage:
            log.info("plex is available again after_s=%.1f", down_s)
            if self._on_recovery is not None:
                self._on_recovery()
        self._health.plex_up()

    def _failed(self, error: Exception) -> None:
        with self._lock:
            news = not self._is_told
            self._is_outage = self._is_told = True
            self._is_refused = False
            self._last_error = error
        if news:
            log.warning("plex is not available, jobs wait error=%s message=%s", type(error).__name__, error)
            self._health.plex_down(str(error))
        self._plan_next_probe()

    def _end_outage(self) -> None:
        """Note that Plex answers, although it takes a person to go on."""
        with self._lock:
            was_outage = self._is_outage
            self._is_outage = self._is_told = False
            self._is_refused = True
        if was_outage:
            self._health.plex_answers()

    def _plan_next_probe(self) -> None:
        with self._lock:
            self._probe_at = time.monotonic() + self._probe_interval_s
            self._probe_interval_s = min(SLOWEST_PROBE_S, self._probe_interval_s * 1.5)
