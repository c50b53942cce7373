"""Stop asking a server that is down, and notice with one question when it is back.

The specification's surface (``state``, ``can_execute``, ``record_*``, ``reset``) is permissive: it may be asked as
often as one likes. Work that must not stampede takes a *permit* with ``try_acquire`` and hands it back with its result,
so that half-open lets one probe through, and a call that began in an earlier state says nothing about the present one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class CircuitState(Enum):
    """CLOSED: work flows. OPEN: nothing is sent. HALF_OPEN: one probe decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call, valid for the state in which it was given."""

    generation: int


class CircuitBreaker:
    """Opens after ``failure_threshold`` consecutive failures, for ``recovery_timeout`` seconds.

    ``success_threshold`` successes in half-open close it. A probe that never reports back expires after
    ``probe_timeout`` seconds. ``on_change(old, new)`` is called after each change of state, without any lock held.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 60.0,
        success_threshold: int = 1,
        *,
        probe_timeout: float = 120.0,
        on_change: Callable[[CircuitState, CircuitState], None] | None = None,
    ) -> None:
        self.failure_threshold = failure_threshold
        self.recovery_timeout = recovery_timeout
        self.success_threshold = success_threshold
        self._probe_timeout = probe_timeout
        self._on_change = on_change
        self._lock = threading.Lock()
        self._state = CircuitState.CLOSED
        self._failures = 0
        self._successes = 0
        self._opened_at = 0.0
        self._generation = 0
        self._probe_expires_at: float | None = None
        self._untold: deque[tuple[CircuitState, CircuitState]] = deque()

    @property
    def state(self) -> CircuitState:
        """The present state; OPEN becomes HALF_OPEN by itself once the recovery time-out has passed."""
        with self._telling():
            return self._present_state()

    @property
    def failure_count(self) -> int:
        """Consecutive failures counted so far in CLOSED."""
        with self._lock:
            return self._failures

    def can_execute(self) -> bool:
        """Say whether a call is allowed; asking has no effect."""
        return self.state is not CircuitState.OPEN

    def try_acquire(self) -> Permit | None:
        """Take the right to make a call, or None; half-open gives out one at a time."""
        with self._telling():
            state = self._present_state()
            if state is CircuitState.OPEN:
                return None
            if state is CircuitState.HALF_OPEN:
                now = time.time()
                if self._probe_expires_at is not None and now < self._probe_expires_at <= now + self._probe_timeout:
                    return None
                self._probe_expires_at = now + self._probe_timeout
            return Permit(self._generation)

    def return_permit(self, permit: Permit) -> None:
        """Give a permit back unused, so that another call may be the probe."""
        with self._telling():
            if permit.generation == self._generation:
                self._probe_expires_at = None

    def record_success(self, permit: Permit | None = None) -> None:
        """Note that a call worked: in CLOSED the count starts again, in HALF_OPEN the circuit closes."""
        with self._telling():
            state = self._present_state()
            if self._is_stale(permit):
                return
            if state is CircuitState.CLOSED:
                self._failures = 0
            elif state is CircuitState.HALF_OPEN:
                self._successes += 1
                self._probe_expires_at = None
                if self._successes >= self.success_threshold:
                    self._change_to(CircuitState.CLOSED)

    def record_failure(self, permit: Permit | None = None) -> None:
        """Note that a call failed: the last of ``failure_threshold`` opens, one in HALF_OPEN opens again."""
        with self._telling():
            state = self._present_state()
            if self._is_stale(permit):
                return
            if state is CircuitState.HALF_OPEN:
                self._change_to(CircuitState.OPEN)
            elif state is CircuitState.CLOSED:
                self._failures += 1
                if self._failures >= self.failure_threshold:
                    self._change_to(CircuitState.OPEN)

    def allow_probe(self) -> None:
        """Move from OPEN to HALF_OPEN now: the server was heard to answer."""
        with self._telling():
            if self._present_state() is CircuitState.OPEN:
                self._change_to(CircuitState.HALF_OPEN)

    def reset(self) -> None:
        """Close the circuit and forget what was counted."""
        with self._telling():
            self._change_to(CircuitState.CLOSED)

    def _present_state(self) -> CircuitState:
        if self._state is CircuitState.OPEN:
            now = time.time()
            # A clock that was set back must not prolong the outage beyond one time-out from now.
            self._opened_at = min(self._opened_at, now)
            if now - self._opened_at >= self.recovery_timeout:
                self._change_to(CircuitState.HALF_OPEN)
        return self._state

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Hold the lock for the block; changes are told after it, since a listener may be slow."""
        with self._lock:
            yield
        while self._on_change is not None:
            try:
                old, new = self._untold.popleft()
            except IndexError:  # nothing left, or another thread tells it
                return
            self._on_change(old, new)

    def _is_stale(self, permit: Permit | None) -> bool:
        return permit is not None and permit.generation != self._generation

    def _change_to(self, state: CircuitState) -> None:
        old, self._state = self._state, state
        self._generation += 1
        self._failures = self._successes = 0
        self._probe_expires_at = None
        if state is CircuitState.OPEN:
            self._opened_at = time.time()
        if self._on_change is not None and old is not state:
            self._untold.append((old, state))
