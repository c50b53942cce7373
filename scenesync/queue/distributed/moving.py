"""What a queue in PostgreSQL holds, read and written as a whole, inside a transaction of the caller's."""

from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from scenesync.domain.batches import batched
from scenesync.queue import merging
from scenesync.queue.distributed import looking, steps
from scenesync.queue.distributed.connections import Connection
from scenesync.queue.moving import MovedJob, QueueContents, letter_from, one_per_key
from scenesync.queue.transitions import Event

_AT_ONCE: Final = 500
_JOBS: Final = """
    SELECT ours.data, ours.lane, ours.event_at, ours.stored_at, ours.deliveries
    FROM procrastinate_jobs AS jobs JOIN scenesync_jobs AS ours ON ours.job_id = jobs.id
    WHERE jobs.status IN ('todo', 'doing') ORDER BY jobs.id"""
_LETTERS: Final = """
    SELECT id, job, error_type, message, traceback, advice, attempts, details, failed_at, event_at
    FROM scenesync_dead_letters ORDER BY id"""
_TAKEN: Final = "SELECT outbox_id, taken_up_to FROM scenesync_outboxes"
_BESIDE: Final = """
    UPDATE scenesync_jobs SET stored_at = moved.stored_at, deliveries = moved.deliveries
    FROM unnest(%(ids)s::bigint[], %(stored_at)s::float8[], %(deliveries)s::int[]) AS moved (id, stored_at, deliveries)
    WHERE job_id = moved.id"""
_PUT_LETTERS: Final = """
    COPY scenesync_dead_letters (
        id, job, error_type, message, traceback, advice, attempts, details, failed_at, event_at, scene_id, job_key)
    FROM STDIN"""
_COUNT_ON: Final = """
    SELECT setval(pg_get_serial_sequence('scenesync_dead_letters', 'id'), max(id))
    FROM scenesync_dead_letters HAVING max(id) IS NOT NULL"""
_PUT_TOTAL: Final = "UPDATE scenesync_counters SET value = %(value)s WHERE name = %(name)s"
_PUT_TAKEN: Final = "INSERT INTO scenesync_outboxes (outbox_id, taken_up_to) VALUES (%s, %s)"
_CLEAR: Final = """
    DELETE FROM procrastinate_jobs; DELETE FROM scenesync_dead_letters; DELETE FROM scenesync_outboxes;
    UPDATE scenesync_counters SET value = 0"""


def read(connection: Connection) -> QueueContents:
    """Return what the queue holds, also what is in the hands of who is known to be dead."""
    completed, failed = looking.totals(connection)
    rows = connection.execute(_JOBS).fetchall()
    return QueueContents(
        one_per_key(MovedJob(merging.decode_job(data), *beside) for data, *beside in rows),
        [letter_from(row) for row in connection.execute(_LETTERS).fetchall()],
        completed,
        failed,
        dict(connection.execute(_TAKEN).fetchall()),
    )


def clear(connection: Connection) -> None:
    """Delete all that the queue holds."""
    connection.execute(_CLEAR)


def write(connection: Connection, contents: QueueContents, now: float) -> None:
    """Fill a queue that holds nothing."""
    for lane, of_lane in groupby(contents.jobs, key=attrgetter("lane")):
        for batch in batched(of_lane, _AT_ONCE):
            events = [Event(each.job, merging.encode(each.job), each.event_at) for each in batch]
            ids = steps.insert(connection, events, lane=lane, now=now, newest=False)
            beside = {
                "ids": ids,
                "stored_at": [each.stored_at for each in batch],
                "deliveries": [each.deliveries for each in batch],
            }
            connection.execute(_BESIDE, beside)
    _write_letters(connection, contents)
    for name, value in ((steps.SUCCEEDED, contents.completed), (steps.FAILED, contents.failed)):
        connection.execute(_PUT_TOTAL, {"name": name, "value": value})
    for taken in (contents.taken or {}).items():
        connection.execute(_PUT_TAKEN, taken)


def analyse(connection: Connection) -> None:
    """Let the planner know at once what was written."""
    connection.execute("ANALYZE procrastinate_jobs, scenesync_jobs, scenesync_dead_letters")


def _write_letters(connection: Connection, contents: QueueContents) -> None:
    with connection.cursor() as cursor, cursor.copy(_PUT_LETTERS) as copy:
        for each in contents.letters:
            row: list[Any] = [_text(value) if isinstance(value, dict) else value for value in each]
            scene_id = each.job.get("scene_id")
            copy.write_row([*row, scene_id if isinstance(scene_id, int) else None, each.job.get("job_key")])
    connection.execute(_COUNT_ON)


def _text(value: dict[str, Any]) -> str:
    return merging.encode(value).decode("ascii")
