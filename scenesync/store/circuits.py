"""The circuit breakers' states, shared by every process that opens the store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from scenesync.domain.circuit import Circuit, CircuitState
from scenesync.store.dialect import insert_or_keep, insert_or_update
from scenesync.store.tables import circuit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.store.database import Database

# The circuit of a service.
CIRCUIT_OF: Final = select(
    circuit.c.state,
    circuit.c.failures,
    circuit.c.successes,
    circuit.c.opened_at,
    circuit.c.generation,
    circuit.c.probe,
    circuit.c.probe_expires_at,
    circuit.c.revision,
).where(circuit.c.service == bindparam("whose"))

# The same, for whoever decides on it: until the end of the transaction nobody else may.
CIRCUIT_TO_CHANGE: Final = CIRCUIT_OF.with_for_update()


class CircuitStore:
    """The circuit of one service. Every method may raise StoreError."""

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self.service = service

    def read(self) -> Circuit:
        """Return the state, a closed circuit for a service never seen."""
        rows = self._database.look_up(CIRCUIT_OF, {"whose": self.service})
        return _from_row(rows[0]) if rows else Circuit()

    def update(self, change: Callable[[Circuit], Circuit]) -> Circuit:
        """Replace the state by ``change(state)`` and return it: read, decided and written in one transaction.

        What a power cut takes back is found out again, so nobody waits for the disk.
        """
        with self._database.transaction(durable=False) as connection:
            whose = {"whose": self.service}
            row = connection.execute(CIRCUIT_TO_CHANGE, whose).one_or_none()
            if row is None:
                connection.execute(insert_or_keep(connection, circuit), self._row(Circuit()))
                row = connection.execute(CIRCUIT_TO_CHANGE, whose).one()
            stored = _from_row(row)
            new = change(stored)
            if new == stored:
                return stored
            kept = replace(new, revision=max(stored.revision, new.revision) + 1)
            connection.execute(insert_or_update(connection, circuit), self._row(kept))
        return kept

    def _row(self, kept: Circuit) -> Mapping[str, object]:
        return {
            "service": self.service,
            "state": kept.state.value,
            "failures": kept.failures,
            "successes": kept.successes,
            "opened_at": kept.opened_at,
            "generation": kept.generation,
            "probe": kept.probe,
            "probe_expires_at": kept.probe_expires_at,
            "revision": kept.revision,
        }


def _from_row(row: Sequence[Any]) -> Circuit:
    state, *rest = row
    return Circuit(CircuitState(state), *rest)
