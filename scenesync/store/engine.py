"""What the state store needs of the database under it, and the door before all connections.

There is one writer at a time: a writing transaction has waited for its turn when it begins, and what it reads nobody
changes until it ends. The stores read, decide and write on that; SQLite knows nothing else, and PostgreSQL is told so.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from scenesync.store.errors import StoreClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection, Dialect, PoolProxiedConnection

    from scenesync.store.errors import StoreError

Row = tuple[Any, ...]


class Closable(Protocol):
    """A driver's connection."""

    def close(self) -> None:
        """Let go of it."""
        ...


_C = TypeVar("_C", bound=Closable)


class Door:
    """What all connections to a store come through, until it is shut; ``in_use`` shows others that it is open."""

    def __init__(self, in_use: Closable | None = None) -> None:
        self._in_use = in_use
        self._shut = threading.Event()

    def through(self, connect: Callable[[], _C]) -> Callable[[], _C]:
        """Return ``connect``, which raises StoreClosed once the door is shut."""

        def connect_if_open() -> _C:
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


class StoreEngine(Protocol):
    """An open database."""

    @property
    def path(self) -> Path | None:
        """The file, None where there is none."""
        ...

    @property
    def dialect(self) -> Dialect:
        """In which words it is asked."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What may come out of it."""
        ...

    @property
    def looks_in_transactions(self) -> bool:
        """Whether even a single statement needs ``reading`` around it."""
        ...

    def writing(self, *, durable: bool) -> AbstractContextManager[Connection]:
        """Run the block as the only writer, in one transaction; see ``Database.transaction``."""
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """Run the block on one consistent view."""
        ...

    def lend(self) -> PoolProxiedConnection:
        """Return a driver's connection on which each statement sees what was committed before it."""
        ...

    def look_up_each(self, raw: PoolProxiedConnection, sql: str, each: Sequence[Row]) -> list[list[Row]]:
        """Return the rows of one statement for each of many sets of parameters, in one go."""
        ...

    def writing_much(self) -> AbstractContextManager[None]:
        """Spend memory of this process on writing during the block."""
        ...

    def forget_pages(self) -> None:
        """Give back the memory that much writing took in this process."""
        ...

    def meaning(self, error: Exception) -> StoreError | None:
        """Return what an error of ``errors`` means, None if it means a bug of ours."""
        ...

    def close(self) -> None:
        """Close all connections for good."""
        ...
