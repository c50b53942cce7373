"""The short way to the driver, where SQLAlchemy's bookkeeping costs more than the database's work.

That is so for single lookups by the hundred thousand, and for rows by the thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ClauseElement, Connection, Dialect


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement in a driver's own words; ``order`` names the parameters if they go by position."""

    sql: str
    order: tuple[str, ...] | None

    def bound(self, parameters: Mapping[str, Any]) -> tuple[Any, ...] | Mapping[str, Any]:
        """Return the parameters as the driver takes them."""
        return parameters if self.order is None else tuple([parameters[name] for name in self.order])


@lru_cache(maxsize=64)
def compiled(statement: ClauseElement, dialect: Dialect) -> Compiled:
    """Return a statement in the words of ``dialect``.

    The answer is kept: only for statements that are constants, of columns whose values need no conversion.
    """
    ready = statement.compile(dialect=dialect)
    return Compiled(str(ready), tuple(ready.positiontup or ()) if ready.positional else None)  # type: ignore[attr-defined]


def execute_many(connection: Connection, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a constant statement for each of the rows, which name all of its parameters; none is fine."""
    if not rows:
        return
    ready = compiled(statement, connection.dialect)
    connection.exec_driver_sql(ready.sql, [ready.bound(row) for row in rows])
