"""Stop asking a server that is down, and notice with one question when it is back.

The specification's surface (``state``, ``can_execute``, ``record_*``, ``reset``) is permissive: it may be asked as
often as one likes. Work that must not stampede takes a *permit* with ``try_acquire`` and hands it back with its result,
so that half-open lets one probe through, and a call that began in an earlier state says nothing about the present one.

What follows from what is ``domain.circuit``; who shares the state is decided by the keeper: this breaker alone, or with
``shared_circuit`` every process of an installation.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from scenesync.domain import circuit as steps
from scenesync.domain.circuit import Circuit, CircuitLimits, CircuitState

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CircuitBreaker", "CircuitInMemory", "CircuitKeeper", "CircuitState", "Permit"]


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call, valid for the state in which it was given; ``probe`` names the one of half-open."""

    generation: int
    probe: str = ""


class CircuitKeeper(Protocol):
    """Where a circuit's state is kept. Neither method fails: what cannot be kept is at least remembered."""

    def read(self) -> Circuit:
        """Return the state, which may be some tenths of a second old; asked before every call, so it must be cheap."""
        ...

    def update(self, change: Callable[[Circuit], Circuit]) -> Circuit:
        """Replace the state by ``change(state)`` in one step for all who share it, and return it."""
        ...


class CircuitInMemory:
    """Keeps the state of one breaker, for as long as it lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._circuit = Circuit()

    def read(self) -> Circuit:
        """Return the state."""
        with self._lock:
            return self._circuit

    def update(self, change: Callable[[Circuit], Circuit]) -> Circuit:
        """Replace the state."""
        with self._lock:
            new = change(self._circuit)
            if new != self._circuit:
                self._circuit = replace(new, revision=self._circuit.revision + 1)
            return self._circuit


class CircuitBreaker:
    """Opens after ``failure_threshold`` consecutive failures, for ``recovery_timeout`` seconds.

    ``success_threshold`` successes in half-open close it. A probe that never reports back expires after
    ``probe_timeout`` seconds. ``on_change(old, new)`` is called after each change of state that is seen here, also one
    that another process made, without any lock held. Thread-safe. A probe is ``me()``'s; somebody else may be the probe
    as soon as whose it was no longer ``lives``, both in the words of who shares the circuit.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 60.0,
        success_threshold: int = 1,
        *,
        probe_timeout: float = 120.0,
        keeper: CircuitKeeper | None = None,
        me: Callable[[], str] = lambda: "",
        lives: Callable[[str], bool] = lambda _: True,
        on_change: Callable[[CircuitState, CircuitState], None] | None = None,
    ) -> None:
        self.failure_threshold = failure_threshold
        self.recovery_timeout = recovery_timeout
        self.success_threshold = success_threshold
        self._probe_timeout = probe_timeout
        self._keeper = keeper or CircuitInMemory()
        self._me = me
        self._lives = lives
        self._on_change = on_change
        self._telling = threading.Lock()
        self._seen = self._keeper.read()
        self._untold: deque[tuple[CircuitState, CircuitState]] = deque()

    @property
    def state(self) -> CircuitState:
        """The present state; OPEN becomes HALF_OPEN by itself once the recovery time-out has passed."""
        return self._present().state

    @property
    def failure_count(self) -> int:
        """Consecutive failures counted so far in CLOSED."""
        return self._present().failures

    def can_execute(self) -> bool:
        """Say whether a call is allowed; asking has no effect."""
        return self.state is not CircuitState.OPEN

    def try_acquire(self) -> Permit | None:
        """Take the right to make a call, or None; half-open gives out one at a time."""
        circuit = self._present()
        if circuit.state is CircuitState.HALF_OPEN:
            probe = steps.named_probe(self._me(), uuid.uuid4().hex)
            # Asked before: nobody is kept waiting for the state meanwhile.
            lost = circuit.probe if circuit.probe and not self._lives(steps.owner_of(circuit.probe)) else ""
            circuit = self._change(lambda now, kept: steps.with_probe(kept, self._limits, now, probe, lost=lost))
            if circuit.state is CircuitState.HALF_OPEN:
                return Permit(circuit.generation, probe) if circuit.probe == probe else None
        return Permit(circuit.generation) if circuit.state is CircuitState.CLOSED else None

    def permit_if_closed(self) -> Permit | None:
        """Take the right to make a call in CLOSED; None in any other state: half-open's one probe is not for this."""
        circuit = self._present()
        return Permit(circuit.generation) if circuit.state is CircuitState.CLOSED else None

    def return_permit(self, permit: Permit) -> None:
        """Give a permit back unused, so that another call may be the probe."""
        if permit.probe:
            self._change(lambda _, kept: steps.without_probe(kept, permit.probe), permit)

    def record_success(self, permit: Permit | None = None) -> None:
        """Note that a call worked: in CLOSED the count starts again, in HALF_OPEN the circuit closes."""
        self._change(lambda _, kept: steps.succeeded(kept, self._limits), permit)

    def record_failure(self, permit: Permit | None = None) -> None:
        """Note that a call failed: the last of ``failure_threshold`` opens, one in HALF_OPEN opens again."""
        self._change(lambda now, kept: steps.failed(kept, self._limits, now), permit)

    def allow_probe(self) -> None:
        """Move from OPEN to HALF_OPEN now: the server was heard to answer."""
        self._change(lambda _, kept: steps.heard(kept))

    def reset(self) -> None:
        """Close the circuit and forget what was counted."""
        self._change(lambda _, kept: steps.closed(kept))

    @property
    def _limits(self) -> CircuitLimits:
        return CircuitLimits(self.failure_threshold, self.recovery_timeout, self.success_threshold, self._probe_timeout)

    def _present(self) -> Circuit:
        circuit = self._keeper.read()
        if circuit.state is CircuitState.OPEN:
            limits = self._limits
            if steps.at(circuit, limits, time.time()) != circuit:
                circuit = self._keeper.update(lambda kept: steps.at(kept, limits, time.time()))
        self._tell(circuit)
        return circuit

    def _change(self, step: Callable[[float, Circuit], Circuit], permit: Permit | None = None) -> Circuit:
        """Take a step, unless it would change nothing or the permit is of an earlier state."""

        def change(kept: Circuit) -> Circuit:
            # Not before: whoever had to wait for the state would find what others did meanwhile in the future.
            now = time.time()
            present = steps.at(kept, self._limits, now)
            if permit is not None and permit.generation != present.generation:
                return present
            return step(now, present)

        circuit = self._present()
        # Asked first: nearly always a success in CLOSED has nothing to change, and then costs no write.
        if change(circuit) != circuit:
            circuit = self._keeper.update(change)
            self._tell(circuit)
        return circuit

    def _tell(self, circuit: Circuit) -> None:
        """Tell the listener if the state is another than the one seen last; after it, since a listener may be slow."""
        if circuit is self._seen:
            return
        with self._telling:
            if circuit.revision < self._seen.revision:  # another thread has seen a later one
                return
            before, self._seen = self._seen.state, circuit
            if self._on_change is not None and before is not circuit.state:
                self._untold.append((before, circuit.state))
        while self._on_change is not None:
            try:
                old, new = self._untold.popleft()
            except IndexError:  # nothing left, or another thread tells it
                return
            self._on_change(old, new)
