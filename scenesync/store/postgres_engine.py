"""The state store in a PostgreSQL database that many machines share.

Transactions are begun by hand, as on SQLite, so that a begin is one way there and back with all that belongs to it.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from scenesync.postgres.address import connection_text, shown_name
from scenesync.postgres.refusal import in_short, refusal
from scenesync.postgres.schema import lock_key, make_schema, only_upgrader
from scenesync.postgres.texts import TypedStorableText
from scenesync.store.engine import Door, Row
from scenesync.store.errors import StoreError, StoreNotReady, StoreUnavailable, all_in_use
from scenesync.store.pools import BEGIN, Pools, pool_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine, PoolProxiedConnection

# Who waits for its turn sees what the one before has written: each statement has a view of its own.
_MY_TURN: Final = f"SELECT pg_advisory_xact_lock({lock_key('state')})"
_BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN_DURABLE: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED; {_MY_TURN}"
_BEGIN_RELAXED: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off; {_MY_TURN}"

# A machine that is cut off in the middle of a transaction keeps the others waiting for so long at most.
_SERVER_SETTINGS: Final[Mapping[str, str | int]] = {
    "lock_timeout": 10_000,
    "statement_timeout": 60_000,
    "idle_in_transaction_session_timeout": 30_000,
}
_LOOKING_ONLY: Final[Mapping[str, str | int]] = {**_SERVER_SETTINGS, "default_transaction_read_only": "on"}
# All that were ever needed are kept: those that a busy worker needs beside two it would make anew for each look, and to
# be let in by a password takes both sides longer than the look.
_READERS_MOST: Final = 8
_POOL_TIMEOUT_S: Final = 30.0

_BUSY: Final = (
    errors.LockNotAvailable,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.QueryCanceled,
    errors.IdleInTransactionSessionTimeout,
)
_NOT_READY: Final = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.InvalidSchemaName,
    errors.InsufficientPrivilege,
)
# All that the server says of itself (a shutdown, its disk is full) and libpq of the connection is an OperationalError.
# Where a standby answers, the new primary is soon known.
_AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.DataCorrupted,
    errors.IndexCorrupted,
)


class _Discreet(psycopg.Cursor[Row]):
    """Leaves the details out of errors: PostgreSQL quotes there which row it was, titles and paths and all."""

    def execute(self, *args: Any, **options: Any) -> Self:  # noqa: ANN401 - passed on as they are
        with _without_details():
            return super().execute(*args, **options)

    def executemany(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on as they are
        with _without_details():
            super().executemany(*args, **options)


class PostgresEngine(Pools):
    """One schema of a database; see ``StoreEngine``. Raises AddressUnreadable; connects when it is first asked."""

    errors: tuple[type[Exception], ...] = (DBAPIError, PoolTimeoutError, psycopg.Error)
    path = None
    looks_in_transactions = False

    def __init__(self, url: str, schema: str, *, read_only: bool = False) -> None:
        self.name = shown_name(url)
        self.schema = schema
        self._conninfo = connection_text(url, schema, _LOOKING_ONLY if read_only else _SERVER_SETTINGS)
        door = Door()
        connect = door.through(self.connect)
        readers = _engine(connect, size=_READERS_MOST)
        # There is one writer at a time in the whole fleet; here is where this process's threads wait for each other.
        writer = _engine(connect, size=1)
        super().__init__(door, readers, writer, durable=_BEGIN_DURABLE, relaxed=_BEGIN_RELAXED)

    def connect(self) -> psycopg.Connection[Row]:
        """Return a connection outside of the pools, on which each statement is committed by itself."""
        connection = psycopg.connect(self._conninfo, autocommit=True, cursor_factory=_Discreet)
        connection.adapters.register_dumper(str, TypedStorableText)
        return connection

    @contextmanager
    def upgrading(self) -> Iterator[None]:
        """Be the only one, on whatever machine, who makes or upgrades tables here; the schema is made if need be."""
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(self.connect())
                stack.enter_context(only_upgrader(connection))
                make_schema(connection, self.schema)
            except psycopg.Error as error:
                raise self.meaning(error) or error from error
            yield

    def look_up_each(self, raw: PoolProxiedConnection, sql: str, each: Sequence[Row]) -> list[list[Row]]:
        """Return the rows for each set of parameters: all are sent before the first answer is waited for."""
        if not each:
            return []
        cursor: Any = raw.cursor()
        cursor.executemany(sql, each, returning=True)
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
        return found

    def writing_much(self) -> AbstractContextManager[None]:
        """Do nothing: pages are the server's."""
        return nullcontext()

    def forget_pages(self) -> None:
        """Do nothing: pages are the server's."""

    def meaning(self, error: Exception) -> StoreError | None:
        """Return what an error means, None if it means a bug of ours."""
        if isinstance(error, PoolTimeoutError):
            return all_in_use()
        cause = error.orig if isinstance(error, DBAPIError) else error
        refused = None if cause is None else refusal(cause, self.name)
        if refused is not None:
            return StoreUnavailable(refused)
        if isinstance(cause, _NOT_READY):
            return StoreNotReady(f"The database {self.name} lacks what this SceneSync needs ({in_short(cause)}).")
        if isinstance(cause, _BUSY):
            return StoreUnavailable(f"The database {self.name} is too busy with others ({type(cause).__name__}).")
        if isinstance(cause, _AWAY):
            return StoreUnavailable(f"The database {self.name} cannot be used at the moment ({in_short(cause)}).")
        return None


@contextmanager
def _without_details() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.diag.message_detail is not None:
            error.args = (error.diag.message_primary,)
        raise


def _engine(connect: Callable[[], psycopg.Connection[Row]], *, size: int) -> Engine:
    return pool_of(
        "postgresql+psycopg://",
        connect,
        _begin,
        size=size,
        overflow=0,
        timeout_s=_POOL_TIMEOUT_S,
        paramstyle="format",  # by position, as on SQLite
        use_native_hstore=False,
        pool_pre_ping=True,  # a restart of the server is nobody's error but of who was in the middle of something
    )


def _begin(connection: Connection) -> None:
    raw: Any = connection.connection.driver_connection
    statements = connection.get_execution_options().get(BEGIN, _BEGIN_READING)
    try:
        raw.execute(statements, prepare=False)  # several statements in one cannot be prepared
    except psycopg.Error as error:
        if raw.closed:  # the pool would try to roll it back, and log at length that it cannot
            connection.invalidate(error)
        raise
