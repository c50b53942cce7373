"""The latest attempts at jobs, for ``explain`` and ``status``; bounded, and never worth waiting for the disk."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, bindparam, case, cast, delete, func, insert, literal_column, select

from scenesync.domain.outcome import Attempt, Outcome
from scenesync.store.compiled import execute_many, insert_many
from scenesync.store.tables import attempt
from scenesync.store.values import to_names, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Select

    from scenesync.store.database import Database

KEPT: Final = 20_000
KEPT_PER_SCENE: Final = 100
"""One scene that is tried again and again must not push out what is known of all others."""
PRUNE_EVERY: Final = 500

# One attempt.
ADD: Final = insert(attempt).values(
    {column: bindparam(f"new_{column.name}") for column in attempt.columns if column is not attempt.c.id}
)
_LATEST: Final = select(
    attempt.c.scene_id,
    attempt.c.outcome,
    attempt.c.started_at,
    attempt.c.duration_s,
    attempt.c.error_type,
    attempt.c.message,
    attempt.c.rule,
    attempt.c.rating_keys,
    attempt.c.changed_fields,
    attempt.c.retry_at,
).order_by(attempt.c.id.desc())

# The latest attempts at one scene.
LATEST_OF_SCENE: Final = _LATEST.where(attempt.c.scene_id == bindparam("scene")).limit(bindparam("most"))

# The latest attempts at any scene.
LATEST_OF_ALL: Final = _LATEST.limit(bindparam("most"))

# How the attempts of a time ended.
OUTCOMES_SINCE: Final = (
    select(attempt.c.outcome, func.count())
    .where(attempt.c.started_at >= bindparam("since"))
    .group_by(attempt.c.outcome)
    .order_by(attempt.c.outcome)
)

# How many attempts began in which minute since 1970, and how they ended.
_rounded = cast(attempt.c.started_at, BigInteger)  # SQLite cuts off, PostgreSQL rounds
_SECOND: Final = _rounded - case((_rounded > attempt.c.started_at, literal_column("1")), else_=literal_column("0"))
_MINUTE: Final = _SECOND // literal_column("60", BigInteger)
BY_MINUTE_SINCE: Final = (
    select(_MINUTE, attempt.c.outcome, func.count())
    .where(attempt.c.started_at >= bindparam("since"))
    .group_by(_MINUTE, attempt.c.outcome)
)

# All but the last KEPT rows.
FORGET_OLD: Final = delete(attempt).where(attempt.c.id <= select(func.max(attempt.c.id)).scalar_subquery() - KEPT)

# The attempt of a scene that is as old as one may be: it and those before it go.
OLDEST_OF_SCENE: Final = (
    select(attempt.c.id)
    .where(attempt.c.scene_id == bindparam("scene"))
    .order_by(attempt.c.id.desc())
    .limit(literal_column("1"))
    .offset(literal_column(str(KEPT_PER_SCENE)))
)
FORGET_OLD_OF_SCENE: Final = delete(attempt).where(
    attempt.c.scene_id == bindparam("scene"), attempt.c.id <= OLDEST_OF_SCENE.scalar_subquery()
)


class AttemptStore:
    """The history of attempts: the last KEPT, KEPT_PER_SCENE of each scene. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._added = 0
        self._lock = threading.Lock()

    def add(self, made: Attempt) -> None:
        """Keep one attempt; now and then the oldest are dropped."""
        self.add_all([made])

    def add_all(self, made: Sequence[Attempt]) -> None:
        """Keep attempts, in one step; now and then the oldest are dropped."""
        if not made:
            return
        with self._lock:
            before, self._added = self._added, self._added + len(made)
            # The first of each process, too: many never come to the second round.
            prune = before == 0 or before // PRUNE_EVERY != self._added // PRUNE_EVERY
        scenes = [{"scene": scene_id} for scene_id in dict.fromkeys(each.scene_id for each in made)]
        with self._database.transaction(durable=False) as connection:
            insert_many(connection, ADD, [_as_row(each) for each in made])
            execute_many(connection, FORGET_OLD_OF_SCENE, scenes)
            if prune:
                connection.execute(FORGET_OLD)

    def latest(self, scene_id: int, limit: int) -> tuple[Attempt, ...]:
        """Return the latest attempts at a scene, newest first."""
        return self._read(LATEST_OF_SCENE, {"scene": scene_id, "most": limit})

    def latest_of_all(self, limit: int) -> tuple[Attempt, ...]:
        """Return the latest attempts at any scene, newest first."""
        return self._read(LATEST_OF_ALL, {"most": limit})

    def outcomes_since(self, since: float) -> Mapping[str, int]:
        """Return how many attempts since then (epoch seconds) ended in which way."""
        with self._database.reading() as connection:
            rows = connection.execute(OUTCOMES_SINCE, {"since": since}).all()
        return {outcome: count for outcome, count in rows}  # noqa: C416 - rows are no pairs to mypy

    def by_minute_since(self, since: float) -> Mapping[tuple[int, str], int]:
        """Return how many attempts since then (epoch seconds) began in which minute since 1970, and how they ended."""
        with self._database.reading() as connection:
            rows = connection.execute(BY_MINUTE_SINCE, {"since": since}).all()
        return {(minute, outcome): count for minute, outcome, count in rows}

    def _read(self, statement: Select[Any], values: Mapping[str, int]) -> tuple[Attempt, ...]:
        with self._database.reading() as connection:
            rows = connection.execute(statement, values).all()
        return tuple(
            Attempt(
                scene_id=row.scene_id,
                outcome=Outcome(row.outcome),
                started_at=row.started_at,
                duration_s=row.duration_s,
                error_type=row.error_type,
                message=row.message,
                rule=row.rule,
                rating_keys=to_names(row.rating_keys),
                changed_fields=to_names(row.changed_fields),
                retry_at=row.retry_at,
            )
            for row in rows
        )


def _as_row(made: Attempt) -> dict[str, object]:
    return {
        "new_server_id": "",
        "new_scene_id": made.scene_id,
        "new_outcome": made.outcome.value,
        "new_started_at": made.started_at,
        "new_duration_s": made.duration_s,
        "new_error_type": made.error_type,
        "new_message": made.message,
        "new_rule": made.rule,
        "new_rating_keys": to_text(list(made.rating_keys)),
        "new_changed_fields": to_text(list(made.changed_fields)),
        "new_retry_at": made.retry_at,
    }
