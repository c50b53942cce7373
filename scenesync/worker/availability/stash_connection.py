"""Know whether Stash may be asked for scenes, and notice soon when that changes, without claiming a job for it."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import StashRefused, StashUnauthorized, StashUnavailable
from scenesync.worker.availability.health import HealthListener
from scenesync.worker.circuit_breaker import CircuitBreaker
from scenesync.worker.circuit_breaker import CircuitState as State

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

FIRST_PROBE_AFTER_S: Final = 0.5
SLOWEST_PROBE_S: Final = 1.0
SLOWEST_WHEN_IN_VAIN_S: Final = 30.0
"""When it answers the probe but then not the real question, time after time."""
RETRY_WITHOUT_PROBE_S: Final = 1.0
TRIAL_S: Final = 5.0
"""After the probe the next real question decides; when none comes up in this time, the probe did."""


def stash_breaker_without_probe() -> CircuitBreaker:
    """Return the breaker for a Stash that is asked for nothing but scenes: it is tried again after a second."""
    return CircuitBreaker(failure_threshold=1, recovery_timeout=RETRY_WITHOUT_PROBE_S)


class StashConnection:
    """Hears how Stash's answers end. While its circuit is open, ``probe`` asks it something small, again and again.

    ``probe`` raises what ``SceneSource`` raises; without one the circuit closes by time and the next real question.
    Thread-safe, but ``ready`` is for the loop's thread alone.
    """

    def __init__(
        self,
        breaker: CircuitBreaker | None = None,
        probe: Callable[[], object] | None = None,
        *,
        health: HealthListener | None = None,
    ) -> None:
        self._breaker = breaker or stash_breaker_without_probe()
        self._probe = probe
        self._health = health or HealthListener()
        self._lock = threading.Lock()
        self._seen = False
        self._doubted = False
        self._down_since: float | None = None
        self._up_since = 0.0
        self._last_error: StashUnavailable | None = None
        self._probe_at = 0.0
        self._interval_s = FIRST_PROBE_AFTER_S
        self._on_trial = False
        self._trial_began_at = 0.0

    @property
    def last_error(self) -> StashUnavailable | None:
        """What the last failure was."""
        with self._lock:
            return self._last_error

    def down_for_s(self) -> float:
        """Return for how long Stash has not been usable, 0 while it is."""
        with self._lock:
            return 0.0 if self._down_since is None else time.monotonic() - self._down_since

    def next_probe_in_s(self) -> float | None:
        """Return how long to wait before ``ready`` may say something else; None while Stash may be asked."""
        if self._breaker.state is State.CLOSED:
            return None
        if self._probe is None:
            return RETRY_WITHOUT_PROBE_S / 4
        with self._lock:
            return max(0.0, self._probe_at - time.monotonic())

    def ready(self) -> bool:
        """Say whether Stash may be asked for scenes; probes it if it is time to. Raises StashUnauthorized."""
        if self._probe is None:
            return self._breaker.can_execute()
        if self._breaker.state is State.CLOSED:
            if self._doubted:
                return self._ask_again(self._probe)
            self._end_trial_in_time()
            return True
        with self._lock:
            if time.monotonic() < self._probe_at:
                return False
        try:
            self._probe()
        except StashUnavailable as error:
            self._probe_failed(error)
            return False
        except StashUnauthorized:
            raise
        except StashRefused as error:
            log.debug("stash answers the probe with an error: %s", error)
        return self._heard()

    def doubt(self) -> None:
        """Hear that Stash refused, now or in an earlier run: it is probed before it is asked for scenes."""
        self._doubted = True

    def _ask_again(self, probe: Callable[[], object]) -> bool:
        try:
            probe()
        except StashUnavailable as error:
            self.failed(error)
            return False
        except StashUnauthorized:
            raise
        except StashRefused as error:
            log.debug("stash answers the probe with an error: %s", error)
        self.answered()
        return True

    def failed(self, error: StashUnavailable, *, began_at: float | None = None) -> None:
        """Hear that Stash could not be used by a call that began at ``began_at`` (monotonic; None: just now)."""
        with self._lock:
            if began_at is not None and began_at < self._up_since:
                return  # it belongs to the outage that is over
        self._breaker.record_failure()
        with self._lock:
            self._last_error = error
            if self._on_trial:  # once for a batch of jobs that met the same error
                self._on_trial = False
                self._interval_s = min(SLOWEST_WHEN_IN_VAIN_S, self._interval_s * 2)
                self._probe_at = time.monotonic() + self._interval_s
            first = self._down_since is None
            if first:
                self._down_since = time.monotonic()
        if first:
            log.warning("stash is not available, jobs wait message=%s", error)
            self._health.stash_down(str(error))

    def answered(self) -> None:
        """Hear that Stash did what it was asked."""
        self._breaker.record_success()
        with self._lock:
            news = self._down_since is not None or not self._seen or self._doubted
            self._seen = True
            self._doubted = False
            if self._down_since is not None:
                self._up_since = time.monotonic()
            self._down_since = None
            self._on_trial = False
            self._interval_s = FIRST_PROBE_AFTER_S
        if news:
            log.info("stash answers")
            self._health.stash_up()

    def _heard(self) -> bool:
        self._breaker.allow_probe()
        permit = self._breaker.try_acquire()
        if permit is None:  # another process is at it
            self._plan_next_probe()
            return False
        self._breaker.record_success(permit)
        with self._lock:
            self._on_trial = True
            self._trial_began_at = time.monotonic()
        return self._breaker.state is State.CLOSED

    def _end_trial_in_time(self) -> None:
        with self._lock:
            passed = self._on_trial and time.monotonic() - self._trial_began_at >= TRIAL_S
        if passed:
            self.answered()

    def _probe_failed(self, error: StashUnavailable) -> None:
        self._breaker.record_failure()
        with self._lock:
            self._last_error = error
            first = self._down_since is None  # the circuit was open when this process began
            if first:
                self._down_since = time.monotonic()
        self._plan_next_probe()
        if first:
            log.warning("stash is not available, jobs wait message=%s", error)
            self._health.stash_down(str(error))

    def _plan_next_probe(self) -> None:
        with self._lock:
            self._probe_at = time.monotonic() + self._interval_s
            if self._interval_s < SLOWEST_PROBE_S:
                self._interval_s = min(SLOWEST_PROBE_S, self._interval_s * 1.5)
