"""What waits and what is in hand, for people and for those who look for one thing: nothing is decoded in vain."""

# ruff: noqa: S608 (statements here are put together from names of this module, never from a value)

import sqlite3
from typing import Final

from scenesync.queue import merging
from scenesync.queue.records import FoundJobs, PendingJob

_COLUMNS: Final = "_id, data, priority, due_at, deliveries, timestamp"
PENDING: Final = f"SELECT {_COLUMNS} FROM ack_queue_default WHERE _id > ? AND status < 2 ORDER BY _id LIMIT ?"
UNDER_KEY: Final = f"SELECT {_COLUMNS}, status FROM ack_queue_default WHERE job_key = ? AND status <= 2 ORDER BY _id"
CLAIMED: Final = 2

_Row = tuple[int, object, int, float, int, float]


def pending(connection: sqlite3.Connection, limit: int, after: int) -> tuple[PendingJob, ...]:
    """Return waiting jobs in the order of their rows, those after row ``after``; what is no job is left out."""
    return _as_jobs(connection.execute(PENDING, (after, limit)).fetchall())


def find(connection: sqlite3.Connection, job_key: str) -> FoundJobs:
    """Return what waits and what is in hand under ``job_key``."""
    # In one statement: a claim between two of them would show the job twice, or not at all.
    rows = connection.execute(UNDER_KEY, (job_key,)).fetchall()
    return FoundJobs(
        waiting=_as_jobs([row[:-1] for row in rows if row[-1] < CLAIMED]),
        running=_as_jobs([row[:-1] for row in rows if row[-1] == CLAIMED]),
    )


def _as_jobs(rows: list[_Row]) -> tuple[PendingJob, ...]:
    found = []
    for row_id, data, priority, due_at, deliveries, timestamp in rows:
        try:
            job = merging.decode_job(data)
        except ValueError:
            continue
        found.append(PendingJob(row_id, job, priority, due_at, deliveries, timestamp))
    return tuple(found)
