"""The state store's transactions and looks, the same on either engine, and the way the embedded one is opened.

How durable: a commit with ``durable`` is on the disk when it returns; without, a power cut may take back the last few
commits, whole and in order, and a killed process loses nothing. What another look at Plex brings back (index,
attempts, states) goes without; what SceneSync wrote to Plex (baselines, journal) cannot be found out again, so it waits
for the disk. The queue is elsewhere and never waits for either.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from scenesync.store import migrations, sqlite_file
from scenesync.store.compiled import compiled
from scenesync.store.sqlite_engine import look_into_file, use_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import ClauseElement, Connection, PoolProxiedConnection

    from scenesync.store.engine import StoreEngine


class Database:
    """An open state store. Safe to use from any number of threads.

    Used as a context manager it closes itself; connections of a pool that is not closed keep the file open.
    """

    def __init__(self, engine: StoreEngine) -> None:
        self._engine = engine
        self._joined = threading.local()

    @property
    def path(self) -> Path | None:
        """The file that it is, None if it is a server's."""
        return self._engine.path

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
        with self._translating(), self._engine.writing(durable=durable) as connection:
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
        with self._translating(), self._engine.reading() as connection:
            yield connection

    def look_up(self, statement: ClauseElement, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of one constant SELECT, at a fifth of what ``reading`` costs.

        The columns must need no conversion. Raises StoreUnavailable or StoreDamaged.
        """
        ready = compiled(statement, self._engine.dialect)
        foreseen = getattr(self._joined, "foreseen", None)
        if foreseen:
            rows: list[tuple[Any, ...]] | None = foreseen.pop((ready.sql, ready.bound(parameters)), None)
            if rows is not None:
                return rows
        if self._engine.looks_in_transactions:
            with self.reading() as connection:
                return [tuple(row) for row in connection.exec_driver_sql(ready.sql, ready.bound(parameters))]
        outer = self._outer()
        if outer is not None:
            with self._translating():
                return _rows(outer.connection, ready.sql, ready.bound(parameters))
        shared: PoolProxiedConnection | None = getattr(self._joined, "reader", None)
        with self._translating():
            raw = self._engine.lend() if shared is None else shared
            try:
                return _rows(raw, ready.sql, ready.bound(parameters))
            except self._engine.errors:
                self._drop(raw)
                raise
            finally:
                if shared is None:
                    raw.close()

    @contextmanager
    def looking_up(self) -> Iterator[None]:
        """Let the look-ups of the block share one connection: to fetch one is most of what each costs.

        Each sees what was committed before it, as without, but for those that were foreseen (``foresee``).
        Raises StoreUnavailable or StoreDamaged.
        """
        if self._engine.looks_in_transactions or getattr(self._joined, "reader", None) is not None:
            yield
            return
        with self._translating():
            raw = self._engine.lend()
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
        ready = compiled(statement, self._engine.dialect)
        foreseen, raw = getattr(self._joined, "foreseen", None), getattr(self._joined, "reader", None)
        if foreseen is None or raw is None or self._outer() is not None:
            return
        wanted = dict.fromkeys(ready.bound(parameters) for parameters in all_parameters)
        with self._translating():
            try:
                found = self._engine.look_up_each(raw, ready.sql, list(wanted))
            except self._engine.errors:
                self._drop(raw)
                raise
        foreseen.update(zip([(ready.sql, bound) for bound in wanted], found, strict=True))

    @contextmanager
    def writing_much(self) -> Iterator[None]:
        """Let transactions of the block, which write all over the file, have more memory.

        Whoever writes meanwhile has it too. Raises StoreUnavailable or StoreDamaged.
        """
        with self._translating(), self._engine.writing_much():
            yield

    def forget_pages(self) -> None:
        """Let the connection that writes forget what it read and wrote: megabytes, after many rows.

        Raises StoreUnavailable or StoreDamaged.
        """
        with self._translating():
            self._engine.forget_pages()

    def close(self) -> None:
        """Close all connections for good; the last one to leave the file folds its log into it.

        Whoever asks for another one, such as a thread that was left behind, gets StoreClosed.
        """
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drop(self, raw: PoolProxiedConnection) -> None:
        """Use no connection again on which something failed; whoever goes on in this block takes another one."""
        self._joined.reader = None
        raw.invalidate()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except self._engine.errors as error:
            meaning = self._engine.meaning(error)
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
        database = Database(use_file(path, journal))
        with closing_on_error(database):
            version = migrations.version_to_migrate(database)
            if version is not None and before_migration is not None:
                before_migration(version)
            migrations.migrate(database, time.time)
    return database


def _open_existing(path: Path) -> Database | None:
    if not path.is_file():
        return None
    database = Database(look_into_file(path))
    with closing_on_error(database):
        with database.reading() as connection:
            version = migrations.refuse_unknown(connection, database)
        if version == migrations.MIGRATIONS[-1].version:
            return database
    database.close()
    return None


@contextmanager
def closing_on_error(database: Database) -> Iterator[None]:
    """Close it if the block fails."""
    try:
        yield
    except BaseException:
        database.close()
        raise


def _rows(raw: PoolProxiedConnection, sql: str, bound: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    cursor = raw.cursor()
    cursor.execute(sql, bound)
    return list(cursor.fetchall())
