"""Whether Plex and Stash could be reached when they were last asked, for commands that ask no server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select

from scenesync.store.dialect import insert_or_update
from scenesync.store.tables import service_state

if TYPE_CHECKING:
    from scenesync.store.database import Database

UNKNOWN: Final = "unknown"

# What is known of one service.
STATE_OF: Final = select(service_state).where(service_state.c.service == bindparam("whose"))


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service as it was last seen: ``reachability`` is up, down or unknown, ``since`` epoch seconds."""

    reachability: str = UNKNOWN
    since: float | None = None
    message: str = ""


class ServiceStateStore:
    """The states by service. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, service: str) -> ServiceState:
        """Return what is known, all unknown for one never seen."""
        with self._database.reading() as connection:
            row = connection.execute(STATE_OF, {"whose": service}).one_or_none()
        return ServiceState() if row is None else ServiceState(row.reachability, row.since, row.message)

    def write(self, service: str, state: ServiceState) -> None:
        """Replace what is known."""
        row = {"service": service, "reachability": state.reachability, "since": state.since, "message": state.message}
        with self._database.transaction(durable=False) as connection:
            connection.execute(insert_or_update(connection, service_state), row)
