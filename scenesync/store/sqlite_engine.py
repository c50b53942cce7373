"""The state store in a file of this machine."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from scenesync.disk import reading
from scenesync.domain.batches import batched
from scenesync.store import sqlite_file
from scenesync.store.compiled import LOOKED_UP_AT_ONCE, for_each
from scenesync.store.engine import Door, Row
from scenesync.store.errors import StoreError, translated
from scenesync.store.pools import BEGIN, Pools, pool_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine, PoolProxiedConnection

_URL: Final = "sqlite://"
# BEGIN IMMEDIATE waits its turn; a transaction that turns from reading to writing would fail instead.
_BEGIN_READING: Final = ("BEGIN",)
_BEGIN_DURABLE: Final = ("PRAGMA synchronous=FULL", "BEGIN IMMEDIATE")
_BEGIN_RELAXED: Final = ("PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE")

_READERS_KEPT: Final = 4
_READERS_MOST: Final = 32
_READER_TIMEOUT_S: Final = 30.0


class SqliteEngine(Pools):
    """A file; see ``StoreEngine``. ``use_file`` opens it for everything, ``look_into_file`` changes nothing."""

    # A bare sqlite3.Error comes from BEGIN, which SQLAlchemy did not send itself.
    errors: tuple[type[Exception], ...] = (DBAPIError, PoolTimeoutError, sqlite3.Error)

    def __init__(
        self,
        path: Path,
        door: Door,
        readers: Engine,
        writer: Engine,
        *,
        journal: sqlite_file.Journal = "wal",
        looks_in_transactions: bool = False,
    ) -> None:
        # Without a write-ahead log a relaxed commit could damage the file, not only be undone.
        relaxed = _BEGIN_RELAXED if journal == "wal" else _BEGIN_DURABLE
        super().__init__(door, readers, writer, durable=_BEGIN_DURABLE, relaxed=relaxed)
        self.path = path
        self.looks_in_transactions = looks_in_transactions

    def look_up_each(self, raw: PoolProxiedConnection, sql: str, each: Sequence[Row]) -> list[list[Row]]:
        """Return the rows for each set of parameters: a statement for many, since each lets go of the interpreter."""
        found: list[list[Row]] = []
        for batch in batched(each, LOOKED_UP_AT_ONCE):
            of_batch: list[list[Row]] = [[] for _ in batch]
            cursor: Any = raw.cursor()
            for place, *row in cursor.execute(*for_each(sql, batch)):
                if place < len(batch):
                    of_batch[place].append(tuple(row))
            found += of_batch
        return found

    @contextmanager
    def writing_much(self) -> Iterator[None]:
        """Let the connection that writes keep more pages during the block; what is too much then is let go of."""
        self._tell_writer(f"cache_size=-{sqlite_file.CACHE_FOR_MUCH_KIB}")
        try:
            yield
        finally:
            self._tell_writer(f"cache_size=-{sqlite_file.WRITER_CACHE_KIB}")

    def forget_pages(self) -> None:
        """Let the connection that writes forget what it read and wrote: megabytes, after many rows."""
        self._tell_writer("shrink_memory")

    def _tell_writer(self, pragma: str) -> None:
        raw = self._writer.raw_connection()
        try:
            raw.cursor().execute(f"PRAGMA {pragma}")
        finally:
            raw.close()

    def meaning(self, error: Exception) -> StoreError | None:
        """Return what an error means, None if it means a bug of ours."""
        return translated(error, self.path)


def use_file(path: Path, journal: sqlite_file.Journal) -> SqliteEngine:
    """Open a file that is ready (``sqlite_file.make_ready``)."""
    door = Door(sqlite_file.use(path))
    readers = _readers(door.through(lambda: sqlite_file.connect(path)), _begin)
    writer = _writer(door.through(lambda: sqlite_file.connect_writer(path, journal)))
    return SqliteEngine(path, door, readers, writer, journal=journal)


def look_into_file(path: Path) -> SqliteEngine:
    """Open an existing file without a trace."""
    door = Door()
    readers = _readers(door.through(lambda: sqlite_file.connect_read_only(path)), _begin_read_only)
    return SqliteEngine(path, door, readers, readers, looks_in_transactions=True)


def _readers(connect: Callable[[], sqlite3.Connection], begin: Callable[[Connection], None]) -> Engine:
    return pool_of(
        _URL,
        connect,
        begin,
        size=_READERS_KEPT,
        overflow=_READERS_MOST - _READERS_KEPT,
        timeout_s=_READER_TIMEOUT_S,
    )


def _writer(connect: Callable[[], sqlite3.Connection]) -> Engine:
    # SQLite has one writer at a time, so one connection is enough, and its pool is the place to wait: it wakes the next
    # thread at once, where SQLite's own waiting polls. It also keeps this process from writing and checkpointing on two
    # connections at once, which before SQLite 3.51.3 may damage the file (facts/queue.md 2, rule 16).
    return pool_of(_URL, connect, _begin, size=1, overflow=0, timeout_s=sqlite_file.BUSY_TIMEOUT_S)


def _begin(connection: Connection) -> None:
    # The driver's own transactions leave SELECT and DDL out, so it is told to begin none (isolation_level=None).
    raw: Any = connection.connection.driver_connection
    for statement in connection.get_execution_options().get(BEGIN, _BEGIN_READING):
        raw.execute(statement)


def _begin_read_only(connection: Connection) -> None:
    raw: Any = connection.connection.driver_connection
    reading.begin(raw)
