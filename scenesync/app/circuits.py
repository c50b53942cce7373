"""The circuit breakers of Plex and Stash as people see them: read them, close them by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scenesync.domain import circuit as steps
from scenesync.domain.circuit import LIMITS_WHILE_PROBED, Circuit, CircuitState
from scenesync.store.circuits import CircuitStore
from scenesync.worker.availability.health import SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.store.database import Database


def circuit_now(database: Database, service: str) -> Circuit:
    """Return a service's circuit as it is now. Raises StoreError."""
    return steps.at(CircuitStore(database, service).read(), LIMITS_WHILE_PROBED, time.time())


def read_circuits(database: Database) -> Mapping[str, Mapping[str, object]]:
    """Return both circuits as documents. Raises StoreError."""
    return {service: circuit_document(circuit_now(database, service)) for service in SERVICES}


def close_circuits(database: Database, services: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Close these circuits and forget their failures; return what each was. Raises StoreError."""
    before = {service: circuit_now(database, service) for service in services}
    for service in services:
        CircuitStore(database, service).update(steps.closed)
    return {service: closed_document(kept) for service, kept in before.items()}


def circuit_document(kept: Circuit) -> Mapping[str, object]:
    """Return a circuit for ``--json``."""
    is_open = kept.state is CircuitState.OPEN
    return {
        "state": kept.state.value,
        "failures": kept.failures,
        "opened_at": kept.opened_at if is_open else None,
        "half_open_at": kept.opened_at + LIMITS_WHILE_PROBED.recovery_timeout_s if is_open else None,
        "probe_under_way": bool(kept.probe),
    }


def closed_document(before: Circuit) -> Mapping[str, str]:
    """Return for ``--json`` that a circuit was closed."""
    return {"before": before.state.value, "state": CircuitState.CLOSED.value}
