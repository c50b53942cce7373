"""Every step in the life of a row, as functions on a connection.

Who calls them holds a transaction where more than one statement runs (``schema.transaction``); none commits by itself.
Steps that leave *claimed* are fenced: they touch the row only while this owner holds it under this claim number.
"""

# ruff: noqa: S608 (statements here are put together from each other, never from a value)

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple, Self

from scenesync.domain.batches import batched
from scenesync.queue import awaited_files, merging
from scenesync.queue.errors import LeaseLost
from scenesync.queue.records import BulkResult, EnqueueResult, Job

# Longer than any wait that we plan (600 s): a job due later than this was planned by a clock that has jumped since.
CLOCK_JUMP_S: Final = 900.0

# The lanes in order, each found by one seek in the index, however many rows wait in it.
LANES: Final = """
    RECURSIVE lane (priority) AS (
        SELECT MIN(priority) FROM ack_queue_default WHERE status < 2
        UNION ALL
        SELECT (SELECT MIN(priority) FROM ack_queue_default WHERE status < 2 AND priority > lane.priority)
        FROM lane WHERE lane.priority IS NOT NULL)"""
# Never two at once under one key: an event that came while its scene is processed waits and runs once more.
_FREE: Final = """NOT EXISTS (
            SELECT 1 FROM ack_queue_default AS running
            WHERE running.status = 2 AND running.job_key = waiting.job_key)"""


def _first_in_lane(column: str, due: str) -> str:
    return f"""
        SELECT waiting.{column} FROM ack_queue_default AS waiting
        WHERE waiting.status < 2 AND waiting.priority = lane.priority AND waiting.due_at {due} AND {_FREE}
        ORDER BY waiting.due_at, waiting._id LIMIT 1"""


_MARK_CLAIMED: Final = """
    UPDATE ack_queue_default
    SET status = 2, owner = :owner, claim_no = :claim_no, claimed_at = :now, deliveries = deliveries + 1"""
_CLAIMED_ROW: Final = "RETURNING _id, data, timestamp, deliveries, priority"
# The first lane has something due nearly always: a plain seek, before all lanes are gone through.
CLAIM: Final = f"""
    {_MARK_CLAIMED}
    WHERE _id = COALESCE(
        (SELECT waiting._id FROM ack_queue_default AS waiting
        WHERE waiting.status < 2 AND waiting.due_at <= :now AND {_FREE}
          AND waiting.priority = (SELECT MIN(priority) FROM ack_queue_default WHERE status < 2)
        ORDER BY waiting.due_at, waiting._id LIMIT 1),
        (WITH {LANES}
        SELECT COALESCE(({_first_in_lane("_id", "<= :now")}), ({_first_in_lane("_id", "> :jumped")})) AS row_id
        FROM lane WHERE row_id IS NOT NULL LIMIT 1))
    {_CLAIMED_ROW}"""
CLAIM_BY_ID: Final = f"{_MARK_CLAIMED} WHERE _id = :row_id AND status < 2 {_CLAIMED_ROW}"
CLAIM_AFTER_ID: Final = f"""
    {_MARK_CLAIMED}
    WHERE _id = (SELECT _id FROM ack_queue_default WHERE _id > :row_id AND status < 2 ORDER BY _id LIMIT 1)
    {_CLAIMED_ROW}"""

DUE_IN_LANE: Final = f"""
    SELECT waiting._id FROM ack_queue_default AS waiting
    WHERE waiting.status < 2 AND waiting.priority = :lane AND waiting.due_at <= :now AND {_FREE}
    ORDER BY waiting.due_at, waiting._id LIMIT 1"""

CLAIM_IN_LANE: Final = f"{_MARK_CLAIMED} WHERE _id = ({DUE_IN_LANE}) {_CLAIMED_ROW}"

_FENCE: Final = "_id = :row_id AND status = 2 AND owner IS :owner AND claim_no IS :claim_no"
IS_HELD: Final = f"SELECT data, priority, event_at, timestamp, deliveries FROM ack_queue_default WHERE {_FENCE}"
IS_LOST: Final = f"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM ack_queue_default WHERE {_FENCE})"
FINISH: Final = f"UPDATE ack_queue_default SET status = :status, owner = NULL, claim_no = NULL WHERE {_FENCE}"
GIVE_BACK: Final = """
    UPDATE ack_queue_default
    SET status = 1, owner = NULL, claim_no = NULL, claimed_at = NULL, data = :data, deliveries = :deliveries
    WHERE _id = :row_id"""
WAITING_BY_KEY: Final = """
    SELECT _id, data, priority, COALESCE(event_at, timestamp), deliveries
    FROM ack_queue_default WHERE job_key = ? AND status < 2 ORDER BY _id DESC LIMIT 1"""
# Without a due time (NULL) a trigger looks into the data for it, and for the key.
INSERT: Final = """
    INSERT INTO ack_queue_default (data, timestamp, status, priority, event_at, job_key, due_at)
    VALUES (?, ?, 0, ?, ?, ?, ?)"""
# A statement for each row would spend half of its time on beginning and ending.
_ROWS_AT_ONCE: Final = 100
_INSERT_ROWS: Final = INSERT + ", (?, ?, 0, ?, ?, ?, ?)" * (_ROWS_AT_ONCE - 1)
REPLACE: Final = "UPDATE ack_queue_default SET data = ?, priority = ?, event_at = ? WHERE _id = ?"
NEXT_DUE: Final = f"""
    WITH {LANES}
    SELECT MIN(CASE
        WHEN EXISTS ({_first_in_lane("_id", "<= :now")}) OR EXISTS ({_first_in_lane("_id", "> :jumped")}) THEN 0
        ELSE ({_first_in_lane("due_at", "> :now")}) END)
    FROM lane"""
MOVE_ASIDE: Final = """
    INSERT INTO foreign_rows (row_id, data, timestamp, status, reason, moved_at)
    SELECT _id, data, timestamp, status, ?, ? FROM ack_queue_default WHERE _id = ?"""
DELETE: Final = "DELETE FROM ack_queue_default WHERE _id = ?"

Row = tuple[Any, ...]
_RETRY_FIELDS: Final = frozenset(merging.RETRY_FIELDS)


class Event(NamedTuple):
    """A job on its way in, encoded before the write lock is taken. ``happened_at`` is in epoch seconds."""

    job: Mapping[str, Any]
    data: bytes
    happened_at: float

    @classmethod
    def of(cls, job: Mapping[str, Any], now: float) -> Self:
        """Return the event of ``job``, which happened ``now`` if it does not say when."""
        return cls(job, merging.encode(job), merging.event_time(job, now))

    def row(self, priority: int, now: float, *, newest: bool = True) -> Row:
        """Return the values of INSERT. Of a live event it counts when it arrived, not when its sender says it was."""
        key = self.job.get("job_key")
        plain = (key is None or isinstance(key, str)) and _RETRY_FIELDS.isdisjoint(self.job)
        event_at = now if newest else self.happened_at
        return (self.data, now, priority, event_at, key if plain else None, 0.0 if plain else None)


def enqueue(
    connection: sqlite3.Connection, event: Event, *, priority: int, now: float, newest: bool = True
) -> EnqueueResult:
    """Add the event's job, or merge it into the job that waits under its key.

    ``newest`` is False for events that may come late (spool, replay): then the times of the events decide.
    """
    row = waiting_under_key(connection, event.job.get("job_key"))
    if row is None:
        values = event.row(priority, now, newest=newest)
        return EnqueueResult(connection.execute(INSERT, values).lastrowid or 0, merged=False)
    row_id, data, *place = row
    waiting = merging.Standing(merging.decode_job(data), *place)
    joined = merging.joined_by_event(waiting, event.job, event.happened_at, lane=priority, now=now, newest=newest)
    connection.execute(REPLACE, (merging.encode(joined.job), joined.lane, joined.event_at, row_id))
    return EnqueueResult(row_id, merged=True)


def enqueue_batch(connection: sqlite3.Connection, events: Sequence[Event], *, priority: int, now: float) -> BulkResult:
    """Add many jobs by one look-up and a few inserts; those that wait already are merged one by one."""
    keys = [event.job.get("job_key") for event in events]
    waiting = _waiting_keys(connection, keys)
    new: list[Row] = []
    one_by_one: list[Event] = []
    for event, key in zip(events, keys, strict=True):
        if key is None or (isinstance(key, str) and key not in waiting):
            waiting.add(key)
            new.append(event.row(priority, now))
        else:
            one_by_one.append(event)
    for rows in batched(new, _ROWS_AT_ONCE):
        if len(rows) == _ROWS_AT_ONCE:
            connection.execute(_INSERT_ROWS, tuple(chain.from_iterable(rows)))
        else:
            connection.executemany(INSERT, rows)
    merged = sum(enqueue(connection, event, priority=priority, now=now).merged for event in one_by_one)
    return BulkResult(created=len(events) - merged, merged=merged)


def waiting_under_key(connection: sqlite3.Connection, job_key: object) -> Row | None:
    """Return (row id, data, priority, time of the last event, deliveries) of the job that waits under ``job_key``."""
    if job_key is None:
        return None
    return _one(connection.execute(WAITING_BY_KEY, (job_key,)))


def claim(
    connection: sqlite3.Connection,
    *,
    owner: str,
    claim_no: int,
    now: float,
    after: int | None = None,
    row_id: int | None = None,
    lane: int | None = None,
) -> Row | None:
    """Claim one row: the first that is due (in ``lane`` alone), the one with ``row_id``, or the next ``after`` one."""
    values = {"owner": owner, "claim_no": claim_no, "now": now, "jumped": now + CLOCK_JUMP_S, "row_id": row_id or after}
    if lane is not None:
        return _one(connection.execute(CLAIM_IN_LANE, {**values, "lane": lane}))
    statement = CLAIM_BY_ID if row_id is not None else CLAIM if after is None else CLAIM_AFTER_ID
    return _one(connection.execute(statement, values))


def is_due_in_lane(connection: sqlite3.Connection, lane: int, now: float) -> bool:
    """Say whether there is anything to claim in a lane, without taking the write lock to find out."""
    return _one(connection.execute(DUE_IN_LANE, {"lane": lane, "now": now})) is not None


def is_held(connection: sqlite3.Connection, row_id: int, owner: str | None, claim_no: int | None) -> Row | None:
    """Return the row if it is still claimed by ``owner`` under ``claim_no``."""
    return _one(connection.execute(IS_HELD, {"row_id": row_id, "owner": owner, "claim_no": claim_no}))


def is_lost(connection: sqlite3.Connection, row_id: int, owner: str | None, claim_no: int | None) -> bool:
    """Say whether the row is not any more what ``is_held`` would return.

    Asked so that there is mostly no row: each costs one more turn of the interpreter, right before a write.
    """
    return _one(connection.execute(IS_LOST, {"row_id": row_id, "owner": owner, "claim_no": claim_no})) is not None


def finish(connection: sqlite3.Connection, row_id: int, owner: str | None, claim_no: int | None, status: int) -> None:
    """End a claimed row for good. Raises LeaseLost."""
    values = {"row_id": row_id, "owner": owner, "claim_no": claim_no, "status": status}
    if connection.execute(FINISH, values).rowcount != 1:
        raise LeaseLost(row_id)


def finish_all(
    connection: sqlite3.Connection, keys: Iterable[tuple[int, int | None]], owner: str | None, status: int
) -> frozenset[tuple[int, int | None]]:
    """End claimed rows, named by row id and claim number, for good; return which were still held."""
    values = ((key, {"row_id": key[0], "owner": owner, "claim_no": key[1], "status": status}) for key in keys)
    return frozenset(key for key, each in values if connection.execute(FINISH, each).rowcount == 1)


def give_back(
    connection: sqlite3.Connection,
    row_id: int,
    owner: str | None,
    claim_no: int | None,
    *,
    job: Mapping[str, Any] | None = None,
    keep_deliveries: bool = False,
) -> None:
    """Make a claimed row wait again, with ``job`` as its new content or unchanged. Raises LeaseLost.

    If another event waits under the same key, the row that waits stands for both, due when it was, and the old row
    ends: never two waiting rows, never an older content written last (what waits may be older: a replay, a late event).
    """
    row = is_held(connection, row_id, owner, claim_no)
    if row is None:
        raise LeaseLost(row_id)
    data, priority, last_event, timestamp, deliveries = row
    old = _job_or_none(data) if job is None else job
    other = waiting_under_key(connection, old.get("job_key")) if old is not None else None
    kept_deliveries = deliveries if keep_deliveries else 0
    if old is None or other is None:
        values = {"row_id": row_id, "data": data if job is None else merging.encode(job), "deliveries": kept_deliveries}
        connection.execute(GIVE_BACK, values)
        if job is not None:
            awaited_files.note(connection, row_id, job)
        return
    other_id, other_data, *place = other
    joined = merging.joined_by_run(
        merging.Standing(merging.decode_job(other_data), *place),
        merging.Standing(dict(old), priority, last_event or timestamp, kept_deliveries),
    )
    connection.execute(
        "UPDATE ack_queue_default SET data = ?, priority = ?, deliveries = ?, event_at = ? WHERE _id = ?",
        (merging.encode(joined.job), joined.lane, joined.deliveries, joined.event_at, other_id),
    )
    connection.execute(DELETE, (row_id,))


def move_aside(connection: sqlite3.Connection, row_id: int, *, reason: str, now: float) -> None:
    """Take a row that is no job of ours out of the queue, unread, and keep it in ``foreign_rows``."""
    connection.execute(MOVE_ASIDE, (reason, now, row_id))
    connection.execute(DELETE, (row_id,))


def next_due_at(connection: sqlite3.Connection, now: float) -> float | None:
    """Return when the next waiting job may run (0 for at once), None if none can without something else happening."""
    row = _one(connection.execute(NEXT_DUE, {"now": now, "jumped": now + CLOCK_JUMP_S}))
    return None if row is None or row[0] is None else float(row[0])


def _waiting_keys(connection: sqlite3.Connection, keys: Sequence[object]) -> set[object]:
    if not keys:
        return set()
    places = ",".join("?" * len(keys))
    statement = f"SELECT job_key FROM ack_queue_default WHERE job_key IN ({places}) AND status < 2"
    return {key for (key,) in connection.execute(statement, keys).fetchall()}


def _job_or_none(data: object) -> Job | None:
    try:
        return merging.decode_job(data)
    except ValueError:
        return None


def _one(cursor: sqlite3.Cursor) -> Row | None:
    # Fetched to the end before anything else happens: only then does a statement that writes and returns rows commit.
    rows: list[Row] = cursor.fetchall()
    return rows[0] if rows else None
