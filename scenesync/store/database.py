"""The state store's connection, its transactions, and the way it is opened.

How durable: a commit with ``durable`` is on the disk when it returns; without, a power cut may take back the last few
commits, whole and in order, and a killed process loses nothing. What another look at Plex brings back (index,
attempts, states) goes without; what SceneSync wrote to Plex (baselines, journal) cannot be found out again, so it waits
for the disk. The queue is elsewhere and never waits for either.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, Self, overload

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from scenesync.disk import reading
from scenesync.domain.batches import batched
from scenesync.store import migrations, sqlite_file
from scenesync.store.compiled import compiled, for_each
from scenesync.store.errors import StoreClosed, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import ClauseElement

_BEGIN: Final = "scenesync_begin"
"""The execution option that holds the statements with which a transaction begins."""

# BEGIN IMMEDIATE waits its turn; a transaction that turns from reading to writing would fail instead.
_BEGIN_READING: Final = ("BEGIN",)
_BEGIN_DURABLE: Final = ("PRAGMA synchronous=FULL", "BEGIN IMMEDIATE")
_BEGIN_RELAXED: Final = ("PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE")

_LOOKED_UP_AT_ONCE: Final = 100
_READERS_KEPT: Final = 4
_READERS_MOST: Final = 32
_READER_TIMEOUT_S: Final = 30.0


class _Door:
    """What all connections to a store come through, until it is shut; ``in_use`` shows others that it is open."""

    def __init__(self, in_use: sqlite3.Connection | None = None) -> None:
        self._in_use = in_use
        self._shut = threading.Event()

    def through(self, connect: Callable[[], sqlite3.Connection]) -> Callable[[], sqlite3.Connection]:
        """Return ``connect``, which raises StoreClosed once the door is shut."""

        def connect_if_open() -> sqlite3.Connection:
            if self._shut.is_set():
                raise StoreClosed
            connection = connect()
            if self._shut.is_set():  # in this very moment
                connection.close()
                raise StoreClosed
            return connection

        return connect_if_open

    def shut(self) -> None:
        """Let nobody in any more."""
        self._shut.set()

    def leave(self) -> None:
        """Show that nobody is in any more."""
        if self._in_use is not None:
            self._in_use.close()


class Database:
    """An open state store. Safe to use from any number of threads.

    Used as a context manager it closes itself; connections of a pool that is not closed keep the file open.
    """

    def __init__(
        self,
        readers: Engine,
        writer: Engine,
        *,
        path: Path | None = None,
        journal: sqlite_file.Journal = "wal",
        is_read_only: bool = False,
        door: _Door | None = None,
    ) -> None:
        self.path = path
        self._door = door or _Door()
        self._is_read_only = is_read_only
        self._readers = readers
        self._writer = writer
        self._durable = writer.execution_options(**{_BEGIN: _BEGIN_DURABLE})
        # Without a write-ahead log a relaxed commit could damage the file, not only be undone.
        self._relaxed = writer.execution_options(**{_BEGIN: _BEGIN_RELAXED if journal == "wal" else _BEGIN_DURABLE})
        self._joined = threading.local()

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        """Run the block in one write transaction: all of it is kept, or, if it raises, nothing.

        A transaction inside another of the same thread is part of it, so several stores can be written as one; the
        outermost decides ``durable``. Raises StoreUnavailable or StoreDamaged.
        """
        outer = self._outer()
        if outer is not None:
            # A savepoint, so that a caller who survives the inner failure does not keep half of it.
            with self._translating(), outer.begin_nested():
                yield outer
            return
        with self._translating(), (self._durable if durable else self._relaxed).begin() as connection:
            self._joined.connection = connection
            try:
                yield connection
            finally:
                self._joined.connection = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run the block on one consistent view; inside a transaction of the same thread, on what that one sees.

        Raises StoreUnavailable or StoreDamaged.
        """
        outer = self._outer()
        if outer is not None:
            yield outer
            return
        with self._translating(), self._readers.connect() as connection:
            yield connection

    def look_up(self, statement: ClauseElement, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of one constant SELECT, at a fifth of what ``reading`` costs.

        The columns must need no conversion. Raises StoreUnavailable or StoreDamaged.
        """
        ready = compiled(statement, self._readers.dialect)
        foreseen = getattr(self._joined, "foreseen", None)
        if foreseen and ready.order is not None:
            rows: list[tuple[Any, ...]] | None = foreseen.pop((ready.sql, ready.bound(parameters)), None)
            if rows is not None:
                return rows
        if self._is_read_only:  # there each look begins with care (disk.reading.begin)
            with self.reading() as connection:
                return [tuple(row) for row in connection.exec_driver_sql(ready.sql, ready.bound(parameters))]
        outer = self._outer()
        shared = outer.connection if outer is not None else getattr(self._joined, "reader", None)
        with self._translating():
            raw = self._readers.raw_connection() if shared is None else shared
            try:
                cursor = raw.cursor()
                cursor.execute(ready.sql, ready.bound(parameters))
                return list(cursor.fetchall())
            finally:
                if shared is None:
                    raw.close()

    @contextmanager
    def looking_up(self) -> Iterator[None]:
        """Let the look-ups of the block share one connection: to fetch one is most of what each costs.

        Each sees what was committed before it, as without, but for those that were foreseen (``foresee``).
        Raises StoreUnavailable or StoreDamaged.
        """
        if self._is_read_only or getattr(self._joined, "reader", None) is not None:
            yield
            return
        with self._translating():
            raw = self._readers.raw_connection()
        self._joined.reader, self._joined.foreseen = raw, {}
        try:
            yield
        finally:
            self._joined.reader = self._joined.foreseen = None
            raw.close()

    def foresee(self, statement: ClauseElement, all_parameters: Iterable[Mapping[str, Any]]) -> None:
        """Look up now, all at once, what the rest of a block of ``looking_up`` is going to ask with this statement.

        The first time that it is asked it is answered as it was now. Outside of such a block this does nothing.
        Raises StoreUnavailable or StoreDamaged.
        """
        ready = compiled(statement, self._readers.dialect)
        foreseen, raw = getattr(self._joined, "foreseen", None), getattr(self._joined, "reader", None)
        if foreseen is None or raw is None or ready.order is None or self._outer() is not None:
            return
        wanted = dict.fromkeys(ready.bound(parameters) for parameters in all_parameters)
        with self._translating():
            for batch in batched(wanted, _LOOKED_UP_AT_ONCE):
                found: list[list[tuple[Any, ...]]] = [[] for _ in batch]
                values = tuple(chain.from_iterable(batch))
                for place, *row in raw.cursor().execute(for_each(ready.sql, len(batch)), values):
                    found[place].append(tuple(row))
                foreseen.update(zip([(ready.sql, bound) for bound in batch], found, strict=True))

    def forget_pages(self) -> None:
        """Let the connection that writes forget what it read and wrote: megabytes, after many rows.

        Raises StoreUnavailable or StoreDamaged.
        """
        with self._translating():
            raw = self._writer.raw_connection()
            try:
                raw.cursor().execute("PRAGMA shrink_memory")
            finally:
                raw.close()

    def close(self) -> None:
        """Close all connections for good; the last one to leave the file folds its log into it.

        Whoever asks for another one, such as a thread that was left behind, gets StoreClosed.
        """
        self._door.shut()  # a pool that was disposed of begins anew by itself
        self._readers.dispose()
        self._writer.dispose()
        self._door.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        # A bare sqlite3.Error comes from BEGIN, which SQLAlchemy did not send itself.
        except (DBAPIError, PoolTimeoutError, sqlite3.Error) as error:
            meaning = translated(error, self.path)
            if meaning is None:
                raise
            raise meaning from error

    def _outer(self) -> Connection | None:
        outer: Connection | None = getattr(self._joined, "connection", None)
        return outer


@overload
def open_database(
    path: Path,
    *,
    read_only: Literal[False] = False,
    journal: sqlite_file.Journal = "wal",
    repair: bool = True,
    before_migration: Callable[[int], None] | None = None,
) -> Database: ...


@overload
def open_database(path: Path, *, read_only: Literal[True]) -> Database | None: ...


def open_database(
    path: Path,
    *,
    read_only: bool = False,
    journal: sqlite_file.Journal = "wal",
    repair: bool = True,
    before_migration: Callable[[int], None] | None = None,
) -> Database | None:
    """Open the state store; without ``read_only`` it is created, healed and migrated first.

    ``journal`` is "truncate" on a network share. ``before_migration`` is called with the version of a store of an older
    SceneSync, which nobody else opens meanwhile, before it is changed; what it raises is raised, and nothing changes.
    A damaged file is moved aside with a warning and a fresh one begun, if ``repair``. With ``read_only`` nothing is
    created or changed, and the answer is None when there is nothing to read: no file, or one that today's code has yet
    to migrate. Raises StoreUnavailable, StoreTooNew, StoreForeign, and StoreDamaged for what it may not repair.
    """
    if read_only:
        return _open_existing(path)
    sqlite_file.make_folder(path.parent)
    with sqlite_file.only_opener(path):
        sqlite_file.make_ready(path, journal, repair=repair)
        door = _Door(sqlite_file.use(path))
        readers = _readers(door.through(lambda: sqlite_file.connect(path)), _begin)
        writer = _writer(door.through(lambda: sqlite_file.connect_writer(path, journal)))
        database = Database(readers, writer, path=path, journal=journal, door=door)
        with _closing_on_error(database):
            version = migrations.version_to_migrate(database)
            if version is not None and before_migration is not None:
                before_migration(version)
            migrations.migrate(database, time.time)
    return database


def _open_existing(path: Path) -> Database | None:
    if not path.is_file():
        return None
    door = _Door()
    readers = _readers(door.through(lambda: sqlite_file.connect_read_only(path)), _begin_read_only)
    database = Database(readers, readers, path=path, is_read_only=True, door=door)
    with _closing_on_error(database):
        with database.reading() as connection:
            version = migrations.refuse_unknown(connection, database)
        if version == migrations.MIGRATIONS[-1].version:
            return database
    database.close()
    return None


def _readers(connect: Callable[[], sqlite3.Connection], begin: Callable[[Connection], None]) -> Engine:
    return _engine(
        connect, begin, size=_READERS_KEPT, overflow=_READERS_MOST - _READERS_KEPT, timeout_s=_READER_TIMEOUT_S
    )


def _writer(connect: Callable[[], sqlite3.Connection]) -> Engine:
    # SQLite has one writer at a time, so one connection is enough, and its pool is the place to wait: it wakes the next
    # thread at once, where SQLite's own waiting polls. It also keeps this process from writing and checkpointing on two
    # connections at once, which before SQLite 3.51.3 may damage the file (facts/queue.md 2, rule 16).
    return _engine(
        connect,
        _begin,
        size=1,
        overflow=0,
        timeout_s=sqlite_file.BUSY_TIMEOUT_S,
    )


def _engine(
    connect: Callable[[], sqlite3.Connection],
    begin: Callable[[Connection], None],
    *,
    size: int,
    overflow: int,
    timeout_s: float,
) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=overflow,
        pool_timeout=timeout_s,
        pool_use_lifo=True,  # a few busy connections with warm caches
        hide_parameters=True,  # an error's text must not show titles and paths
    )
    event.listen(engine, "begin", begin)
    return engine


def _begin(connection: Connection) -> None:
    # The driver's own transactions leave SELECT and DDL out, so it is told to begin none (isolation_level=None).
    raw: Any = connection.connection.driver_connection
    for statement in connection.get_execution_options().get(_BEGIN, _BEGIN_READING):
        raw.execute(statement)


def _begin_read_only(connection: Connection) -> None:
    raw: Any = connection.connection.driver_connection
    reading.begin(raw)


@contextmanager
def _closing_on_error(database: Database) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise
