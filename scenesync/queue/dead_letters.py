import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.job import lane_of_event
from scenesync.queue import merging, transitions
from scenesync.queue.port import EVERY_LETTER as ALL
from scenesync.queue.port import Ours
from scenesync.queue.records import Job, LetterFilter, LetterGroup

__all__ = ["ALL", "DeadLetter", "DeadLetterStore", "LetterFilter", "LetterGroup", "insert", "of_crash"]

_BATCH: Final = 500
_COLUMNS: Final = "id, row_id, job, error_type, message, traceback, advice, attempts, details, failed_at"
_BY_ID: Final = "FROM dead_letters WHERE id = ?"
_INSERT: Final = """
    INSERT INTO dead_letters (
        row_id, scene_id, job_key, job, error_type, message, traceback, advice, attempts, details, failed_at, event_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
        (SELECT COALESCE(event_at, timestamp) FROM ack_queue_default WHERE _id = ?1))"""
_SCENES_GIVEN_UP: Final = "SELECT DISTINCT scene_id FROM dead_letters WHERE error_type = ? AND scene_id IS NOT NULL"
# Each condition is off while its value is NULL; `text` is looked for in message, class and job, without case. Those of
# scene and error are told apart beforehand, since letters are found by an index of either; of both, by the scene's.
_MATCHING: Final = """
    FROM dead_letters
    WHERE {scene} AND {error}
      AND (:older_than IS NULL OR failed_at < :older_than)
      AND (:text IS NULL OR instr(lower(message || ' ' || error_type || ' ' || CAST(job AS TEXT)), lower(:text)) > 0)"""

GROUPS: Final = """
    SELECT error_type, COUNT(*), MIN(failed_at), MAX(failed_at) FROM dead_letters
    GROUP BY error_type ORDER BY COUNT(*) DESC, error_type"""
_LATEST_OF_GROUP: Final = """
    SELECT message, advice FROM dead_letters WHERE error_type = ? ORDER BY failed_at DESC LIMIT 1"""


def condition(letters: LetterFilter) -> str:
    """Return the FROM and WHERE of a statement that takes ``values_of`` the same filter."""
    if letters.scene_id is not None:
        return _MATCHING.format(scene="scene_id = :scene_id", error="(:error IS NULL OR error_type = :error)")
    error = ":error IS NULL" if letters.error is None else "error_type = :error"
    return _MATCHING.format(scene=":scene_id IS NULL", error=error)


def values_of(letters: LetterFilter) -> dict[str, Any]:
    """Return the filter as parameters of the statements of this module."""
    return {
        "error": letters.error,
        "scene_id": letters.scene_id,
        "older_than": letters.older_than,
        "text": letters.text,
    }


def insert(connection: sqlite3.Connection, letter: DeadLetter, row_id: int | None = None) -> int:
    """Store ``letter`` within the caller's transaction; return its id."""
    return connection.execute(_INSERT, (row_id, *columns_of(letter))).lastrowid or 0


def columns_of(letter: DeadLetter) -> tuple[Any, ...]:
    """Return what is kept of a letter, in the order of the columns behind ``row_id``."""
    return (
        letter.job.get("scene_id"),
        letter.job.get("job_key"),
        merging.encode(letter.job),
        letter.error_type,
        letter.message,
        letter.traceback,
        letter.advice,
        letter.attempts,
        merging.encode(dict(letter.details)),
        letter.failed_at or time.time(),
    )


class ReadableFile(Protocol):
    """The file of a queue, for who looks at the tables in it."""

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Give a connection to read from."""
        ...


class QueueFile(ReadableFile, Protocol):
    """The file of a queue, for the tables in it."""

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Give a connection inside a transaction that is on disk when the block has ended."""
        ...


class DeadLetterReader:
    """The dead letters of a queue, in the queue's own file, for who only looks at them."""

    def __init__(self, file: ReadableFile) -> None:
        self._file = file

    def count(self) -> int:
        """Return how many letters there are."""
        with self._file.reading() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM dead_letters").fetchone()[0])

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
        rest = "" if behind is None else f" AND (failed_at, id) {beyond} (:behind_at, :behind_id)"
        statement = f"SELECT {_COLUMNS} {condition(letters)}{rest} ORDER BY failed_at {order}, id {order} LIMIT :limit"
        at, letter_id = behind or (0.0, 0)
        values = {**values_of(letters), "limit": limit, "behind_at": at, "behind_id": letter_id}
        with self._file.reading() as connection:
            rows = connection.execute(statement, values).fetchall()
        return tuple(from_row(row) for row in rows)

    def of_scene(self, scene_id: int) -> tuple[DeadLetter, ...]:
        """Return the letters of one scene, the newest first."""
        return self.list(LetterFilter(scene_id=scene_id))

    def scenes_given_up(self, error_type: str) -> frozenset[int]:
        """Return the scenes that have a dead letter of this class of error."""
        with self._file.reading() as connection:
            rows = connection.execute(_SCENES_GIVEN_UP, (error_type,)).fetchall()
        return frozenset(scene_id for (scene_id,) in rows)

    def groups(self) -> tuple[LetterGroup, ...]:
        """Return how many letters there are of each error, the most frequent first."""
        with self._file.reading() as connection:
            return tuple(
                LetterGroup(*row, *connection.execute(_LATEST_OF_GROUP, (row[0],)).fetchone())
                for row in connection.execute(GROUPS).fetchall()
            )

    def get(self, letter_id: int) -> DeadLetter | None:
        """Return one letter, None if there is none of this id."""
        with self._file.reading() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} {_BY_ID}", (letter_id,)).fetchone()
        return None if row is None else from_row(row)


class DeadLetterStore(DeadLetterReader, Ours):
    """The dead letters of a queue, with what can be done about them."""

    def __init__(self, queue: QueueFile) -> None:
        super().__init__(queue)
        self._queue = queue

    def add(self, letter: DeadLetter) -> int:
        """Store a letter for a job that is in no row of this queue; return its id."""
        with self._queue.writing() as connection:
            return insert(connection, letter)

    def replay(self, which: Sequence[int] | LetterFilter = ALL) -> int:
        """Make the jobs of these letters wait again, without retry state; return how many letters that were.

        A job that waits already under the same key absorbs the letter's: there is never a second one.
        """
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
            ended = 0
            with self._queue.writing() as connection:
                for letter_id in batch:
                    row = connection.execute(f"SELECT job, event_at {_BY_ID}", (letter_id,)).fetchone()
                    if row is None:
                        continue
                    if replay:
                        _replay(connection, merging.decode_job(row[0]), row[1])
                    connection.execute("DELETE FROM dead_letters WHERE id = ?", (letter_id,))
                    ended += 1
            yield ended

    def _batches(self, which: Sequence[int] | LetterFilter) -> Iterator[Sequence[int]]:
        if isinstance(which, LetterFilter):
            with self._queue.reading() as connection:
                rows = connection.execute(f"SELECT id {condition(which)} ORDER BY id", values_of(which)).fetchall()
            which = [letter_id for (letter_id,) in rows]
        for start in range(0, len(which), _BATCH):
            yield which[start : start + _BATCH]


def of_crash(data: object, deliveries: int) -> DeadLetter:
    """Return the letter for a job whose worker died so often; ``data`` is as it stands in the queue."""
    try:
        job: Job = merging.decode_job(data)
    except ValueError:
        job = {}
    return DeadLetter(
        job=job,
        error_type="WorkerCrash",
        message=f"the worker died {deliveries} times while it processed this job",
        attempts=deliveries,
        failed_at=time.time(),
        advice="Look at the log of these times (memory, a crashing library), then: scenesync dlq replay ID",
    )


def _replay(connection: sqlite3.Connection, job: Job, event_at: float | None) -> None:
    now = time.time()
    event = transitions.Event.of(merging.without_retry_state(job), now)
    if event_at is not None:
        event = event._replace(happened_at=event_at)
    transitions.enqueue(connection, event, priority=lane_of_event(job), now=now, newest=False)


def from_row(row: tuple[Any, ...]) -> DeadLetter:
    """Return the letter of a row: id, row id, job, error, message, traceback, advice, attempts, details, time."""
    letter_id, row_id, job, error_type, message, trace, advice, attempts, details, failed_at = row
    return DeadLetter(
        job=merging.decode_job(job),
        error_type=error_type,
        message=message,
        traceback=trace,
        attempts=attempts,
        failed_at=failed_at,
        advice=advice,
        details=merging.decode_job(details),
        id=letter_id,
        row_id=row_id,
    )
