"""What all who work on one queue have together: one circuit for each server, and one pace after an outage of Plex."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from scenesync.domain.circuit import LIMITS_WHILE_PROBED
from scenesync.store.circuits import CircuitStore
from scenesync.worker.availability.health import PLEX, log_circuit_change
from scenesync.worker.availability.pacing import Pacing
from scenesync.worker.availability.shared_circuit import SharedCircuit
from scenesync.worker.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from scenesync.domain.ports import Fleet
    from scenesync.store.database import Database
    from scenesync.store.outages import OutageStore


def shared_breaker(database: Database, fleet: Fleet, service: str, *, failure_threshold: int = 5) -> CircuitBreaker:
    """Return the circuit breaker of a service as its state was left, in agreement with everybody else."""
    return CircuitBreaker(
        failure_threshold,
        LIMITS_WHILE_PROBED.recovery_timeout_s,
        keeper=SharedCircuit(CircuitStore(database, service)),
        me=fleet.me,
        lives=fleet.lives,
        on_change=partial(log_circuit_change, service),
    )


def shared_pacing(outages: OutageStore, fleet: Fleet, ramp_s: float) -> Pacing:
    """Return the pace of jobs, still slow if an earlier process or round saw an outage end a moment ago."""
    now = time.time()
    pacing = Pacing(ramp_s, sharers=fleet.size)
    ended = [outage.ended_at for outage in outages.of_service(PLEX, since=now - ramp_s) if outage.ended_at]
    if ended:
        pacing.outage_ended(now - max(ended))
    return pacing
