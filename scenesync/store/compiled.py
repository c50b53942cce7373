"""The short way to the driver, where SQLAlchemy's bookkeeping costs more than the database's work.

That is so for single lookups by the hundred thousand, and for rows by the thousand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ClauseElement, Connection, Dialect


_ROWS_AT_ONCE: Final = (64, 32, 16, 8, 4, 2, 1)
"""How many rows one INSERT has. A driver keeps the statements that it prepared, and one for many rows takes 100 KiB."""
_TIMES: Final = (1, 5, 25)
"""How many times one statement makes a SELECT, likewise: each connection that reads keeps its own."""
LOOKED_UP_AT_ONCE: Final = _TIMES[-1]
_VALUES: Final = re.compile(r" VALUES (\([?, ]+\))")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement in a driver's own words; ``order`` names the parameters, which go by position."""

    sql: str
    order: tuple[str, ...]

    def bound(self, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the parameters as the driver takes them."""
        return tuple([parameters[name] for name in self.order])


@lru_cache(maxsize=64)
def compiled(statement: ClauseElement, dialect: Dialect) -> Compiled:
    """Return a statement in the words of ``dialect``.

    The answer is kept: only for statements that are constants, of columns whose values need no conversion.
    """
    ready = statement.compile(dialect=dialect)
    return Compiled(str(ready), tuple(ready.positiontup or ()))  # type: ignore[attr-defined]


def for_each(sql: str, sets: Sequence[tuple[Any, ...]]) -> tuple[str, tuple[Any, ...]]:
    """Return a SELECT as one that makes it for each set of parameters, with all that it takes.

    Its rows begin with the place of their set. For a database in this process, where each statement lets go of the
    interpreter and has to wait for it again; LOOKED_UP_AT_ONCE sets at most. Sets of NULL fill it up, so that there are
    but a few different statements, whatever is looked up: rows for places beyond the last set are to be passed over.
    """
    times = next(times for times in _TIMES if times >= len(sets))
    filling = (None,) * ((times - len(sets)) * len(sets[0]))
    return _so_many_times(sql, times), (*chain.from_iterable(sets), *filling)


@lru_cache(maxsize=64)
def _so_many_times(sql: str, times: int) -> str:
    return " UNION ALL ".join(f"SELECT {place}, * FROM ({sql})" for place in range(times))  # noqa: S608 - our own texts


def execute_many(connection: Connection, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a constant statement for each of the rows, which name all of its parameters; none is fine."""
    if not rows:
        return
    ready = compiled(statement, connection.dialect)
    connection.exec_driver_sql(ready.sql, [ready.bound(row) for row in rows])


def insert_many(connection: Connection, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows as ``execute_many`` does, with a statement for many rows where a database is in this process.

    There each statement lets go of the interpreter and has to wait for it again; elsewhere drivers see to it.
    """
    ready = compiled(statement, connection.dialect)
    if connection.dialect.name != "sqlite":
        execute_many(connection, statement, rows)
        return
    bound = [ready.bound(row) for row in rows]
    first = 0
    while first < len(bound):
        size = next(size for size in _ROWS_AT_ONCE if size <= len(bound) - first)
        values = tuple(chain.from_iterable(bound[first : first + size]))
        connection.exec_driver_sql(_for_rows(ready.sql, size), values)
        first += size


@lru_cache(maxsize=128)
def _for_rows(sql: str, rows: int) -> str:
    """Return an INSERT of one row as one of several: the places for its values, so many times."""
    found = _VALUES.search(sql)
    if found is None:
        raise ValueError("this is no INSERT of one row")
    return sql[: found.end()] + f", {found[1]}" * (rows - 1) + sql[found.end() :]
