"""The latest runs in the journal, found by its index, however much each of them wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, func, select

from scenesync.store.tables import journal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scenesync.store.database import Database

COUNTED_TO: Final = 2_000
"""To count all that a large run wrote would take longer than a page may."""
BEHIND_ALL: Final = 2**63 - 1

_of_run = journal.c.run_id == bindparam("run")
_names = select(func.max(journal.c.run_id).label("run_id")).cte("names", recursive=True)
_next_name = select(func.max(journal.c.run_id)).where(journal.c.run_id < _names.c.run_id).scalar_subquery()
_names = _names.union_all(select(_next_name).where(_names.c.run_id.is_not(None)))
_last_edit = select(func.max(journal.c.id)).where(journal.c.run_id == _names.c.run_id).scalar_subquery()

# Each run with the number of its last edit, if that is below a number; the latest first. One step of the index a run.
LATEST: Final = (
    select(_names.c.run_id, _last_edit)
    .where(_names.c.run_id.is_not(None), _last_edit < bindparam("before"))
    .order_by(_last_edit.desc())
    .limit(bindparam("most"))
)

# When one edit was made, and why.
EDIT: Final = select(journal.c.at, journal.c.cause).where(journal.c.id == bindparam("number"))

# When a run made its first edit.
BEGINNING: Final = select(journal.c.at).where(
    journal.c.id == select(func.min(journal.c.id)).where(_of_run).scalar_subquery()
)

# How many scenes and fields the latest edits of a run concern, of so many at most.
_latest_edits = (
    select(journal.c.scene_id).where(_of_run).order_by(journal.c.id.desc()).limit(bindparam("most")).subquery()
)
COUNTS: Final = select(func.count(_latest_edits.c.scene_id.distinct()), func.count()).select_from(_latest_edits)


@dataclass(frozen=True, slots=True)
class LatestRun:
    """What one run wrote, from its first edit to its last (epoch seconds), numbered ``last_number``.

    ``is_counted`` is False if it wrote more fields than were counted.
    """

    run_id: str
    cause: str
    began_at: float
    ended_at: float
    last_number: int
    scenes: int
    fields: int
    is_counted: bool


def latest_runs(database: Database, *, limit: int, before: int = BEHIND_ALL) -> tuple[LatestRun, ...]:
    """Return the runs whose last edit has a number below ``before``, the latest first. Raises StoreError."""
    with database.reading() as connection:
        found = connection.execute(LATEST, {"before": before, "most": limit}).all()
        return tuple(_run(connection, run_id, last_number) for run_id, last_number in found)


def _run(connection: Connection, run_id: str, last_number: int) -> LatestRun:
    ended_at, cause = connection.execute(EDIT, {"number": last_number}).one()
    began_at = connection.execute(BEGINNING, {"run": run_id}).scalar_one()
    scenes, fields = connection.execute(COUNTS, {"run": run_id, "most": COUNTED_TO + 1}).one()
    is_counted = fields <= COUNTED_TO
    return LatestRun(run_id, cause, began_at, ended_at, last_number, scenes, min(fields, COUNTED_TO), is_counted)
