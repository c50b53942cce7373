"""Read a SQLite file and leave no trace: nothing is made, written or locked beside it, and the disk may be read-only.

Which way is safe depends on what lies beside the file. Without a log it is complete in itself. With one it has to be
read together with it, through SQLite's index of the log (``-shm``), of which a private one in memory will do. Where
there is no such index and none may be made, a private copy of both is read.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Final

_LOGS: Final = ("-wal", "-journal")
_ATTEMPTS: Final = 3
_PRIMARY_CODE: Final = 0xFF
_NOT_THIS_WAY: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
_A_MOMENT_S: Final = 0.01
_LOOK: Final = "SELECT COUNT(*) FROM sqlite_master"


def connect(path: Path, *, timeout_s: float, check_same_thread: bool = True) -> sqlite3.Connection:
    """Return a connection that reads the existing file ``path``, in autocommit mode.

    One that reads a file without a log sees whatever is in it: if somebody begins to write in that moment, it may look
    damaged, and should be looked at again. What is read begins with ``begin``. Raises sqlite3.Error, OSError.
    """
    for _ in range(_ATTEMPTS):  # others may open or close the file between two looks
        if not any(_beside(path, log).exists() for log in _LOGS):
            return _open(path, "mode=ro&immutable=1", timeout_s, check_same_thread)
        if _beside(path, "-wal").exists() and not _beside(path, "-shm").exists():
            continue
        # readonly_shm: an index that a crash left would otherwise be made anew (sqlite.org/wal.html#readonly).
        for mode in ("mode=ro&readonly_shm=1", "mode=ro"):
            connection = _open(path, mode, timeout_s, check_same_thread)
            if _answers(connection):
                return connection
    return _private_copy(path, check_same_thread)


def begin(connection: sqlite3.Connection) -> None:
    """Begin a transaction in which all that is read is of one moment. Raises sqlite3.Error.

    Who writes changes the index of the log in two steps. Whoever looks between them, and may not mend an index that a
    crash could have left so, is told of a database that cannot be written (SQLITE_READONLY_RECOVERY): once the
    transaction has seen the index, that is over.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        connection.execute("BEGIN")
        try:
            connection.execute(_LOOK).fetchone()
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if attempt == _ATTEMPTS or not is_another_way_needed(error):
                raise
            time.sleep(_A_MOMENT_S)
        else:
            return


def is_another_way_needed(error: sqlite3.Error) -> bool:
    """Say whether the file itself may be sound, but cannot be read in the way that was chosen, or not right now."""
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY_CODE in _NOT_THIS_WAY


def _open(path: Path, mode: str, timeout_s: float, check_same_thread: bool) -> sqlite3.Connection:  # noqa: FBT001 - sqlite3's own
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=check_same_thread,
    )


def _answers(connection: sqlite3.Connection) -> bool:
    """Say whether the file can be read in this way; close the connection if not. Other errors are raised."""
    try:
        connection.execute(_LOOK).fetchone()
    except sqlite3.Error as error:
        connection.close()
        if is_another_way_needed(error):
            return False
        raise
    return True


def _private_copy(path: Path, check_same_thread: bool) -> sqlite3.Connection:  # noqa: FBT001 - sqlite3's own
    """Return a connection to a copy in memory. Nobody writes the file: who does has an index of the log."""
    with tempfile.TemporaryDirectory(prefix="scenesync-") as folder:
        copy = Path(folder, path.name)
        for suffix in ("", *_LOGS):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(_beside(path, suffix), _beside(copy, suffix))
        with contextlib.closing(sqlite3.connect(copy)) as source:
            return in_memory(source, check_same_thread=check_same_thread)


def in_memory(source: sqlite3.Connection, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Return a copy of a database that can be changed without anybody noticing."""
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=check_same_thread)
    try:
        source.backup(copy)
    except BaseException:
        copy.close()
        raise
    return copy


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
