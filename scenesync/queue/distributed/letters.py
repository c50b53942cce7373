# ruff: noqa: S608 (statements here are put together from names of this package, never from a value)

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.job import lane_of_event
from scenesync.domain.storable import storable
from scenesync.queue import merging
from scenesync.queue.dead_letters import ALL, columns_of, from_row
from scenesync.queue.distributed import steps
from scenesync.queue.distributed.connections import Connection
from scenesync.queue.port import Ours
from scenesync.queue.records import LetterFilter, LetterGroup
from scenesync.queue.transitions import Event

_BATCH: Final = 500
_COLUMNS: Final = "id, row_id, job, error_type, message, traceback, advice, attempts, details, failed_at"
_BY_ID: Final = f"SELECT {_COLUMNS} FROM scenesync_dead_letters WHERE id = %(id)s"
_INSERT: Final = """
    INSERT INTO scenesync_dead_letters (
        row_id, scene_id, job_key, job, error_type, message, traceback, advice, attempts, details, failed_at, event_at)
    SELECT given.*, (SELECT event_at FROM scenesync_jobs WHERE job_id = given.row_id)
    FROM (VALUES (%s::bigint, %s::bigint, %s::text, %s, %s, %s, %s, %s, %s::integer, %s, %s::float8))
        AS given (row_id, scene_id, job_key, job, error_type, message, traceback, advice, attempts, details, failed_at)
    RETURNING id"""
_SCENES_GIVEN_UP: Final = """
    SELECT DISTINCT scene_id FROM scenesync_dead_letters WHERE error_type = %(error)s AND scene_id IS NOT NULL"""
_GROUPS: Final = """
    SELECT error_type, count(*), min(failed_at), max(failed_at),
        (array_agg(message ORDER BY failed_at DESC))[1], (array_agg(advice ORDER BY failed_at DESC))[1]
    FROM scenesync_dead_letters GROUP BY error_type ORDER BY count(*) DESC, error_type"""
_TAKE: Final = "DELETE FROM scenesync_dead_letters WHERE id = ANY(%(ids)s) RETURNING id, job, event_at"
# Only the conditions that are asked for, so that each finds its index.
_CONDITIONS: Final = {
    "scene_id": "scene_id = %(scene_id)s",
    "error": "error_type = %(error)s",
    "older_than": "failed_at < %(older_than)s",
    "text": "position(lower(%(text)s) IN lower(message || ' ' || error_type || ' ' || job)) > 0",
}


def insert(connection: Connection, letter: DeadLetter, row_id: int | None = None) -> int:
    """Store ``letter`` within the caller's transaction; return its id."""
    scene_id, *columns = columns_of(letter)
    values = (row_id, scene_id if isinstance(scene_id, int) else None, *map(_storable, columns))
    row = connection.execute(_INSERT, values).fetchone()
    assert row is not None  # noqa: S101 - it returns what it stored
    return int(row[0])


class Source(Protocol):
    """Where the letters are."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """Give a connection inside a transaction."""
        ...


class DistributedLetters(Ours):
    """The dead letters of a queue in PostgreSQL; see ``port.Letters``."""

    def __init__(self, server: Source) -> None:
        self._server = server

    def count(self) -> int:
        """Return how many letters there are."""
        return int(self._rows("SELECT count(*) FROM scenesync_dead_letters")[0][0])

    def list(
        self,
        letters: LetterFilter = ALL,
        *,
        limit: int = 1000,
        newest_first: bool = True,
        behind: tuple[float, int] | None = None,
    ) -> tuple[DeadLetter, ...]:
        """Return the letters that match, up to ``limit``, those that come ``behind`` a time and an id."""
        order, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
        at, letter_id = behind or (0.0, 0)
        rest = [] if behind is None else [f"(failed_at, id) {beyond} (%(behind_at)s, %(behind_id)s)"]
        where, values = _condition(letters, *rest)
        rows = self._rows(
            f"SELECT {_COLUMNS} {where} ORDER BY failed_at {order}, id {order} LIMIT %(limit)s",
            {**values, "limit": limit, "behind_at": at, "behind_id": letter_id},
        )
        return tuple(from_row(row) for row in rows)

    def of_scene(self, scene_id: int) -> tuple[DeadLetter, ...]:
        """Return the letters of one scene, the newest first."""
        return self.list(LetterFilter(scene_id=scene_id))

    def scenes_given_up(self, error_type: str) -> frozenset[int]:
        """Return the scenes that have a dead letter of this class of error."""
        return frozenset(scene_id for (scene_id,) in self._rows(_SCENES_GIVEN_UP, {"error": error_type}))

    def groups(self) -> tuple[LetterGroup, ...]:
        """Return how many letters there are of each error, the most frequent first."""
        return tuple(LetterGroup(*row) for row in self._rows(_GROUPS))

    def get(self, letter_id: int) -> DeadLetter | None:
        """Return one letter, None if there is none of this id."""
        rows = self._rows(_BY_ID, {"id": letter_id})
        return from_row(rows[0]) if rows else None

    def add(self, letter: DeadLetter) -> int:
        """Store a letter for a job that is in no row of this queue; return its id."""
        with self._server.transaction() as connection:
            return insert(connection, letter)

    def replay(self, which: Sequence[int] | LetterFilter = ALL) -> int:
        """Make the jobs of these letters wait again, without retry state; return how many letters that were."""
        return sum(self.replaying(which))

    def discard(self, which: Sequence[int] | LetterFilter) -> int:
        """Delete these letters for good; return how many."""
        return sum(self.discarding(which))

    def purge(self, older_than: float) -> int:
        """Delete the letters that failed before ``older_than`` (epoch seconds); return how many."""
        return self.discard(LetterFilter(older_than=older_than))

    def replaying(self, which: Sequence[int] | LetterFilter = ALL) -> Iterator[int]:
        """Do as ``replay``, a short transaction at a time; yield after each how many letters it replayed."""
        return self._end(which, replay=True)

    def discarding(self, which: Sequence[int] | LetterFilter) -> Iterator[int]:
        """Do as ``discard``, a short transaction at a time; yield after each how many letters it deleted."""
        return self._end(which, replay=False)

    def _end(self, which: Sequence[int] | LetterFilter, *, replay: bool) -> Iterator[int]:
        for batch in self._batches(which):
            with self._server.transaction() as connection:
                taken = connection.execute(_TAKE, {"ids": list(batch)}).fetchall()
                if replay:
                    _replay(connection, sorted(taken))
            yield len(taken)

    def _batches(self, which: Sequence[int] | LetterFilter) -> Iterator[Sequence[int]]:
        if isinstance(which, LetterFilter):
            where, values = _condition(which)
            which = [letter_id for (letter_id,) in self._rows(f"SELECT id {where} ORDER BY id", values)]
        for start in range(0, len(which), _BATCH):
            yield which[start : start + _BATCH]

    def _rows(self, statement: str, values: dict[str, Any] | None = None) -> Sequence[tuple[Any, ...]]:
        with self._server.transaction() as connection:
            return connection.execute(statement.encode(), values).fetchall()


def _replay(connection: Connection, letters: Sequence[tuple[int, str, float | None]]) -> None:
    now = time.time()
    jobs = [merging.decode_job(data) for _, data, _ in letters]
    steps.hold_keys(connection, jobs)
    for job, (_, _, event_at) in zip(jobs, letters, strict=True):
        event = Event.of(merging.without_retry_state(job), now)
        if event_at is not None:
            event = event._replace(happened_at=event_at)
        steps.enqueue(connection, event, lane=lane_of_event(job), now=now, newest=False)
    steps.say(connection)


def _condition(letters: LetterFilter, *more: str) -> tuple[str, dict[str, Any]]:
    values = {name: value for name in _CONDITIONS if (value := getattr(letters, name)) is not None}
    conditions = [*(_CONDITIONS[name] for name in values), *more]
    return f"FROM scenesync_dead_letters WHERE {' AND '.join(conditions) or 'true'}", values


def _storable(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("ascii")
    if isinstance(value, str):
        return storable(value)
    return value
