"""The queue in figures, as ``status`` shows it."""

# ruff: noqa: S608 (statements here are put together from names of this package, never from a value)

import os
import time
from typing import Final

from scenesync.queue.history import totals
from scenesync.queue.read_only import QueueReader, read_queue
from scenesync.queue.records import QueueSnapshot
from scenesync.queue.schema import TAKEN
from scenesync.queue.spool_intake import SpoolIntake
from scenesync.queue.transitions import CLOCK_JUMP_S

_COUNTS: Final = f"""
    SELECT
        (SELECT COUNT(*) FROM ack_queue_default WHERE status < 2),
        (SELECT COUNT(*) FROM ack_queue_default WHERE status < 2 AND (due_at <= :now OR due_at > :jumped)),
        (SELECT COUNT(*) FROM ack_queue_default WHERE {TAKEN} AND status = 2),
        (SELECT COUNT(*) FROM dead_letters)"""
_OLDEST: Final = "SELECT timestamp FROM ack_queue_default WHERE status < 2 ORDER BY _id LIMIT 1"
# Only jobs that failed before have a due time, so the others are not even parsed.
_BY_ERROR: Final = """
    SELECT json_extract(CAST(data AS TEXT), '$.last_error_type') AS error, COUNT(*) FROM ack_queue_default
    WHERE status < 2 AND due_at > 0 GROUP BY error"""


def read_snapshot(path: str | os.PathLike[str], now: float | None = None) -> QueueSnapshot:
    """Return the state of the queue in folder ``path`` at ``now`` (epoch seconds); zeros if there is none.

    Also reads a file that a stock queue made. Raises QueueError.
    """
    at = time.time() if now is None else now
    # Unchecked: who watches progress asks several times a second.
    return read_queue(path, lambda reader: _counted(reader, at), checked=False)


def _counted(reader: QueueReader, now: float) -> QueueSnapshot:
    spooled = SpoolIntake(reader.folder).count()
    with reader.reading() as connection:
        values = {"now": now, "jumped": now + CLOCK_JUMP_S}
        pending, due, in_progress, letters = connection.execute(_COUNTS, values).fetchone()
        oldest = connection.execute(_OLDEST).fetchone()
        completed, failed = totals(connection)
        by_error = connection.execute(_BY_ERROR).fetchall()
    return QueueSnapshot(
        pending=pending + spooled,
        due=due + spooled,
        in_progress=in_progress,
        dead_letters=letters,
        completed_total=completed,
        failed_total=failed,
        oldest_pending_s=None if oldest is None else max(0.0, now - oldest[0]),
        waiting_by_error={error or "unknown": count for error, count in by_error},
        spooled=spooled,
    )
