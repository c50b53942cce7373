"""A pool of connections to read with and one to write with: what every engine of the state store does alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import Dialect, PoolProxiedConnection

    from scenesync.store.engine import Closable, Door

BEGIN: Final = "scenesync_begin"
"""The execution option that holds the statements with which a transaction begins."""


class Pools:
    """See ``StoreEngine``; ``durable`` and ``relaxed`` are the statements with which a writing transaction begins."""

    def __init__(self, door: Door, readers: Engine, writer: Engine, *, durable: object, relaxed: object) -> None:
        self._door = door
        self._readers = readers
        self._writer = writer
        self._durable = writer.execution_options(**{BEGIN: durable})
        self._relaxed = writer.execution_options(**{BEGIN: relaxed})

    @property
    def dialect(self) -> Dialect:
        """In which words it is asked."""
        return self._readers.dialect

    def writing(self, *, durable: bool) -> AbstractContextManager[Connection]:
        """Run the block as the only writer, in one transaction."""
        return (self._durable if durable else self._relaxed).begin()

    def reading(self) -> AbstractContextManager[Connection]:
        """Run the block on one consistent view."""
        return self._readers.connect()

    def lend(self) -> PoolProxiedConnection:
        """Return a driver's connection for looking up."""
        return self._readers.raw_connection()

    def close(self) -> None:
        """Close all connections for good; the last one to leave a file folds its log into it."""
        self._door.shut()  # a pool that was disposed of begins anew by itself
        self._readers.dispose()
        self._writer.dispose()
        self._door.leave()


def pool_of(
    url: str,
    connect: Callable[[], Closable],
    begin: Callable[[Connection], None],
    *,
    size: int,
    overflow: int,
    timeout_s: float,
    **options: Any,  # noqa: ANN401 - passed on as they are
) -> Engine:
    """Return a pool of ``size`` connections and ``overflow`` more for a while, on which transactions begin so."""
    engine = create_engine(
        url,
        creator=connect,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=overflow,
        pool_timeout=timeout_s,
        pool_use_lifo=True,  # a few busy connections with warm caches
        hide_parameters=True,  # an error's text must not show titles and paths
        **options,
    )
    event.listen(engine, "begin", begin)
    return engine
