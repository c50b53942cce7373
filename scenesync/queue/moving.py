"""What a queue holds, as values that can be moved to another engine, and the steps on a queue file that it takes."""

# ruff: noqa: S608 (statements here are put together from names of this package, never from a value)

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from scenesync.domain.storable import storable
from scenesync.queue import history, merging, transitions
from scenesync.queue.merging import Standing
from scenesync.queue.records import Job

_JOBS: Final = """
    SELECT data, priority, COALESCE(event_at, timestamp, 0), COALESCE(timestamp, 0), deliveries FROM ack_queue_default
    WHERE status <= 2 ORDER BY _id"""
_LETTER: Final = "id, job, error_type, message, traceback, advice, attempts, details, failed_at, event_at"
_LETTERS: Final = f"SELECT {_LETTER} FROM dead_letters ORDER BY id"
_TAKEN: Final = "SELECT outbox_id, taken_up_to FROM taken_in_outboxes"
_LAST: Final = """
    SELECT (SELECT COALESCE(MAX(_id), 0) FROM ack_queue_default), (SELECT COALESCE(MAX(id), 0) FROM dead_letters)"""
# What came since is another event, also where it was merged into a row that was moved.
_FORGET_JOBS: Final = """
    DELETE FROM ack_queue_default WHERE status <= 2 AND _id <= :row AND COALESCE(event_at, timestamp, 0) <= :moved_at"""
_FORGET_LETTERS: Final = "DELETE FROM dead_letters WHERE id <= :letter"
_CLEAR: Final = (
    "DELETE FROM ack_queue_default WHERE status <= 2",
    "DELETE FROM dead_letters",
    "DELETE FROM taken_in_outboxes",
)
_PUT_JOB: Final = transitions.INSERT
_NOTE_DELIVERIES: Final = "UPDATE ack_queue_default SET deliveries = ? WHERE _id = ?"
_PUT_LETTER: Final = f"""
    INSERT INTO dead_letters ({_LETTER}, scene_id, job_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_PUT_TAKEN: Final = "INSERT INTO taken_in_outboxes (outbox_id, taken_up_to) VALUES (?, ?)"
_COUNT: Final = "UPDATE counters SET value = value + ? WHERE name = ?"


class MovedJob(NamedTuple):
    """A job that waits, with what stands beside it; its due time and retry state are in the job itself."""

    job: Job
    lane: int
    event_at: float
    stored_at: float
    deliveries: int


class MovedLetter(NamedTuple):
    """A dead letter with its number, which people know it by."""

    id: int
    job: Job
    error_type: str
    message: str
    traceback: str
    advice: str
    attempts: int
    details: Mapping[str, Any]
    failed_at: float
    event_at: float | None


@dataclass(frozen=True, slots=True)
class QueueContents:
    """All that a queue holds; ``taken`` is up to which number the events of each outbox were taken in."""

    jobs: Sequence[MovedJob] = ()
    letters: Sequence[MovedLetter] = ()
    completed: int = 0
    failed: int = 0
    taken: Mapping[str, int] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that somebody would miss."""
        return not self.jobs and not self.letters and not self.completed and not self.failed

    def tables(self) -> Iterator[tuple[str, Iterator[tuple[Any, ...]]]]:
        """Yield its parts by name, each as rows that are the same on every engine."""
        yield "queue: jobs", (_row(each) for each in self.jobs)
        yield "queue: dead letters", (_row(each) for each in self.letters)
        yield "queue: totals", iter([("completed", self.completed), ("failed", self.failed)])
        yield "queue: outboxes", iter((self.taken or {}).items())


class Marks(NamedTuple):
    """Up to which row and letter a file was read."""

    row: int
    letter: int


def read_file(connection: sqlite3.Connection) -> tuple[QueueContents, Marks]:
    """Return what a queue file holds, also what is in the hands of who is known to be dead."""
    completed, failed = history.totals(connection)
    rows = connection.execute(_JOBS).fetchall()
    contents = QueueContents(
        one_per_key(MovedJob(merging.decode_job(data), *beside) for data, *beside in rows),
        [letter_from(row) for row in connection.execute(_LETTERS)],
        completed,
        failed,
        dict(connection.execute(_TAKEN).fetchall()),
    )
    return contents, Marks(*connection.execute(_LAST).fetchone())


def forget_moved(connection: sqlite3.Connection, marks: Marks, moved_at: float) -> None:
    """Delete what was moved: a job is never in two queues."""
    connection.execute(_FORGET_JOBS, {"row": marks.row, "moved_at": moved_at})
    connection.execute(_FORGET_LETTERS, {"letter": marks.letter})


def write_file(connection: sqlite3.Connection, contents: QueueContents) -> None:
    """Let a queue file hold this and nothing else."""
    for statement in _CLEAR:
        connection.execute(statement)
    for each in contents.jobs:
        values = (merging.encode(each.job), each.stored_at, each.lane, each.event_at, None, None)
        row_id = connection.execute(_PUT_JOB, values).lastrowid
        connection.execute(_NOTE_DELIVERIES, (each.deliveries, row_id))
    for letter in contents.letters:
        texts = (letter.error_type, letter.message, letter.traceback, letter.advice, letter.attempts)
        rest = (merging.encode(dict(letter.details)), letter.failed_at, letter.event_at)
        keys = (letter.job.get("scene_id"), letter.job.get("job_key"))
        connection.execute(_PUT_LETTER, (letter.id, merging.encode(letter.job), *texts, *rest, *keys))
    connection.executemany(_PUT_TAKEN, (contents.taken or {}).items())
    completed, failed = history.totals(connection)
    connection.execute(_COUNT, (contents.completed - completed, "completed_pruned"))
    connection.execute(_COUNT, (contents.failed - failed, "failed_pruned"))


def joined(moved: QueueContents, here: QueueContents) -> QueueContents:
    """Return what is moved together with what waits where it goes to; letters there get new numbers."""
    behind = max((letter.id for letter in moved.letters), default=0)
    known = {_row(letter._replace(id=0)) for letter in moved.letters}
    others = [letter for letter in here.letters if _row(letter._replace(id=0)) not in known]
    letters = [letter._replace(id=behind + place) for place, letter in enumerate(others, start=1)]
    taken = dict(here.taken or {})
    for outbox_id, number in (moved.taken or {}).items():
        taken[outbox_id] = max(number, taken.get(outbox_id, 0))
    return replace(moved, jobs=one_per_key([*moved.jobs, *here.jobs]), letters=[*moved.letters, *letters], taken=taken)


def one_per_key(jobs: Iterable[MovedJob]) -> Sequence[MovedJob]:
    """Return the jobs in their order, those of one key as one."""
    found: dict[object, MovedJob] = {}
    for place, each in enumerate(jobs):
        key = each.job.get("job_key", place)
        before = found.get(key)
        found[key] = each if before is None else _together(before, each)
    return list(found.values())


def letter_from(row: Sequence[Any]) -> MovedLetter:
    """Return a letter from its columns, in the order of a letter's fields."""
    number, job, error_type, message, traceback, advice, attempts, details, failed_at, event_at = row
    texts = (storable(error_type), storable(message), storable(traceback), storable(advice))
    return MovedLetter(
        number, merging.decode_job(job), *texts, attempts, merging.decode_job(details), failed_at, event_at
    )


def _together(waiting: MovedJob, other: MovedJob) -> MovedJob:
    both = [Standing(each.job, each.lane, each.event_at, each.deliveries) for each in (waiting, other)]
    one = merging.joined_by_run(*both)
    return MovedJob(one.job, one.lane, one.event_at, min(waiting.stored_at, other.stored_at), one.deliveries)


def _row(each: MovedJob | MovedLetter) -> tuple[Any, ...]:
    return tuple(json.dumps(value, sort_keys=True) if isinstance(value, dict) else value for value in each)
