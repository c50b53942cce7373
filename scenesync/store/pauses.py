"""Which service refuses what only a person can change (a token, a library's name): until then work waits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select

from scenesync.store.dialect import insert_or_update
from scenesync.store.tables import pause

if TYPE_CHECKING:
    from scenesync.store.database import Database

# All pauses, the oldest first.
PAUSES: Final = select(pause.c.service, pause.c.since, pause.c.error, pause.c.message).order_by(pause.c.since)

# Ends the pause of a service.
END: Final = delete(pause).where(pause.c.service == bindparam("whose"))


@dataclass(frozen=True, slots=True)
class Pause:
    """Work waits since ``since`` (epoch seconds), because of an ``error`` class that only a person can cure."""

    service: str
    since: float
    error: str
    message: str


class PauseStore:
    """The pauses by service. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> tuple[Pause, ...]:
        """Return the pauses that last, the oldest first."""
        with self._database.reading() as connection:
            return tuple(Pause(*row) for row in connection.execute(PAUSES))

    def begin(self, new: Pause) -> None:
        """Note that work waits; what waits for the same reason already has waited since then."""
        if any(replace(kept, since=new.since) == new for kept in self.read()):
            return
        with self._database.transaction(durable=False) as connection:
            row = {"service": new.service, "since": new.since, "error": new.error, "message": new.message}
            connection.execute(insert_or_update(connection, pause), row)

    def end(self, service: str) -> bool:
        """Note that the service refuses no longer; False if it did not."""
        if all(kept.service != service for kept in self.read()):  # the usual case, which then writes nothing
            return False
        with self._database.transaction(durable=False) as connection:
            return connection.execute(END, {"whose": service}).rowcount > 0
