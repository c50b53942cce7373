"""A circuit breaker's state as one value, and every step it can take. Pure: whoever keeps it makes the steps atomic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


class CircuitState(Enum):
    """CLOSED: work flows. OPEN: nothing is sent. HALF_OPEN: one probe decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class CircuitLimits:
    """When a circuit opens, for how long at most, and when a probe that never reported back is given up."""

    failure_threshold: int = 5
    recovery_timeout_s: float = 60.0
    success_threshold: int = 1
    probe_timeout_s: float = 120.0


LIMITS_WHILE_PROBED: Final = CircuitLimits(recovery_timeout_s=7 * 24 * 3600.0)
"""For a server that is asked all the time whether it is back: its answer makes the circuit half-open, not the clock.

So the state is written when something happens and not once a minute, and ``opened_at`` stays what it says.
"""


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known; times in epoch seconds.

    ``generation`` counts the changes of state: a call that began in an earlier one says nothing about the present one.
    ``probe`` names the one call that half-open lets through, and whose it is. ``revision`` counts the writes of whoever
    keeps it.
    """

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    successes: int = 0
    opened_at: float = 0.0
    generation: int = 0
    probe: str = ""
    probe_expires_at: float = 0.0
    revision: int = 0


def at(circuit: Circuit, limits: CircuitLimits, now: float) -> Circuit:
    """Return the circuit at ``now``: OPEN becomes HALF_OPEN once the recovery time-out has passed."""
    if circuit.state is not CircuitState.OPEN:
        return circuit
    # A clock that was set back must not prolong the outage beyond one time-out from now.
    opened_at = min(circuit.opened_at, now)
    if now - opened_at >= limits.recovery_timeout_s:
        return _moved(circuit, CircuitState.HALF_OPEN)
    return circuit if opened_at == circuit.opened_at else replace(circuit, opened_at=opened_at)


def failed(circuit: Circuit, limits: CircuitLimits, now: float) -> Circuit:
    """Return what follows from a failed call: the last of ``failure_threshold`` opens, one in HALF_OPEN opens again."""
    if circuit.state is CircuitState.HALF_OPEN:
        return _opened(circuit, now)
    if circuit.state is CircuitState.CLOSED:
        if circuit.failures + 1 >= limits.failure_threshold:
            return _opened(circuit, now)
        return replace(circuit, failures=circuit.failures + 1)
    return circuit


def succeeded(circuit: Circuit, limits: CircuitLimits) -> Circuit:
    """Return what follows from a call that worked: CLOSED counts anew, HALF_OPEN closes after enough of them."""
    if circuit.state is CircuitState.HALF_OPEN:
        if circuit.successes + 1 >= limits.success_threshold:
            return _moved(circuit, CircuitState.CLOSED)
        return replace(circuit, successes=circuit.successes + 1, probe="", probe_expires_at=0.0)
    if circuit.state is CircuitState.CLOSED:
        return replace(circuit, failures=0)
    return circuit


def named_probe(owner: str, call: str) -> str:
    """Return what names a call that is to be the probe, and whose it is."""
    return f"{owner}/{call}"


def owner_of(probe: str) -> str:
    """Return whose probe that is."""
    return probe.rpartition("/")[0]


def with_probe(circuit: Circuit, limits: CircuitLimits, now: float, probe: str, *, lost: str = "") -> Circuit:
    """Return HALF_OPEN with ``probe`` as the one call that is let through, unless there is one already.

    The probe ``lost`` is none: whose it was is known to be dead.
    """
    if circuit.state is not CircuitState.HALF_OPEN:
        return circuit
    if circuit.probe and circuit.probe == lost:
        circuit = without_probe(circuit)
    # The second bound: a clock that was set back must not keep a lost probe alive for long. Clocks of several machines
    # may differ, so it is twice what a probe is given.
    if circuit.probe and now < circuit.probe_expires_at <= now + 2 * limits.probe_timeout_s:
        return circuit
    return replace(circuit, probe=probe, probe_expires_at=now + limits.probe_timeout_s)


def without_probe(circuit: Circuit, probe: str | None = None) -> Circuit:
    """Return the circuit free for another probe, if ``probe`` (None: whichever) is the one it waits for."""
    if probe is not None and circuit.probe != probe:
        return circuit
    return replace(circuit, probe="", probe_expires_at=0.0)


def heard(circuit: Circuit) -> Circuit:
    """Return what follows from a sign of life: OPEN becomes HALF_OPEN at once."""
    return _moved(circuit, CircuitState.HALF_OPEN) if circuit.state is CircuitState.OPEN else circuit


def closed(circuit: Circuit) -> Circuit:
    """Return the circuit closed, with nothing counted and calls in flight forgotten."""
    return _moved(circuit, CircuitState.CLOSED)


def _opened(circuit: Circuit, now: float) -> Circuit:
    return replace(_moved(circuit, CircuitState.OPEN), opened_at=now)


def _moved(circuit: Circuit, state: CircuitState) -> Circuit:
    return replace(
        circuit,
        state=state,
        failures=0,
        successes=0,
        generation=circuit.generation + 1,
        probe="",
        probe_expires_at=0.0,
    )
