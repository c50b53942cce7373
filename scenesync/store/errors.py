"""What can go wrong with the state store.

    StoreError
    ├── StoreUnavailable   locked too long, no permission, read-only: the file is fine, the moment is not
    │   ├── StoreDiskFull  no room left
    │   └── StoreClosed    this process has closed it: whoever still works with it was left behind
    ├── StoreDamaged       pages cannot be read; the next start moves the file aside and begins a fresh one
    ├── StoreTooNew        written by a newer SceneSync; left untouched
    ├── StoreNotReady      a server's database that `scenesync db upgrade` has to look after first
    └── StoreForeign       a database of another program; left untouched

SQLite's errors are told apart by their result code, PostgreSQL's by their class (``store.postgres_engine``), never by
their text.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from scenesync.disk import room

if TYPE_CHECKING:
    from pathlib import Path

_PRIMARY_CODE: Final = 0xFF
"""SQLite's extended result codes keep the primary code in the low byte."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNAVAILABLE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
    }
)

_MAY_MEAN_FULL: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})


class StoreError(Exception):
    """The state store cannot do what was asked."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or written at this moment; nothing is wrong with what it holds."""


class StoreDiskFull(StoreUnavailable):
    """The disk has no room for the store."""

    def __init__(self, path: Path) -> None:
        super().__init__(room.no_room(path))


class StoreClosed(StoreUnavailable):
    """The store was closed under whoever still works with it."""

    def __init__(self) -> None:
        super().__init__("The state store is closed: SceneSync is stopping, or starts over with other settings.")


class StoreDamaged(StoreError):
    """The store's file is not a database, or parts of it cannot be read."""


class StoreTooNew(StoreError):
    """The store was written by a newer version; ``found`` and ``known`` are schema versions."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"The state store has schema version {found}, this SceneSync knows versions up to {known}. "
            f"It was not touched. Start the newer SceneSync again, or point data_dir to another folder."
        )
        self.found = found
        self.known = known


class StoreNotReady(StoreError):
    """A database server's tables are not those that this version needs; a person upgrades them for all machines."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} Run `scenesync db upgrade` on one machine; `scenesync db status` says what it does.")


class StoreForeign(StoreError):
    """The file is a sound database, but of another program."""

    def __init__(self, path: Path | None) -> None:
        where = "The database" if path is None else path.name
        super().__init__(
            f"{where} holds another program's tables and was not touched. Point data_dir to a folder of its own."
        )


def is_damage(error: sqlite3.Error) -> bool:
    """Say whether SQLite means that the file itself is bad."""
    return _code(error) in _DAMAGED


def from_os(error: OSError, path: Path, message: str) -> StoreUnavailable:
    """Return what a refusal by the operating system means for the store at ``path``; ``message`` unless it is full."""
    return StoreDiskFull(path) if room.is_no_room(error) else StoreUnavailable(f"{message}: {error.strerror}.")


def damaged(finding: str, path: Path | None = None) -> StoreDamaged:
    """Return the error for a file that was found damaged and left as it is; it says what cures it."""
    return StoreDamaged(
        f"The state store{'' if path is None else f' {path}'} is damaged ({finding}) and was left as it is. `scenesync "
        "drain`, or the daemon when it starts, moves the file aside, begins a fresh one, and looks at every scene once "
        "more."
    )


def all_in_use() -> StoreUnavailable:
    """Return what it means that no connection became free in time."""
    return StoreUnavailable("All connections to the state store are in use.")


def translated(error: Exception, path: Path | None = None) -> StoreError | None:
    """Return what an error on the way to SQLite means for the store at ``path``, None if it means a bug of ours."""
    if isinstance(error, PoolTimeoutError):
        return all_in_use()
    cause = error.orig if isinstance(error, DBAPIError) else error
    return _meaning(cause, path) if isinstance(cause, sqlite3.Error) else None


def _meaning(error: sqlite3.Error, path: Path | None) -> StoreError | None:
    code = _code(error)
    if code in _DAMAGED:
        return damaged(_name(error), path)
    # Where a file or its index cannot even be made for want of room, SQLite speaks of I/O errors.
    if path is not None and (code == sqlite3.SQLITE_FULL or (code in _MAY_MEAN_FULL and room.is_full(path))):
        return StoreDiskFull(path)
    if code in _UNAVAILABLE:
        return StoreUnavailable(f"The state store cannot be used at the moment ({_name(error)}).")
    return None


def is_locked(error: sqlite3.Error) -> bool:
    """Say whether SQLite means that another process has the file."""
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _code(error: sqlite3.Error) -> int:
    # An error that the Python module made up itself has no code.
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY_CODE


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", type(error).__name__))
