"""When Plex or Stash could not be used, for how long, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select, update

from scenesync.store.dialect import insert_or_keep
from scenesync.store.tables import outage

if TYPE_CHECKING:
    from scenesync.store.database import Database

# The latest outages, of all services.
LATEST: Final = (
    select(outage.c.service, outage.c.cause, outage.c.began_at, outage.c.ended_at, outage.c.jobs_waiting)
    .order_by(outage.c.id.desc())
    .limit(bindparam("most"))
)

# Ends the outage of a service that is still open.
END: Final = (
    update(outage)
    .where(outage.c.service == bindparam("whose"), outage.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage; times in epoch seconds, ``ended_at`` None while it lasts, ``jobs_waiting`` as it began."""

    service: str
    cause: str
    began_at: float
    ended_at: float | None
    jobs_waiting: int

    @property
    def duration_s(self) -> float | None:
        """How long it lasted, None while it does."""
        return None if self.ended_at is None else max(0.0, self.ended_at - self.began_at)


class OutageStore:
    """The history of outages. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, service: str, cause: str, *, at: float, jobs_waiting: int) -> None:
        """Note that an outage began; one that is open already stays as it is."""
        row = {"service": service, "cause": cause, "began_at": at, "ended_at": None, "jobs_waiting": jobs_waiting}
        with self._database.transaction(durable=False) as connection:
            connection.execute(insert_or_keep(connection, outage), row)

    def end(self, service: str, *, at: float) -> bool:
        """Note that the open outage of a service is over; False if there was none."""
        with self._database.transaction(durable=False) as connection:
            return connection.execute(END, {"whose": service, "at": at}).rowcount > 0

    def latest(self, limit: int) -> tuple[Outage, ...]:
        """Return the latest outages, newest first."""
        with self._database.reading() as connection:
            return tuple(Outage(*row) for row in connection.execute(LATEST, {"most": limit}))
