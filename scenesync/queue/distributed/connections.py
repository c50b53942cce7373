"""Connections to PostgreSQL, and what its errors mean. Passwords never leave this module."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from scenesync.postgres.address import SCHEMA, AddressUnreadable, connection_text, shown_name
from scenesync.postgres.refusal import in_short, refusal
from scenesync.postgres.texts import StorableText
from scenesync.queue.errors import QueueContended, QueueError, QueueRefused, QueueUnreachable, QueueUnsupported

Connection = psycopg.Connection[tuple[Any, ...]]
Answer = psycopg.Cursor[tuple[Any, ...]]

# What is in the middle of a transaction for longer hangs, or is cut off, and keeps all others waiting for its locks.
_SERVER_SETTINGS: Final = {"idle_in_transaction_session_timeout": 15_000, "lock_timeout": 10_000}
# Whatever is asked of the queue is found by an index, in the order of that index. The planner trusts figures that may
# be from before the last bulk, and then sorts all that waits at each fetch: beside 100,000 jobs 1 s instead of 1 ms.
# (Without JIT: what cannot do without a sort is now thought to be dear enough to be compiled, for half a second.)
# So there is one good plan, whatever the values are, and to make it anew each time took longer than the work.
_SEEK: Final = """
    SET enable_sort = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET enable_bitmapscan = off; SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan"""
_GOODBYE_S: Final = 1.0
_TRUSTED_FOR_S: Final = 1.0
_MOST_CONNECTIONS: Final = 6

# By class, the special ones first; all else that the server says of itself (a shutdown, too many connections, its disk
# is full) and all that libpq says of the connection is an OperationalError too.
_MEANINGS: Final[tuple[tuple[type[Exception], type[QueueError]], ...]] = (
    (errors.LockNotAvailable, QueueContended),
    (errors.DeadlockDetected, QueueContended),
    (errors.SerializationFailure, QueueContended),
    (errors.UndefinedTable, QueueUnsupported),
    (errors.UndefinedColumn, QueueUnsupported),
    (errors.UndefinedFunction, QueueUnsupported),
    (errors.InsufficientPrivilege, QueueUnsupported),
    # A standby answers: where the new primary is, is soon known.
    (errors.ReadOnlySqlTransaction, QueueUnreachable),
    (errors.IdleInTransactionSessionTimeout, QueueUnreachable),
    (psycopg.OperationalError, QueueUnreachable),
    (psycopg.InterfaceError, QueueUnreachable),
    (PoolTimeout, QueueUnreachable),
    (PoolClosed, QueueUnreachable),
)


class Server:
    """One schema of a PostgreSQL database, named by ``url``: a libpq URL or connection string.

    Opening connects at once. Raises QueueError.
    """

    def __init__(self, url: str, *, timeout_s: float, schema: str = SCHEMA) -> None:
        self._conninfo, self.name = address_of(url, schema, _SERVER_SETTINGS)
        self.schema = schema
        self._used_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        with self.translated():
            self.connect().close()  # a refusal is known now, not after the pool's patience
            self._pool = ConnectionPool(
                self._conninfo,
                min_size=1,
                max_size=_MOST_CONNECTIONS,
                timeout=timeout_s,
                open=False,
                configure=_configure,
                check=self._look_after,
                reconnect_timeout=timeout_s,
                name="scenesync-queue",
            )
            self._pool.open()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection inside a transaction, committed when the block has ended. Raises QueueError."""
        with self._borrowed() as connection, connection.transaction():
            yield connection

    @contextlib.contextmanager
    def statement(self) -> Iterator[Connection]:
        """Give a connection for one statement, committed by itself: one way there and back. Raises QueueError."""
        with self._borrowed() as connection:
            yield connection

    @contextlib.contextmanager
    def pipelined(self) -> Iterator[Connection]:
        """Do as ``transaction``, and wait for the server only where rows are fetched, and once at the end.

        What a statement did is not known before that, nor that it failed: ``rowcount`` is not to be asked.
        """
        with self._borrowed() as connection:
            try:
                with _pipeline(connection):
                    # By hand: psycopg's own transaction waits for an answer at both ends.
                    connection.execute("BEGIN")
                    yield connection
                    connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(psycopg.Error):  # a connection that is broken the pool throws away
                    connection.rollback()
                raise

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[Connection]:
        with self.translated(), self._pool.connection() as connection:
            try:
                yield connection
            except psycopg.OperationalError:
                self._used_at.clear()  # what became of one connection became of the others, perhaps
                raise
            self._used_at[connection] = time.monotonic()

    def _look_after(self, connection: Connection) -> None:
        """See whether a connection still works, unless it did a moment ago: each look is a round trip."""
        used_at = self._used_at.get(connection)
        if used_at is None or time.monotonic() - used_at > _TRUSTED_FOR_S:
            ConnectionPool.check_connection(connection)

    def connect(self, patience_s: int | None = None) -> Connection:
        """Return a connection outside of the pool, on which each statement is committed by itself.

        With ``patience_s`` it fails after so many seconds in which nothing comes through, whatever the address says.
        """
        patience = {} if patience_s is None else {"connect_timeout": patience_s, "tcp_user_timeout": patience_s * 1000}
        connection = psycopg.connect(make_conninfo(self._conninfo, **patience), autocommit=True)
        connection.adapters.register_dumper(str, StorableText)
        return connection

    def translated(self) -> contextlib.AbstractContextManager[None]:
        """Raise PostgreSQL's errors as ours; see ``translated``."""
        return translated(self.name)

    def close(self) -> None:
        """Close all connections of the pool."""
        self._pool.close(timeout=_GOODBYE_S)


def address_of(url: str, schema: str, server_settings: Mapping[str, str | int]) -> tuple[str, str]:
    """Return what psycopg connects to, on which these settings hold, and as what it may be shown.

    Raises QueueUnsupported.
    """
    try:
        return connection_text(url, schema, server_settings), shown_name(url)
    except AddressUnreadable as error:
        raise QueueUnsupported(str(error)) from None


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise PostgreSQL's errors as ours; what is left is a bug and passes unchanged."""
    try:
        yield
    except (psycopg.Error, PoolTimeout, PoolClosed) as error:
        ours = translate(error, where)
        if ours is None:
            raise
        raise ours from error


def translate(error: Exception, where: str) -> QueueError | None:
    """Return the error of ours that ``error`` means, None if it is a bug and should be seen as it is."""
    refused = refusal(error, where)
    if refused is not None:
        return QueueRefused(refused)
    for theirs, ours in _MEANINGS:
        if isinstance(error, theirs):
            if ours is QueueUnreachable:
                return QueueUnreachable(where, in_short(error))
            if ours is QueueUnsupported:
                return QueueUnsupported(f"The database {where} cannot be used as a queue ({in_short(error)}).")
            return ours(where)
    return None


def _configure(connection: Connection) -> None:
    connection.autocommit = True  # transactions are begun by name
    connection.adapters.register_dumper(str, StorableText)
    connection.execute(_SEEK)


def _pipeline(connection: Connection) -> contextlib.AbstractContextManager[object]:
    """Return the connection's pipeline; where the client's library knows none, each statement is waited for."""
    return connection.pipeline() if psycopg.Pipeline.is_supported() else contextlib.nullcontext()
