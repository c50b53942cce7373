import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final

from scenesync.disk import room
from scenesync.domain import errors as domain_errors


class QueueError(Exception):
    """The queue could not do what was asked; the message says what would help.

    QueueError
    ├── QueueUnwritable   the folder or the file cannot be written
    ├── QueueDiskFull     no room left
    ├── QueueLocked       another process held the file for too long
    │   └── QueueContended another session of the database server held what was needed for too long
    ├── QueueDiskFailed   the disk reported an error
    ├── QueueDamaged      the file is not a (whole) database
    │   └── QueueReplaced the path leads to another file, or to none, while this process has the file open
    ├── QueueUnreachable  the database server does not answer, or refuses
    │   └── QueueRefused  it answers, and does not know the user, the password or the database
    ├── QueueUnsupported  this SQLite, this disk or this version of SceneSync cannot use the file
    └── LeaseLost         the job was no longer held by whoever wanted to finish it
    """


class QueueUnwritable(QueueError):
    """The queue's folder or file cannot be opened for writing."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"Cannot write the queue in {path} ({reason}). Give the user that runs SceneSync write access to this "
            "folder, or set SCENESYNC_DATA_DIR to a folder that it can write."
        )


class QueueDiskFull(QueueError):
    """The disk has no room for the queue."""

    def __init__(self, path: str) -> None:
        super().__init__(room.no_room(path))


class QueueLocked(QueueError):
    """Another process kept the file locked for longer than the time-out."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"Another process keeps the queue in {path} locked. Try again; if this stays so, look for a second "
            "SceneSync, a backup or a database browser that has the file open."
        )


class QueueContended(QueueLocked):
    """Another session of the database server held rows or keys for too long, or two waited for each other."""

    def __init__(self, where: str) -> None:
        QueueError.__init__(
            self,
            f"Another session keeps what is needed of the queue in the database {where} locked. It is tried again; if "
            "this stays so, look in pg_stat_activity for one that is idle in a transaction.",
        )


class QueueDiskFailed(QueueError):
    """The operating system reported an I/O error."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"The disk failed while the queue in {path} was used ({reason}). Check the disk and its mount."
        )


class QueueDamaged(QueueError):
    """The file is not a database, or parts of it are destroyed."""

    def __init__(self, path: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"The queue file in {path} is damaged ({reason}) and was left as it is. `scenesync drain`, or the daemon "
            "when it starts, moves it aside, saves what can be read of it, and looks at every scene once more; stop "
            "every other SceneSync that uses the file before."
        )


class QueueReplaced(QueueDamaged):
    """Somebody moved or deleted the file while this process had it open: what it writes there nobody would read."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        message = (
            f"The queue file in {path} was {reason} while this SceneSync used it. Start it again: it then works with "
            "the file that is there, or makes a new one; `scenesync sync --all` finds what the old one held."
        )
        self.args = (message,)


class QueueUnreachable(QueueError):
    """The database server that keeps the queue cannot be reached, refuses the connection or went away."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"The database {where} that keeps the queue cannot be used now ({reason}). What it acknowledged is "
            "safe; work goes on when it answers again."
        )


class QueueRefused(QueueUnreachable):
    """The database server answers, and does not know the user, the password or the database: a person has to look."""

    def __init__(self, message: str) -> None:
        QueueError.__init__(self, message)


class QueueUnsupported(QueueError):
    """This SQLite, this disk or this version of SceneSync cannot use the file."""


class LeaseLost(domain_errors.LeaseLost, QueueError):
    """The job was taken over, finished or given back meanwhile: the caller must not act on it any more."""

    def __init__(self, row_id: int) -> None:
        self.row_id = row_id
        super().__init__(
            f"Job {row_id} is no longer held by this worker; its result is dropped, the job itself is safe."
        )


_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNWRITABLE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
_MAY_MEAN_FULL: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PRIMARY_CODE: Final = 0xFF  # extended codes carry their class in the low byte (sqlite.org/rescode.html)


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code of ``error``, 0 if it did not come from SQLite itself."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE


def translate(error: sqlite3.Error, path: str) -> QueueError | None:
    """Return the error of ours that ``error`` means, None if it is a bug and should be seen as it is."""
    code = primary_code(error)
    if code in _BUSY:
        return QueueLocked(path)
    # Where a file or its index cannot even be made for want of room, SQLite speaks of I/O errors.
    if code == sqlite3.SQLITE_FULL or (code in _MAY_MEAN_FULL and room.is_full(path)):
        return QueueDiskFull(path)
    if code in _UNWRITABLE:
        return QueueUnwritable(path, str(error))
    if code in _DAMAGED:
        return QueueDamaged(path, str(error))
    if code == sqlite3.SQLITE_IOERR:
        return QueueDiskFailed(path, str(error))
    return None


def from_os(error: OSError, path: str) -> QueueError:
    """Return the error of ours that a refusal by the operating system to write below ``path`` means."""
    return QueueDiskFull(path) if room.is_no_room(error) else QueueUnwritable(path, error.strerror or str(error))


@contextlib.contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise SQLite's errors as ours; others pass unchanged."""
    try:
        yield
    except sqlite3.Error as error:
        ours = translate(error, path)
        if ours is None:
            raise
        raise ours from error
