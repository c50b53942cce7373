"""Copy a SQLite database that others are writing to, as it is at one moment, into a file that is complete in itself."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from scenesync.disk import reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGES_AT_ONCE: Final = 2_000
STEPS_AT_ONCE: Final = 1_000_000
"""Of SQLite's machine: some hundredths of a second."""
PRIVATE: Final = 0o600
_TIMEOUT_S: Final = 10.0
_PRIMARY_CODE: Final = 0xFF
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Unsound(Exception):
    """A database does not pass SQLite's full check; the text is what the check said."""


def copy_database(source: Path, target: Path, go_on: Callable[[], None]) -> None:
    """Make ``target``, a new file for its owner alone, a checked copy of the database ``source``.

    Nobody has to stop writing: the copy is of the moment at which it began, and with a write-ahead log writers do not
    even wait. ``go_on`` is called every few megabytes and may raise to give up; then, and after any error but Unsound,
    ``target`` is of no use. Raises Unsound (``target`` is what the source is), sqlite3.Error, OSError.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        # Closed before the check: as long as a reader holds its view, the source's write-ahead log can only grow.
        with closing(_open(source)) as origin:
            # In a transaction of its own the view stays; otherwise each write of others would begin the copy anew
            # (sqlite.org/c3ref/backup_finish.html, on sqlite3_backup_step).
            reading.begin(origin)
            origin.backup(copy, pages=PAGES_AT_ONCE, progress=lambda *_: go_on(), sleep=0)
        # The source's mode came along with its first page; a file that travels must need no log beside it.
        copy.execute("PRAGMA journal_mode=DELETE").fetchone()
        go_on()
        require_sound(copy, go_on)


def require_sound(connection: sqlite3.Connection, go_on: Callable[[], None]) -> None:
    """Check the whole database, which reads it once; ``go_on`` may raise to give up. Raises Unsound, sqlite3.Error."""

    def is_given_up() -> bool:
        with suppress(Exception):  # raised once more below: out of here it would not come through SQLite
            go_on()
            return False
        return True

    connection.set_progress_handler(is_given_up, STEPS_AT_ONCE)
    try:
        finding = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        go_on()
        if error.sqlite_errorcode & _PRIMARY_CODE not in _DAMAGED:
            raise
        raise Unsound(error.sqlite_errorname) from error
    if finding != "ok":
        raise Unsound(finding.splitlines()[-1])


def _open(source: Path) -> sqlite3.Connection:
    # Not as a file that nobody writes, which ``reading.connect`` may take it for: somebody may begin to at any moment.
    return sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=_TIMEOUT_S, isolation_level=None)
