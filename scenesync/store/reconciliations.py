"""How far comparisons of both libraries have come, and what they found; on the disk before a write returns.

What a killed process was in the middle of is gone on with from here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from scenesync.store.tables import reconciliation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scenesync.store.database import Database

KEPT: Final = 50

_COLUMNS: Final = (
    reconciliation.c.id,
    reconciliation.c.scope,
    reconciliation.c.cause,
    reconciliation.c.began_at,
    reconciliation.c.ended_at,
    reconciliation.c.poll_cursor,
    reconciliation.c.last_scene_id,
    reconciliation.c.found,
)

# All that are kept, on whatever server, the latest first: few enough to be read without a limit.
KEPT_RUNS: Final = select(*_COLUMNS).order_by(reconciliation.c.id.desc())

# When the latest of some scopes that came to its end began, for each server.
LAST_BEGAN: Final = (
    select(reconciliation.c.server_id, func.max(reconciliation.c.began_at))
    .where(reconciliation.c.ended_at.is_not(None), reconciliation.c.scope.in_(bindparam("scopes", expanding=True)))
    .group_by(reconciliation.c.server_id)
)

# One that was begun and never ended.
UNFINISHED: Final = KEPT_RUNS.where(
    reconciliation.c.server_id == bindparam("server"),
    reconciliation.c.scope == bindparam("which"),
    reconciliation.c.cause == bindparam("because_of"),
    reconciliation.c.ended_at.is_(None),
    reconciliation.c.began_at >= bindparam("since"),
)

# Notes what was found up to a scene.
ADVANCE: Final = (
    update(reconciliation)
    .where(reconciliation.c.id == bindparam("run"))
    .values(last_scene_id=bindparam("up_to"), found=bindparam("so_far"))
)

# Notes the end.
END: Final = (
    update(reconciliation)
    .where(reconciliation.c.id == bindparam("run"))
    .values(ended_at=bindparam("at"), found=bindparam("so_far"))
)

# Drops those that never came to their end.
FORGET_UNFINISHED: Final = delete(reconciliation).where(reconciliation.c.ended_at.is_(None))

# Drops those of long ago.
FORGET_OLD: Final = delete(reconciliation).where(
    reconciliation.c.id <= select(func.max(reconciliation.c.id)).scalar_subquery() - KEPT
)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One comparison. Times in epoch seconds; ``ended_at`` is None while it runs, or if it never came to its end.

    ``poll_cursor`` is where polls go on afterwards ("": where they are). ``found`` is what the comparison counted
    (``reconciliation.findings``).
    """

    id: int
    scope: str
    cause: str
    began_at: float
    ended_at: float | None = None
    poll_cursor: str = ""
    last_scene_id: int = 0
    found: Mapping[str, Any] = field(default_factory=dict)

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            "scope": self.scope,
            "cause": self.cause,
            "began_at": self.began_at,
            "ended_at": self.ended_at,
            **self.found,
        }


class ReconciliationStore:
    """The comparisons with one Plex server. Every method may raise StoreError."""

    def __init__(self, database: Database, server_id: str) -> None:
        self._database = database
        self._server_id = server_id

    def begin(self, new: Reconciliation) -> Reconciliation:
        """Note that one begins; return it with its number."""
        with self._database.transaction() as connection:
            row = {
                "server_id": self._server_id,
                "scope": new.scope,
                "cause": new.cause,
                "began_at": new.began_at,
                "poll_cursor": new.poll_cursor,
                "last_scene_id": 0,
                "found": "{}",
            }
            connection.execute(insert(reconciliation), row)
            begun = _to_run(connection.execute(KEPT_RUNS).first())
            connection.execute(FORGET_OLD)
        return begun

    def unfinished(self, scope: str, cause: str, *, since: float) -> Reconciliation | None:
        """Return the latest of this scope and cause that was begun since then and never ended, None if none was."""
        values = {"server": self._server_id, "which": scope, "because_of": cause, "since": since}
        rows = self._database.look_up(UNFINISHED, values)
        return _to_run(rows[0]) if rows else None

    def advance(self, run: int, last_scene_id: int, found: Mapping[str, Any]) -> None:
        """Note that all up to this scene is done, and what was found so far."""
        with self._database.transaction() as connection:
            connection.execute(ADVANCE, {"run": run, "up_to": last_scene_id, "so_far": json.dumps(dict(found))})

    def end(self, run: int, found: Mapping[str, Any], *, at: float) -> None:
        """Note that it came to its end."""
        with self._database.transaction() as connection:
            connection.execute(END, {"run": run, "at": at, "so_far": json.dumps(dict(found))})


def latest_reconciliation(database: Database) -> Reconciliation | None:
    """Return the latest comparison with any server, ended or not; None if there was none."""
    rows = database.look_up(KEPT_RUNS, {})
    return _to_run(rows[0]) if rows else None


def forget_unfinished(database: Database) -> None:
    """Let no comparison be gone on with: the next one begins anew. Raises StoreError."""
    with database.transaction() as connection:
        connection.execute(FORGET_UNFINISHED)


def last_began_at(database: Database, scopes: Iterable[str]) -> Mapping[str, float]:
    """Return for each server when its latest comparison of one of these scopes that came to its end began."""
    with database.reading() as connection:
        rows = connection.execute(LAST_BEGAN, {"scopes": tuple(scopes)}).all()
    return {row[0]: row[1] for row in rows}


def _to_run(row: Any) -> Reconciliation:  # noqa: ANN401 - a row of _COLUMNS
    run, scope, cause, began_at, ended_at, poll_cursor, last_scene_id, found = row
    return Reconciliation(run, scope, cause, began_at, ended_at, poll_cursor, last_scene_id, json.loads(found))
