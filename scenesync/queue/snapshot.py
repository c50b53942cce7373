"""The queue as ``status`` shows it: read only, nothing made, nothing migrated."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from scenesync.queue.errors import translated
from scenesync.queue.history import totals
from scenesync.queue.records import QueueSnapshot
from scenesync.queue.schema import DUE_AT_EXPRESSION, FILE_NAME, TABLE, TAKEN
from scenesync.queue.spool_intake import SpoolIntake
from scenesync.queue.transitions import CLOCK_JUMP_S

_ATTEMPTS: Final = 3
_TIMEOUT_S: Final = 2.0
_TAKEN_SINCE: Final = 3  # schema version
_COUNTS: Final = """
    SELECT
        (SELECT COUNT(*) FROM ack_queue_default WHERE status < 2),
        (SELECT COUNT(*) FROM ack_queue_default WHERE status < 2 AND ({due_at} <= :now OR {due_at} > :jumped)),
        (SELECT COUNT(*) FROM ack_queue_default WHERE {taken} AND status = 2)"""
_OLDEST: Final = "SELECT timestamp FROM ack_queue_default WHERE status < 2 ORDER BY _id LIMIT 1"
# Only jobs that failed before have a due time, so the others are not even parsed.
_BY_ERROR: Final = """
    SELECT json_extract(CAST(data AS TEXT), '$.last_error_type') AS error, COUNT(*) FROM ack_queue_default
    WHERE status < 2 AND due_at > 0 GROUP BY error"""
_STOCK_TOTALS: Final = """
    SELECT
        (SELECT COUNT(*) FROM ack_queue_default WHERE status = 5),
        (SELECT COUNT(*) FROM ack_queue_default WHERE status = 9)"""


def read_snapshot(path: str | os.PathLike[str], now: float | None = None) -> QueueSnapshot:
    """Return the state of the queue in folder ``path`` at ``now`` (epoch seconds); zeros if there is none.

    Also reads a file that a stock queue made. Raises QueueError.
    """
    folder = os.fspath(path)
    now = time.time() if now is None else now
    spooled = SpoolIntake(folder).count()
    file = Path(folder, FILE_NAME)
    if _size(file) == 0:
        return QueueSnapshot(pending=spooled, due=spooled, spooled=spooled)
    with translated(folder):
        for _ in range(_ATTEMPTS - 1):
            # Without a lock (see _open) a checkpoint in this very moment looks like damage: look again.
            with contextlib.suppress(sqlite3.DatabaseError):
                return _read(file, now, spooled)
        return _read(file, now, spooled)


def _read(file: Path, now: float, spooled: int) -> QueueSnapshot:
    with contextlib.closing(_open(file)) as connection:
        connection.execute("BEGIN")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if TABLE not in tables:
            return QueueSnapshot(pending=spooled, due=spooled, spooled=spooled)
        ours = "counters" in tables
        values = {"now": now, "jumped": now + CLOCK_JUMP_S}
        due_at = "due_at" if ours else f"({DUE_AT_EXPRESSION})"
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        taken = TAKEN if ours and version >= _TAKEN_SINCE else "TRUE"
        counts = _COUNTS.format(due_at=due_at, taken=taken)
        pending, due, in_progress = connection.execute(counts, values).fetchone()
        oldest = connection.execute(_OLDEST).fetchone()
        completed, failed = totals(connection, taken) if ours else connection.execute(_STOCK_TOTALS).fetchone()
        letters = connection.execute("SELECT COUNT(*) FROM dead_letters").fetchone()[0] if ours else 0
        by_error = connection.execute(_BY_ERROR).fetchall() if ours else []
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


def _open(file: Path) -> sqlite3.Connection:
    # A WAL database that nobody has open would get its -wal and -shm files made by a mere reader; without a log the
    # file is complete in itself and can be read as immutable.
    has_log = _size(Path(f"{file}-wal")) > 0 or Path(f"{file}-journal").exists()
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    return sqlite3.connect(
        f"file:{quote(str(file.absolute()))}?{mode}", uri=True, timeout=_TIMEOUT_S, isolation_level=None
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
