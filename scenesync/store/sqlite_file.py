"""The file under the embedded store: made private, checked, and moved aside when it is beyond reading.

Nothing here deletes anything. Opening is serialised between processes by a lock file that is itself an empty SQLite
database: SQLite's lock works on every system, and the kernel drops it with the process that held it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Final, Literal

from scenesync.disk import reading
from scenesync.store.errors import StoreDamaged, StoreUnavailable, damaged, from_os, is_damage, is_locked, translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

Journal = Literal["wal", "truncate"]
"""``truncate`` is for disks on which a write-ahead log is not safe: network shares."""

BUSY_TIMEOUT_S: Final = 10.0
"""How long a connection waits for another process's write."""

_OPENING_TIMEOUT_S: Final = 60.0
"""How long an opener waits for another one, which may be migrating a large file."""

_WAL_LIMIT_BYTES: Final = 32 * 1024 * 1024
"""What the write-ahead log is cut to after a large transaction; it would stay at its largest size for ever."""

# With these two, 100,000 items are taken over in 60 % of the time: their keys come in no order, so each batch touches
# pages all over the file, which should be neither read again nor checkpointed for every batch.
CACHE_FOR_MUCH_KIB: Final = 16 * 1024
_CHECKPOINT_PAGES: Final = 8_000
WRITER_CACHE_KIB: Final = 2_000
"""At all other times: what jobs write is mostly appended, and a cache fills up with that, however large it is."""

_READ: Final = "SELECT COUNT(*) FROM sqlite_master"
_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_HEADER: Final = b"SQLite format 3\x00"
_JOURNAL_HEADER: Final = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"  # sqlite.org/fileformat2.html#the_rollback_journal
SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database while it is in use."""


@contextmanager
def only_opener(path: Path) -> Iterator[None]:
    """Keep every other process from opening ``path`` for writing; raises StoreUnavailable after a minute."""
    too_long = StoreUnavailable(f"Another process has been opening {path.name} for too long.")
    with closing(_locked(path, ".opening", ("BEGIN EXCLUSIVE",), _OPENING_TIMEOUT_S, otherwise=too_long)):
        yield


def use(path: Path) -> sqlite3.Connection:
    """Show everybody that this process may write to ``path``, until the connection that is returned is closed.

    Without a write-ahead log SQLite itself knows of nobody between two transactions. Raises StoreUnavailable.
    """
    return _locked(path, ".in-use", ("BEGIN", _READ), BUSY_TIMEOUT_S, otherwise=in_use(path))


@contextmanager
def only_user(path: Path, patience_s: float) -> Iterator[None]:
    """Let nobody else use ``path`` during the block; raises StoreUnavailable if somebody does for ``patience_s``."""
    with closing(_locked(path, ".in-use", ("BEGIN EXCLUSIVE",), patience_s, otherwise=in_use(path))):
        yield


def in_use(path: Path) -> StoreUnavailable:
    """Return what to tell who would have ``path`` for itself."""
    return StoreUnavailable(
        f"Another SceneSync has {path.name} open. End every command that works in {path.parent} and try again; nothing "
        "was changed."
    )


def _locked(
    path: Path, suffix: str, statements: Iterable[str], timeout_s: float, *, otherwise: StoreUnavailable
) -> sqlite3.Connection:
    """Return a connection that holds the lock beside ``path`` which these statements take."""
    lock = path.with_name(path.name + suffix)
    # Not opened where it exists: with the descriptor the kernel would drop the locks that this process has on it.
    if not lock.exists():
        _create_private(lock)
    with ExitStack() as on_error:
        try:
            connection = sqlite3.connect(lock, timeout=timeout_s, isolation_level=None, check_same_thread=False)
            on_error.callback(connection.close)
            # An empty database needs no journal, and a kill would leave one behind.
            for statement in ("PRAGMA journal_mode=OFF", *statements):
                connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            if is_locked(error):
                raise otherwise from error
            raise translated(error, path) or error from error
        on_error.pop_all()
    return connection


def make_ready(path: Path, journal: Journal, *, repair: bool = True) -> None:
    """See to it that ``path`` is a sound, private database in this journal mode, empty if need be.

    A damaged one is moved aside if ``repair``, else it is left alone and StoreDamaged raised.
    Raises StoreUnavailable if that cannot be.
    """
    _create_private(path)
    try:
        _check(path)
    except StoreDamaged as error:
        if not repair:
            raise damaged(str(error), path) from error
        _move_aside(path, reason=error)
        _create_private(path)
    _switch_journal(path, journal)


def make_folder(path: Path) -> None:
    """Create the data directory for nobody else's eyes; an existing one keeps its mode."""
    try:
        path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise from_os(error, path, "The folder for the state store cannot be made") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection to an existing file; transactions are begun by hand."""
    return sqlite3.connect(
        path.absolute().as_uri() + "?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def connect_writer(path: Path, journal: Journal) -> sqlite3.Connection:
    """Open the connection through which a process writes."""
    connection = connect(path)
    if journal != "wal":  # WAL is a property of the file, the others of a connection
        connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{WRITER_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT_BYTES}")
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open a connection that changes nothing in the folder."""
    try:
        return reading.connect(path, timeout_s=BUSY_TIMEOUT_S, check_same_thread=False)
    except OSError as error:
        raise from_os(error, path, f"{path.name} cannot be read") from error


def damaged_files(path: Path) -> tuple[str, ...]:
    """Return the paths of files that stood at ``path`` and were moved aside, oldest first."""
    found = (str(kept) for kept in path.parent.glob(f"{path.name}.damaged-*"))
    return tuple(sorted(kept for kept in found if not kept.endswith(SIDE_FILES)))


def _create_private(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE)
        os.close(descriptor)
        # SQLite gives -wal and -shm the mode of the database itself.
        if stat.S_IMODE(path.stat().st_mode) != _PRIVATE_FILE:
            path.chmod(_PRIVATE_FILE)
    except OSError as error:
        raise from_os(error, path, f"{path.name} cannot be opened for writing") from error


def _check(path: Path) -> None:
    # Looked at without SQLite, which deletes the log that lies beside a file without its header.
    with path.open("rb") as file:
        beginning = file.read(len(_HEADER))
    if beginning and beginning != _HEADER and not _has_journal(path):
        raise StoreDamaged("file is not a database")
    # quick_check reads every table page once: a tenth of a second for 100,000 items, and the only way to find a bad
    # page before it stops the work of days.
    try:
        with closing(connect(path)) as connection:
            finding = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        if is_damage(error):
            raise StoreDamaged(str(error)) from error
        raise translated(error, path) or error from error
    if finding != "ok":
        raise StoreDamaged(finding)


def _has_journal(path: Path) -> bool:
    """Return whether a rollback journal tells SQLite what was there before, as after a cut in the first transaction."""
    try:
        with path.with_name(f"{path.name}-journal").open("rb") as file:
            return file.read(len(_JOURNAL_HEADER)) == _JOURNAL_HEADER
    except FileNotFoundError:
        return False


def _move_aside(path: Path, *, reason: StoreDamaged) -> None:
    target = free_name(path, "damaged")
    try:
        # The log goes first: next to a fresh database, SQLite would replay it into that one.
        for suffix in SIDE_FILES:
            side = path.with_name(path.name + suffix)
            if side.exists():
                side.rename(target.with_name(target.name + suffix))
        path.rename(target)
    except OSError as error:
        raise StoreUnavailable(
            f"{path.name} is damaged ({reason}) and cannot be moved aside: {error.strerror}. "
            f"Stop every SceneSync process, then move it away yourself."
        ) from error
    logger.warning(
        "store damaged reason=%r kept_as=%r; a fresh one was made, `scenesync sync --all` fills it again",
        str(reason),
        target.name,
    )


def free_name(path: Path, mark: str) -> Path:
    """Return a path beside ``path`` at which nothing is, named after it, ``mark`` and the time (UTC)."""
    stem = f"{path.name}.{mark}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(time.time()))}"
    candidate, number = path.with_name(stem), 1
    while any(candidate.with_name(candidate.name + suffix).exists() for suffix in ("", *SIDE_FILES)):
        number += 1
        candidate = path.with_name(f"{stem}-{number}")
    return candidate


def _switch_journal(path: Path, journal: Journal) -> None:
    # The switch ignores the busy timeout (facts/queue.md 1), hence the lock around it; once made, it stays in the file.
    try:
        with closing(connect(path)) as connection:
            mode = connection.execute(f"PRAGMA journal_mode={journal}").fetchone()[0]
    except sqlite3.Error as error:
        raise translated(error, path) or error from error
    if mode != journal:
        logger.warning("store in journal mode %s; this disk does not support %s, work will be slower", mode, journal)
