"""Keeping the file small: finished rows are pruned in small passes, the write-ahead log is checkpointed."""

# ruff: noqa: S608 (statements here are put together from names of this package, never from a value)

import sqlite3
from collections import Counter
from typing import Final

from scenesync.queue.errors import primary_code
from scenesync.queue.schema import COMPLETED, FAILED, TAKEN

KEEP_FINISHED: Final = 1000
PASS_ROWS: Final = 1024
SPARE_PAGES: Final = 1024  # the next jobs take them; to give them back at once would move pages to and fro
PASS_PAGES: Final = 256
LONGEST_LOG_PAGES: Final = 4096  # 16 MiB, twice of what 512 jobs write until the next time

_CUTOFF: Final = """
    SELECT _id FROM ack_queue_default WHERE claimed_at IS NOT NULL AND status > 2
    ORDER BY _id DESC LIMIT 1 OFFSET ?"""
_PRUNE: Final = """
    DELETE FROM ack_queue_default WHERE _id IN (
        SELECT _id FROM ack_queue_default WHERE claimed_at IS NOT NULL AND status > 2 AND _id <= ?
        ORDER BY _id LIMIT ?)
    RETURNING status"""
_COUNT_PRUNED: Final = "UPDATE counters SET value = value + ? WHERE name = ?"
_COUNTERS: Final = {COMPLETED: "completed_pruned", FAILED: "failed_pruned"}
# What was pruned plus what is still there, so that completions by a stock reader count as well.
_TOTALS: Final = f"""
    SELECT
        (SELECT value FROM counters WHERE name = 'completed_pruned')
            + (SELECT COUNT(*) FROM ack_queue_default WHERE {TAKEN} AND status = 5),
        (SELECT value FROM counters WHERE name = 'failed_pruned')
            + (SELECT COUNT(*) FROM ack_queue_default WHERE {TAKEN} AND status = 9)"""


def prune(connection: sqlite3.Connection, keep: int = KEEP_FINISHED) -> int:
    """Delete finished rows but the newest ``keep``, at most PASS_ROWS; return how many.

    Runs inside the caller's transaction. Totals go on counting what was deleted.
    """
    cutoff = connection.execute(_CUTOFF, (keep,)).fetchone()
    if cutoff is None:
        return 0
    deleted = Counter(status for (status,) in connection.execute(_PRUNE, (*cutoff, PASS_ROWS)).fetchall())
    for status, counter in _COUNTERS.items():
        if deleted[status]:
            connection.execute(_COUNT_PRUNED, (deleted[status], counter))
    return deleted.total()


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many jobs were ever completed, and how many ever failed for good."""
    completed, failed = connection.execute(_TOTALS).fetchone()
    return int(completed), int(failed)


def checkpoint(connection: sqlite3.Connection, before: int = 0) -> int:
    """Copy the write-ahead log into the file as far as nobody needs it, and give back free pages beyond a reserve.

    Returns how many pages are in the log; ``before`` is what the last time returned. A log that a bulk made long is cut
    off, and so is one with as many pages as before, in which nearly always nobody wrote since: it would be written over
    from its beginning, by hooks, who have to read from the disk by then what they write over a part of, while the
    others wait for the lock. While a reader is in the middle of something, it is left for the next time.
    """
    try:
        return _checkpointed(connection, before)
    except sqlite3.OperationalError as error:
        if primary_code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise
        return before


def _checkpointed(connection: sqlite3.Connection, before: int) -> int:
    _, frames, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if frames == copied and (frames > LONGEST_LOG_PAGES or 0 < frames == before):
        frames = _emptied(connection)
    (free_pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    surplus = min(free_pages - SPARE_PAGES, PASS_PAGES)
    if surplus > 0:
        # As a script: a statement without columns is otherwise run for one step only, which is one page.
        connection.executescript(f"PRAGMA incremental_vacuum({surplus})")
    return int(frames)


def _emptied(connection: sqlite3.Connection) -> int:
    """Cut the log off, unless that would have to wait for somebody; return how many pages are in it then."""
    (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        _, frames, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience_ms}")
    return int(frames)
