"""What waits and what is in hand, for people and for those who look for one thing: nothing is decoded in vain."""

# ruff: noqa: S608 (statements here are put together from names of this module, never from a value)

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final

from scenesync.domain.batches import batched
from scenesync.domain.job import DESTROY, KeyOf, scene_key
from scenesync.queue import merging
from scenesync.queue.records import FoundJobs, PendingJob

_COLUMNS: Final = "_id, data, priority, due_at, deliveries, timestamp"
PENDING: Final = f"SELECT {_COLUMNS} FROM ack_queue_default WHERE _id > ? AND status < 2 ORDER BY _id LIMIT ?"
UNDER_KEY: Final = f"SELECT {_COLUMNS}, status FROM ack_queue_default WHERE job_key = ? AND status <= 2 ORDER BY _id"
WAITING_UNDER: Final = "SELECT DISTINCT job_key FROM ack_queue_default WHERE job_key IN ({keys}) AND status < 2"
IS_WAITING: Final = "SELECT 1 FROM ack_queue_default WHERE job_key = ? AND status <= 2 LIMIT 1"
DEPARTING_UNDER: Final = (
    "SELECT job_key, data FROM ack_queue_default WHERE job_key IN ({keys}) AND status <= 2 AND instr(data, ?)"
)
CLAIMED: Final = 2
_KEYS_AT_ONCE: Final = 500

Access = Callable[[], AbstractContextManager[sqlite3.Connection]]
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


def waiting_scenes(reading: Access, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> set[int]:
    """Return those of the scenes for which a job waits, due or not."""
    by_key = {key_of(scene_id): scene_id for scene_id in scene_ids}
    found: set[int] = set()
    for keys in batched(by_key, _KEYS_AT_ONCE):
        statement = WAITING_UNDER.format(keys=", ".join("?" * len(keys)))
        with reading() as connection:
            found.update(by_key[key] for (key,) in connection.execute(statement, keys))
    return found


def departing_scenes(reading: Access, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> set[int]:
    """Return those of the scenes of whose deletion a job tells that waits or is in hand."""
    by_key = {key_of(scene_id): scene_id for scene_id in scene_ids}
    word = merging.encode(DESTROY)  # few rows are decoded: those that hold it at all
    found: set[int] = set()
    for keys in batched(by_key, _KEYS_AT_ONCE):
        statement = DEPARTING_UNDER.format(keys=", ".join("?" * len(keys)))
        with reading() as connection:
            rows = connection.execute(statement, (*keys, word)).fetchall()
        found.update(by_key[key] for key, data in rows if _tells_of_a_deletion(data))
    return found


def _tells_of_a_deletion(data: object) -> bool:
    try:
        return merging.decode_job(data).get("update_type") == DESTROY
    except ValueError:
        return False


def is_waiting(connection: sqlite3.Connection, job_key: str) -> bool:
    """Say whether anything waits or is in hand under ``job_key``."""
    return connection.execute(IS_WAITING, (job_key,)).fetchone() is not None


def _as_jobs(rows: list[_Row]) -> tuple[PendingJob, ...]:
    found = []
    for row_id, data, priority, due_at, deliveries, timestamp in rows:
        try:
            job = merging.decode_job(data)
        except ValueError:
            continue
        found.append(PendingJob(row_id, job, priority, due_at, deliveries, timestamp))
    return tuple(found)
