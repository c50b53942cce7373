"""When Plex or Stash could not be used, for how long, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, func, or_, select, update

from scenesync.store.dialect import insert_or_keep
from scenesync.store.tables import outage

if TYPE_CHECKING:
    from scenesync.store.database import Database

KEPT: Final = 1_000
KEPT_FOR_S: Final = 365 * 24 * 3600.0

_COLUMNS: Final = (
    outage.c.service,
    outage.c.cause,
    outage.c.began_at,
    outage.c.ended_at,
    outage.c.jobs_waiting,
    outage.c.jobs_waiting_at_end,
)

# The latest outages, of all services, without the newest few.
LATEST: Final = select(*_COLUMNS).order_by(outage.c.id.desc()).limit(bindparam("most")).offset(bindparam("skip"))

# The outages of a service that had not ended at a time.
OF_SERVICE_SINCE: Final = (
    select(*_COLUMNS)
    .where(outage.c.service == bindparam("whose"))
    .where(or_(outage.c.ended_at.is_(None), outage.c.ended_at >= bindparam("since")))
    .order_by(outage.c.id)
)

# Ends the outage of a service that is still open.
END: Final = (
    update(outage)
    .where(outage.c.service == bindparam("whose"), outage.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"), jobs_waiting_at_end=bindparam("waiting"))
)

# All that are over and either too old or not among the last KEPT.
FORGET_OLD: Final = delete(outage).where(
    outage.c.ended_at.is_not(None),
    or_(
        outage.c.ended_at < bindparam("too_old"),
        outage.c.id <= select(func.max(outage.c.id)).scalar_subquery() - KEPT,
    ),
)


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage; times in epoch seconds, ``ended_at`` None while it lasts.

    ``jobs_waiting`` as it began and as it ended (None while it lasts, or if nobody counted them).
    """

    service: str
    cause: str
    began_at: float
    ended_at: float | None
    jobs_waiting: int
    jobs_waiting_at_end: int | None = None

    @property
    def duration_s(self) -> float | None:
        """How long it lasted, None while it does."""
        return None if self.ended_at is None else max(0.0, self.ended_at - self.began_at)


class OutageStore:
    """The history of outages, the last KEPT of a year. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, service: str, cause: str, *, at: float, jobs_waiting: int) -> None:
        """Note that an outage began; one that is open already stays as it is."""
        row = {"service": service, "cause": cause, "began_at": at, "ended_at": None, "jobs_waiting": jobs_waiting}
        with self._database.transaction(durable=False) as connection:
            connection.execute(insert_or_keep(connection, outage), row)
            connection.execute(FORGET_OLD, {"too_old": at - KEPT_FOR_S})

    def end(self, service: str, *, at: float, jobs_waiting: int | None = None) -> bool:
        """Note that the open outage of a service is over; False if there was none."""
        with self._database.transaction(durable=False) as connection:
            ended = connection.execute(END, {"whose": service, "at": at, "waiting": jobs_waiting})
            return ended.rowcount > 0

    def latest(self, limit: int, skip: int = 0) -> tuple[Outage, ...]:
        """Return the latest outages, newest first, without the ``skip`` newest."""
        with self._database.reading() as connection:
            return tuple(Outage(*row) for row in connection.execute(LATEST, {"most": limit, "skip": skip}))

    def of_service(self, service: str, *, since: float) -> tuple[Outage, ...]:
        """Return the outages of a service that still lasted at ``since`` (epoch seconds) or began later."""
        with self._database.reading() as connection:
            rows = connection.execute(OF_SERVICE_SINCE, {"whose": service, "since": since})
            return tuple(Outage(*row) for row in rows)
