"""What waits, what is in hand and what was done: statements that change nothing."""

# ruff: noqa: S608 (statements here are put together from names of this package, never from a value)

import time
from collections.abc import Iterable
from typing import Any, Final

from scenesync.domain.batches import batched
from scenesync.domain.job import DESTROY, KeyOf, scene_key
from scenesync.queue import merging
from scenesync.queue.distributed.connections import Connection
from scenesync.queue.distributed.steps import ASLEEP, WAITING_KEYS, WAITS, lock_of
from scenesync.queue.records import FoundJobs, PendingJob, QueueSnapshot

_KEYS_AT_ONCE: Final = 1000
_ROWS: Final = """
    SELECT jobs.id, ours.data, ours.lane, ours.due_at, ours.deliveries, ours.stored_at, jobs.status
    FROM procrastinate_jobs AS jobs JOIN scenesync_jobs AS ours ON ours.job_id = jobs.id"""
_PENDING: Final = f"{_ROWS} WHERE jobs.status = 'todo' AND jobs.id > %(after)s ORDER BY jobs.id LIMIT %(limit)s"
# Each half has an index of its own; together they are of one moment. Seeks, by force (see ``steps.WAITING_KEYS``).
_UNDER_LOCKS: Final = f"""
    SELECT found.* FROM unnest(%(locks)s::text[]) AS wanted (lock)
    CROSS JOIN LATERAL (
        ({_ROWS} WHERE jobs.queueing_lock BETWEEN wanted.lock AND wanted.lock AND jobs.status = 'todo'
        ORDER BY jobs.queueing_lock LIMIT 1)
        UNION ALL
        ({_ROWS} WHERE jobs.lock BETWEEN wanted.lock AND wanted.lock AND jobs.status = 'doing'
        ORDER BY jobs.lock LIMIT 1)) AS found"""
# What was pruned plus what is still there.
_TOTALS: Final = """
    SELECT name, value + (SELECT count(*) FROM scenesync_jobs WHERE ended = name) FROM scenesync_counters"""
_FIGURES: Final = """
    SELECT
        (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'),
        (SELECT count(*) FROM scenesync_jobs WHERE wakes_at > now() + make_interval(secs => %(ahead_s)s)),
        (SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'),
        (SELECT count(*) FROM scenesync_dead_letters),
        (SELECT ours.stored_at FROM procrastinate_jobs AS jobs JOIN scenesync_jobs AS ours ON ours.job_id = jobs.id
        WHERE jobs.status = 'todo' ORDER BY jobs.id LIMIT 1)"""
_BY_ERROR: Final = """
    SELECT COALESCE(ours.last_error_type, 'unknown'), count(*)
    FROM procrastinate_jobs AS jobs JOIN scenesync_jobs AS ours ON ours.job_id = jobs.id
    WHERE jobs.status = 'todo' AND ours.due_at > 0 GROUP BY 1"""
_FREE: Final = """
    NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs AS running WHERE running.lock = jobs.lock AND running.status = 'doing')"""
_IS_DUE: Final = f"""
    SELECT EXISTS (
        SELECT 1 FROM procrastinate_jobs AS jobs
        WHERE jobs.status = 'todo' AND jobs.priority > {ASLEEP} AND {_FREE})"""
_WAKES_IN: Final = f"""
    SELECT EXTRACT(EPOCH FROM ours.wakes_at - now())::float8
    FROM scenesync_jobs AS ours CROSS JOIN LATERAL ({WAITS.format(row="ours.job_id")}) AS jobs
    WHERE ours.wakes_at IS NOT NULL AND {_FREE}
    ORDER BY ours.wakes_at LIMIT 1"""
_IN_HAND: Final = "doing"


def pending(connection: Connection, limit: int, after: int) -> tuple[PendingJob, ...]:
    """Return waiting jobs in the order of their rows, those after row ``after``."""
    return tuple(_job(row) for row in connection.execute(_PENDING, {"after": after, "limit": limit}).fetchall())


def find(connection: Connection, job_key: str) -> FoundJobs:
    """Return what waits and what is in hand under ``job_key``."""
    rows = _under_keys(connection, [job_key])
    return FoundJobs(
        waiting=tuple(_job(row) for row in rows if row[-1] != _IN_HAND),
        running=tuple(_job(row) for row in rows if row[-1] == _IN_HAND),
    )


def waiting_scenes(connection: Connection, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> set[int]:
    """Return those of the scenes for which a job waits, due or not."""
    found: set[int] = set()
    for batch in batched(scene_ids, _KEYS_AT_ONCE):
        by_lock = {lock_of({"job_key": key_of(scene_id)}): scene_id for scene_id in batch}
        rows = connection.execute(WAITING_KEYS, {"locks": list(by_lock)}).fetchall()
        found.update(by_lock[lock] for (lock,) in rows)
    return found


def departing_scenes(connection: Connection, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> set[int]:
    """Return those of the scenes of whose deletion a job tells that waits or is in hand."""
    found: set[int] = set()
    for batch in batched(scene_ids, _KEYS_AT_ONCE):
        by_key = {key_of(scene_id): scene_id for scene_id in batch}
        jobs = [_job(row).job for row in _under_keys(connection, by_key)]
        found.update(by_key[job["job_key"]] for job in jobs if job.get("update_type") == DESTROY)
    return found


def scenes_with_jobs(connection: Connection, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> set[int]:
    """Return those of the scenes for which a job waits or is in hand."""
    found: set[int] = set()
    for batch in batched(scene_ids, _KEYS_AT_ONCE):
        by_key = {key_of(scene_id): scene_id for scene_id in batch}
        found.update(by_key[_job(row).job["job_key"]] for row in _under_keys(connection, by_key))
    return found


def totals(connection: Connection) -> tuple[int, int]:
    """Return how many jobs were ever completed, and how many ever failed for good."""
    found: dict[str, int] = dict(connection.execute(_TOTALS).fetchall())
    return int(found["succeeded"]), int(found["failed"])


def next_due_at(connection: Connection, now: float) -> float | None:
    """Return when the next waiting job may run (0 for at once), None if none can without something else happening."""
    if _row(connection, _IS_DUE)[0]:
        return 0
    row = connection.execute(_WAKES_IN).fetchone()
    if row is None:
        return None
    return now + row[0] if row[0] > 0 else 0


def snapshot(connection: Connection, now: float) -> QueueSnapshot:
    """Return the queue in figures at ``now`` (epoch seconds)."""
    figures = _row(connection, _FIGURES, {"ahead_s": now - time.time()})
    waiting, asleep, in_progress, letters, oldest = figures
    completed, failed = totals(connection)
    return QueueSnapshot(
        pending=waiting,
        due=waiting - asleep,
        in_progress=in_progress,
        dead_letters=letters,
        completed_total=completed,
        failed_total=failed,
        oldest_pending_s=None if oldest is None else max(0.0, now - oldest),
        waiting_by_error=dict(connection.execute(_BY_ERROR).fetchall()),
    )


def _under_keys(connection: Connection, keys: Iterable[str]) -> list[tuple[Any, ...]]:
    locks = [lock_of({"job_key": key}) for key in keys]
    return connection.execute(_UNDER_LOCKS, {"locks": locks}).fetchall()


def _job(row: tuple[Any, ...]) -> PendingJob:
    row_id, data, lane, due_at, deliveries, stored_at, _ = row
    return PendingJob(row_id, merging.decode_job(data), lane, due_at, deliveries, stored_at)


def _row(connection: Connection, statement: str, values: dict[str, Any] | None = None) -> tuple[Any, ...]:
    row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None  # noqa: S101 - these statements return one row whatever there is
    return row
