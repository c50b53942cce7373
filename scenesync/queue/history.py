"""Keeping the file small: finished rows are pruned in small passes, the write-ahead log is checkpointed."""

import sqlite3
from typing import Final

from scenesync.queue.schema import COMPLETED, FAILED

KEEP_FINISHED: Final = 1000
PASS_ROWS: Final = 1024
FREED_PAGES: Final = 256

_CUTOFF: Final = "SELECT _id FROM ack_queue_default WHERE status = {status} ORDER BY _id DESC LIMIT 1 OFFSET ?"
_PRUNE: Final = """
    DELETE FROM ack_queue_default WHERE _id IN (
        SELECT _id FROM ack_queue_default WHERE status = {status} AND _id <= ? ORDER BY _id LIMIT {rows})"""
_COUNT_PRUNED: Final = "UPDATE counters SET value = value + ? WHERE name = ?"
# What was pruned plus what is still there, so that completions by a stock reader count as well.
TOTALS: Final = """
    SELECT
        (SELECT value FROM counters WHERE name = 'completed_pruned')
            + (SELECT COUNT(*) FROM ack_queue_default WHERE status = 5),
        (SELECT value FROM counters WHERE name = 'failed_pruned')
            + (SELECT COUNT(*) FROM ack_queue_default WHERE status = 9)"""


def prune(connection: sqlite3.Connection, keep: int = KEEP_FINISHED) -> int:
    """Delete finished rows but the newest ``keep`` of each kind, at most PASS_ROWS of each; return how many.

    Runs inside the caller's transaction. Totals go on counting what was deleted.
    """
    pruned = 0
    for status, counter in ((COMPLETED, "completed_pruned"), (FAILED, "failed_pruned")):
        cutoff = connection.execute(_CUTOFF.format(status=status), (keep,)).fetchone()
        if cutoff is None:
            continue
        deleted = connection.execute(_PRUNE.format(status=status, rows=PASS_ROWS), cutoff).rowcount
        connection.execute(_COUNT_PRUNED, (deleted, counter))
        pruned += deleted
    return pruned


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many jobs were ever completed, and how many ever failed for good."""
    completed, failed = connection.execute(TOTALS).fetchone()
    return int(completed), int(failed)


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the write-ahead log into the file as far as nobody needs it, and give back some free pages."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    connection.execute(f"PRAGMA incremental_vacuum({FREED_PAGES})").fetchall()
