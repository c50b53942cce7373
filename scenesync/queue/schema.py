"""The queue's file: persist-queue's table, our additions to it, and how to open it.

A stock ``persistqueue.SQLiteAckQueue`` (JSON serialiser) can read and write the same file: the first four columns and
the status codes are its own, everything else is nullable, has a default or is kept up to date by triggers.
"""

# ruff: noqa: S608 (statements here are put together from names of this module, never from a value)

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from scenesync.queue.errors import QueueUnsupported, QueueUnwritable, from_os, primary_code, translated

Journal = Literal["wal", "truncate"]

FILE_NAME: Final = "data.db"
TABLE: Final = "ack_queue_default"
READY, CLAIMED, COMPLETED, FAILED = 1, 2, 5, 9  # persistqueue.sqlackqueue.AckStatus; 0 (new) and 1 are both waiting
SCHEMA_VERSION: Final = 6
# RETURNING and DROP COLUMN came with 3.35, the latter without faults with 3.35.5.
MINIMUM_SQLITE: Final = (3, 35, 5)
PAUSE_S: Final = 0.002  # between transactions in a row: a hook that waits for the write lock looks every millisecond
_CREATE_PATIENCE = 200
_JOURNAL_SIZE_LIMIT_BYTES: Final = 16 * 1024 * 1024

# `data` is a BLOB (persist-queue's JSON serialiser gives bytes), and SQLite's JSON functions before 3.45 refuse BLOBs.
_TEXT: Final = "CAST(data AS TEXT)"
# Guarded: a pickled row must neither break an index nor an insert of the stock class.
JOB_KEY_EXPRESSION: Final = f"CASE WHEN json_valid({_TEXT}) THEN json_extract({_TEXT}, '$.job_key') END"
DUE_AT_EXPRESSION: Final = (
    f"CASE WHEN json_valid({_TEXT}) AND json_type({_TEXT}, '$.next_retry_at') IN ('integer', 'real') "
    f"THEN json_extract({_TEXT}, '$.next_retry_at') ELSE 0 END"
)
ERROR_EXPRESSION: Final = (
    f"CASE WHEN json_valid({_TEXT}) AND json_type({_TEXT}, '$.last_error_type') = 'text' "
    f"THEN json_extract({_TEXT}, '$.last_error_type') END"
)
_DERIVED: Final = f"job_key = {JOB_KEY_EXPRESSION}, due_at = {DUE_AT_EXPRESSION}, last_error_type = {ERROR_EXPRESSION}"

# SQLite uses a partial index only if the query repeats its WHERE term literally: queries say `status < 2`
# or `claimed_at IS NOT NULL`, never something equivalent. tests/unit/queue/test_queue_plans.py guards it.
_TO_VERSION_1: Final = (
    """CREATE TABLE IF NOT EXISTS ack_queue_default (
        _id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB, timestamp FLOAT, status INTEGER)""",
    "ALTER TABLE ack_queue_default ADD COLUMN owner TEXT",
    "ALTER TABLE ack_queue_default ADD COLUMN claim_no INTEGER",
    "ALTER TABLE ack_queue_default ADD COLUMN claimed_at REAL",
    "ALTER TABLE ack_queue_default ADD COLUMN deliveries INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE ack_queue_default ADD COLUMN priority INTEGER NOT NULL DEFAULT 10",
    "ALTER TABLE ack_queue_default ADD COLUMN event_at REAL",
    f"ALTER TABLE ack_queue_default ADD COLUMN job_key TEXT GENERATED ALWAYS AS ({JOB_KEY_EXPRESSION}) VIRTUAL",
    f"ALTER TABLE ack_queue_default ADD COLUMN due_at REAL GENERATED ALWAYS AS ({DUE_AT_EXPRESSION}) VIRTUAL",
    "CREATE INDEX waiting_by_lane ON ack_queue_default (priority, due_at, _id) WHERE status < 2",
    # Not UNIQUE: the stock class and people's scripts would get an IntegrityError from put() and nack(). The write lock
    # under which we merge gives the same guarantee for ourselves.
    "CREATE INDEX waiting_by_key ON ack_queue_default (job_key) WHERE status < 2",
    "CREATE INDEX claimed_by_key ON ack_queue_default (job_key) WHERE status = 2",
    "CREATE INDEX completed_rows ON ack_queue_default (_id) WHERE status = 5",
    "CREATE INDEX failed_rows ON ack_queue_default (_id) WHERE status = 9",
    """CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT, row_id INTEGER, scene_id INTEGER, job_key TEXT, job BLOB NOT NULL,
        error_type TEXT NOT NULL, message TEXT NOT NULL, traceback TEXT NOT NULL, advice TEXT NOT NULL,
        attempts INTEGER NOT NULL, details BLOB NOT NULL, failed_at REAL NOT NULL)""",
    "CREATE INDEX dead_letters_by_time ON dead_letters (failed_at)",
    "CREATE INDEX dead_letters_by_scene ON dead_letters (scene_id)",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO counters (name, value) VALUES ('completed_pruned', 0), ('failed_pruned', 0)",
    "CREATE TABLE taken_in_events (event_id TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE foreign_rows (
        id INTEGER PRIMARY KEY AUTOINCREMENT, row_id INTEGER, data BLOB, timestamp FLOAT, status INTEGER,
        reason TEXT NOT NULL, moved_at REAL NOT NULL)""",
    # Pickled rows of an older tool: kept, never loaded (loading a pickle runs code).
    """INSERT INTO foreign_rows (row_id, data, timestamp, status, reason, moved_at)
        SELECT _id, data, timestamp, status, 'not JSON', CAST(strftime('%s', 'now') AS REAL)
        FROM ack_queue_default WHERE NOT json_valid(CAST(data AS TEXT))""",
    "DELETE FROM ack_queue_default WHERE NOT json_valid(CAST(data AS TEXT))",
)
# What indexes need of a job stands in real columns: to look into the JSON at each step of a row costs more than the
# step. The triggers serve whoever writes `data` alone: the stock class, the hook, people's scripts.
_TO_VERSION_2: Final = (
    "DROP INDEX waiting_by_lane",
    "DROP INDEX waiting_by_key",
    "DROP INDEX claimed_by_key",
    "ALTER TABLE ack_queue_default DROP COLUMN job_key",
    "ALTER TABLE ack_queue_default DROP COLUMN due_at",
    "ALTER TABLE ack_queue_default ADD COLUMN job_key TEXT",
    "ALTER TABLE ack_queue_default ADD COLUMN due_at REAL",
    "ALTER TABLE ack_queue_default ADD COLUMN last_error_type TEXT",
    f"UPDATE ack_queue_default SET {_DERIVED}",
    f"""CREATE TRIGGER derive_on_insert AFTER INSERT ON ack_queue_default WHEN NEW.due_at IS NULL BEGIN
        UPDATE ack_queue_default SET {_DERIVED} WHERE _id = NEW._id;
    END""",
    f"""CREATE TRIGGER derive_on_update AFTER UPDATE OF data ON ack_queue_default BEGIN
        UPDATE ack_queue_default SET {_DERIVED} WHERE _id = NEW._id;
    END""",
    "CREATE INDEX waiting_by_lane ON ack_queue_default (priority, due_at, _id) WHERE status < 2",
    # Of all rows: it is then touched neither by a claim nor by an end. Finished rows are few.
    "CREATE INDEX rows_by_key ON ack_queue_default (job_key)",
    "CREATE INDEX claimed_by_key ON ack_queue_default (job_key) WHERE status = 2",
    """CREATE INDEX waiting_for_plex ON ack_queue_default (due_at)
        WHERE status < 2 AND last_error_type = 'PlexNotFound'""",
    # Signs of life where the disk has no locks to rely on (lease.py).
    """CREATE TABLE leases (
        owner TEXT PRIMARY KEY, beat INTEGER NOT NULL, renewed_at REAL NOT NULL) WITHOUT ROWID""",
)
# What a step costs is the pages that it changes: each goes to the log as a whole. So one index instead of three holds
# what is or was in somebody's hands; a claim enters the row, and an end does not touch the index, since `status` is not
# in it. The triggers serve the stock class and raw SQL, which do not know `claimed_at`.
_TO_VERSION_3: Final = (
    "DROP INDEX claimed_by_key",
    "DROP INDEX completed_rows",
    "DROP INDEX failed_rows",
    """UPDATE ack_queue_default SET claimed_at = CASE WHEN status >= 2 THEN COALESCE(timestamp, 0) END
        WHERE (status >= 2) = (claimed_at IS NULL)""",
    "CREATE INDEX taken_rows ON ack_queue_default (_id) WHERE claimed_at IS NOT NULL",
    "ALTER TABLE ack_queue_default ADD COLUMN file_key TEXT",
    "DROP INDEX waiting_for_plex",
    """CREATE INDEX waiting_for_files ON ack_queue_default (file_key, due_at)
        WHERE status < 2 AND last_error_type = 'PlexNotFound'""",
    "DROP TRIGGER derive_on_update",
    f"""CREATE TRIGGER derive_on_update AFTER UPDATE OF data ON ack_queue_default BEGIN
        UPDATE ack_queue_default SET {_DERIVED}, file_key = NULL WHERE _id = NEW._id;
    END""",
    "DROP TRIGGER derive_on_insert",
    f"""CREATE TRIGGER derive_on_insert AFTER INSERT ON ack_queue_default WHEN NEW.due_at IS NULL BEGIN
        UPDATE ack_queue_default SET {_DERIVED}, claimed_at = CASE WHEN status >= 2 THEN COALESCE(timestamp, 0) END
        WHERE _id = NEW._id;
    END""",
    """CREATE TRIGGER note_claim AFTER UPDATE OF status ON ack_queue_default
        WHEN NEW.status >= 2 AND NEW.claimed_at IS NULL BEGIN
        UPDATE ack_queue_default SET claimed_at = CAST(strftime('%s', 'now') AS REAL) WHERE _id = NEW._id;
    END""",
)
TAKEN: Final = "claimed_at IS NOT NULL"  # since version 3
# When the newest event in the letter's job arrived (the job itself says when the first did): after a replay, an event
# that comes late is compared with it. NULL if not known: letters of earlier versions, or saved from damage.
_TO_VERSION_4: Final = ("ALTER TABLE dead_letters ADD COLUMN event_at REAL",)
# People look at dead letters by their errors, and a wrong path map makes as many of them as there are scenes.
_TO_VERSION_5: Final = ("CREATE INDEX dead_letters_by_error ON dead_letters (error_type, failed_at)",)
# Events that go on to other queues, and up to which number those of other files came in here (forwarding/rows.py).
_TO_VERSION_6: Final = (
    "CREATE TABLE outbox (id TEXT NOT NULL)",
    "INSERT INTO outbox (id) VALUES (lower(hex(randomblob(16))))",
    """CREATE TABLE outbox_events (
        number INTEGER PRIMARY KEY AUTOINCREMENT, job_key TEXT, data BLOB NOT NULL, lane INTEGER NOT NULL,
        event_at REAL NOT NULL)""",
    "CREATE INDEX outbox_events_by_key ON outbox_events (job_key)",
    "CREATE TABLE taken_in_outboxes (outbox_id TEXT PRIMARY KEY, taken_up_to INTEGER NOT NULL) WITHOUT ROWID",
)
MIGRATIONS: Final = (_TO_VERSION_1, _TO_VERSION_2, _TO_VERSION_3, _TO_VERSION_4, _TO_VERSION_5, _TO_VERSION_6)


def open_queue_file(
    folder: str, *, synchronous: str, journal: Journal = "wal", timeout_s: float = 10.0
) -> sqlite3.Connection:
    """Open ``folder``'s queue for reading and writing; make folder and file if missing, migrate if old.

    The connection is in autocommit mode and may be used by any thread, one at a time; it never checkpoints by itself.
    Raises the errors of ``QueueError``.
    """
    require_sqlite()
    make_private_folder(folder)
    path = Path(folder, FILE_NAME)
    _make_private_file(path)
    with translated(folder):
        connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
        try:
            _configure(connection, folder, synchronous, journal)
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def require_sqlite() -> None:
    """Raise QueueUnsupported if this Python's SQLite is too old."""
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        needed = ".".join(map(str, MINIMUM_SQLITE))
        raise QueueUnsupported(
            f"This Python brings SQLite {sqlite3.sqlite_version}; the queue needs {needed} or newer. "
            "Run SceneSync with a newer Python (the venv of the plugin folder may use another one than Stash)."
        )


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one transaction with the write lock from its start, so that it may read, decide and write."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After an I/O error or a full disk SQLite has rolled back already; a blind ROLLBACK would hide the true error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to SCHEMA_VERSION; each step and the note that it ran share one transaction."""
    version = version_of(connection)
    if version > SCHEMA_VERSION:
        raise QueueUnsupported(
            f"The queue file was made by a newer SceneSync (schema {version}, this one knows {SCHEMA_VERSION}). "
            "Update SceneSync."
        )
    while version_of(connection) < SCHEMA_VERSION:
        with transaction(connection):
            version = version_of(connection)  # again, under the lock: another process may have been faster
            if version < SCHEMA_VERSION:
                for statement in MIGRATIONS[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")


def make_private_folder(folder: str) -> None:
    """Make ``folder`` and its missing parents, readable by their owner only. Raises QueueUnwritable, QueueDiskFull."""
    missing: list[Path] = []
    current = Path(folder).absolute()
    while not current.is_dir() and current not in missing:  # the root of a missing drive is its own parent
        missing.append(current)
        current = current.parent
    for path in reversed(missing):
        try:
            path.mkdir(0o700)
        except FileExistsError as error:
            if not path.is_dir():
                raise QueueUnwritable(folder, f"{path} is a file") from error
        except OSError as error:
            raise from_os(error, folder) from error


def _make_private_file(path: Path) -> None:
    try:
        path.touch(0o600)
    except OSError as error:
        raise from_os(error, str(path.parent)) from error
    # A stock queue made the file with the umask's mode. Not ours to change if it belongs to another user.
    with contextlib.suppress(PermissionError):
        path.chmod(0o600)


def _configure(connection: sqlite3.Connection, folder: str, synchronous: str, journal: Journal) -> None:
    if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only a file without pages can still choose
    mode = _set_journal_mode(connection, journal)
    if mode != journal:
        raise QueueUnsupported(
            f"The disk of the queue in {folder} does not do journal mode {journal!r} (SQLite stays with {mode!r}). "
            "Put the data directory on a local disk or open the queue with journal='truncate'."
        )
    # NORMAL is safe for the worker in WAL mode only (sqlite.org/pragma.html#pragma_synchronous).
    connection.execute(f"PRAGMA synchronous = {synchronous if mode == 'wal' else 'FULL'}")
    # Checkpoints are the worker's: two connections that checkpoint and write at once met a WAL bug up to SQLite 3.51.2.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_SIZE_LIMIT_BYTES}")
    connection.execute("PRAGMA cache_size = -8000")
    connection.execute("PRAGMA mmap_size = 0")


def _set_journal_mode(connection: sqlite3.Connection, journal: Journal) -> str:
    # Switching a new file to WAL ignores the busy time-out, so several processes that open it at once must try again.
    for attempt in range(_CREATE_PATIENCE):
        try:
            return str(connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()[0])
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or attempt == _CREATE_PATIENCE - 1:
                raise
            time.sleep(0.005 * (1 + attempt % 8))
    raise AssertionError("unreachable")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the file's layout, 0 for one that a stock queue made."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
