"""What a queue file keeps when its events go elsewhere, and when those of others come here: steps on a connection.

An event that leaves gets a number that is never given again, and its content stays as it is from then on: what happens
afterwards to the same scene is another event. So the other side need only remember the highest number that it took.
Every function runs inside the caller's transaction, which must be on disk before anything is sent.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from scenesync.queue import merging, transitions
from scenesync.queue.merging import Standing
from scenesync.queue.records import BulkResult, OutboxEvent

BATCH_ROWS: Final = 500
BATCH_BYTES: Final = 1_000_000
_NEW_ID: Final = "UPDATE outbox SET id = lower(hex(randomblob(10))) || ?"
_LAST_NUMBER: Final = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'outbox_events'"
_BEHIND: Final = """
    SELECT number, data, lane, event_at FROM outbox_events WHERE number > ? ORDER BY number LIMIT ?"""
_WAITING: Final = """
    SELECT _id, data, priority, COALESCE(event_at, timestamp) FROM ack_queue_default
    WHERE status < 2 ORDER BY priority, due_at, _id LIMIT ?"""
_OLDER: Final = "SELECT number, data, lane, event_at FROM outbox_events WHERE job_key = ? ORDER BY number DESC LIMIT 1"
_DELETE_NUMBER: Final = "DELETE FROM outbox_events WHERE number = ?"
_NUMBER: Final = "INSERT INTO outbox_events (job_key, data, lane, event_at) VALUES (?, ?, ?, ?)"
_DELETE_UP_TO: Final = "DELETE FROM outbox_events WHERE number <= ?"
_COUNT: Final = """
    SELECT (SELECT COUNT(*) FROM ack_queue_default WHERE status < 2) + (SELECT COUNT(*) FROM outbox_events),
        MIN(COALESCE((SELECT MIN(event_at) FROM outbox_events), 9e99),
            COALESCE((SELECT timestamp FROM ack_queue_default WHERE status < 2 ORDER BY _id LIMIT 1), 9e99))"""
_CLAIMED: Final = """
    SELECT _id, owner, claim_no FROM ack_queue_default WHERE claimed_at IS NOT NULL AND status = 2 ORDER BY _id"""
_TAKEN_FROM: Final = "SELECT taken_up_to FROM taken_in_outboxes WHERE outbox_id = ?"
_NOTE_TAKEN: Final = """
    INSERT INTO taken_in_outboxes (outbox_id, taken_up_to) VALUES (?, ?)
    ON CONFLICT (outbox_id) DO UPDATE SET taken_up_to = excluded.taken_up_to"""
_NOTHING: Final = 9e99


# -- on its way out


def identity(connection: sqlite3.Connection) -> str:
    """Return the name of this file as an outbox, made at random."""
    return str(_value(connection, "SELECT id FROM outbox"))


def renew(connection: sqlite3.Connection, mark: str) -> None:
    """Give the file another name: somebody else goes by this one (a copy of the file), or did (an older state).

    The name ends with ``mark``, which tells this file from its copies.
    """
    connection.execute(_NEW_ID, (mark,))


def last_number(connection: sqlite3.Connection) -> int:
    """Return the highest number that was ever given."""
    return int(_value(connection, _LAST_NUMBER))


def behind(connection: sqlite3.Connection, number: int, limit: int = BATCH_ROWS) -> list[OutboxEvent]:
    """Return the first numbered events behind ``number``, as many as BATCH_BYTES hold, at least one if there is any."""
    events: list[OutboxEvent] = []
    size = 0
    for row_number, data, lane, event_at in connection.execute(_BEHIND, (number, limit)):
        size += len(data)
        if events and size > BATCH_BYTES:
            break
        events.append(OutboxEvent(row_number, merging.decode_job(data), lane, event_at))
    return events


def is_anything_waiting(connection: sqlite3.Connection) -> bool:
    """Say whether a job waits that has no number yet."""
    return _value(connection, "SELECT 1 FROM ack_queue_default WHERE status < 2 LIMIT 1") is not None


def number_waiting(connection: sqlite3.Connection, now: float, limit: int = BATCH_ROWS) -> int:
    """Give numbers to the first waiting jobs, in the order in which they would be worked off; return how many rows.

    Of the events of one key that not everybody has taken one is kept, under the new number: so a place that is away
    for long never makes the file longer than there are scenes.
    """
    rows = connection.execute(_WAITING, (limit,)).fetchall()
    for row_id, data, lane, event_at in rows:
        try:
            job = merging.decode_job(data)
        except ValueError as error:
            transitions.move_aside(connection, row_id, reason=str(error), now=now)
            continue
        connection.execute(transitions.DELETE, (row_id,))
        _number(connection, Standing(job, lane, event_at, 0), now)
    return len(rows)


def forget_up_to(connection: sqlite3.Connection, number: int) -> int:
    """Delete the events up to ``number``, which everybody has taken; return how many."""
    return connection.execute(_DELETE_UP_TO, (number,)).rowcount


def give_back_claimed(connection: sqlite3.Connection) -> int:
    """Let wait what was in hand when this file was last worked off here; return how many.

    For who knows that nobody works it off any more.
    """
    rows = connection.execute(_CLAIMED).fetchall()
    for row_id, owner, claim_no in rows:
        transitions.give_back(connection, row_id, owner, claim_no)
    return len(rows)


def take_back(connection: sqlite3.Connection, now: float) -> int:
    """Let what was about to leave be worked off here again; return how many."""
    back = 0
    while events := behind(connection, 0):
        for each in events:
            _enqueue(connection, each, now)
        forget_up_to(connection, events[-1].number)
        back += len(events)
    return back


def waiting(connection: sqlite3.Connection) -> tuple[int, float | None]:
    """Return how many events have not left for good, and when the oldest came (epoch seconds, None without any)."""
    count, oldest = connection.execute(_COUNT).fetchone()
    return int(count), None if oldest == _NOTHING else float(oldest)


# -- on its way in


def taken_from(connection: sqlite3.Connection, outbox_id: str) -> int:
    """Return up to which number the events of an outbox were taken in here, 0 for none."""
    return int(_value(connection, _TAKEN_FROM, outbox_id) or 0)


def take_in(connection: sqlite3.Connection, outbox_id: str, events: Sequence[OutboxEvent], now: float) -> BulkResult:
    """Add those of the events that were not taken in before, and note that they were."""
    known = taken_from(connection, outbox_id)
    new = [each for each in events if each.number > known]
    if not new:
        return BulkResult()
    merged = sum(_enqueue(connection, each, now) for each in new)
    connection.execute(_NOTE_TAKEN, (outbox_id, new[-1].number))
    return BulkResult(created=len(new) - merged, merged=merged)


def _enqueue(connection: sqlite3.Connection, event: OutboxEvent, now: float) -> bool:
    """Add an event, which may come late; say whether it joined one that waited."""
    encoded = transitions.Event(event.job, merging.encode(event.job), event.happened_at)
    return transitions.enqueue(connection, encoded, priority=event.lane, now=now, newest=False).merged


def _number(connection: sqlite3.Connection, event: Standing, now: float) -> None:
    key = event.job.get("job_key")
    row = connection.execute(_OLDER, (key,)).fetchone() if isinstance(key, str) else None
    if row is not None:
        number, data, lane, event_at = row
        older = Standing(merging.decode_job(data), lane, event_at, 0)
        event = merging.joined_by_event(older, event.job, event.event_at, lane=event.lane, now=now, newest=False)
        connection.execute(_DELETE_NUMBER, (number,))
    content = merging.encode(event.job)
    connection.execute(_NUMBER, (key if isinstance(key, str) else None, content, event.lane, event.event_at))


def _value(connection: sqlite3.Connection, statement: str, *values: object) -> Any:  # noqa: ANN401 (a cell)
    row = connection.execute(statement, values).fetchone()
    return None if row is None else row[0]
