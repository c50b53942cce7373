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
OFF: Final = "off"
PLEX_NOTIFICATIONS: Final = "plex notifications"
"""What the state of Plex's notification websocket is kept under, beside those of the two servers."""

# What is known of one service.
STATE_OF: Final = select(service_state).where(service_state.c.service == bindparam("whose"))


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service as it was last seen: ``reachability`` is up, down, off or unknown, times are epoch seconds.

    ``known_since`` is when it was first asked; the store finds it out by itself.
    """

    reachability: str = UNKNOWN
    since: float | None = None
    message: str = ""
    known_since: float | None = None


class ServiceStateStore:
    """The states by service. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, service: str) -> ServiceState:
        """Return what is known, all unknown for one never seen."""
        with self._database.reading() as connection:
            row = connection.execute(STATE_OF, {"whose": service}).one_or_none()
        if row is None:
            return ServiceState()
        return ServiceState(row.reachability, row.since, row.message, row.known_since)

    def write(self, service: str, state: ServiceState) -> None:
        """Replace what is known, but for since when."""
        row = {
            "service": service,
            "reachability": state.reachability,
            "since": state.since,
            "message": state.message,
            "known_since": state.since,
        }
        with self._database.transaction(durable=False) as connection:
            connection.execute(insert_or_update(connection, service_state, first="known_since"), row)
