"""The tables of a state store, read as rows that can be counted and summed, and written into an empty store.

A checksum does not depend on the order of the rows: what one engine and another hold is the same if both agree.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, text

from scenesync.domain.batches import batched
from scenesync.domain.storable import storable
from scenesync.store.compiled import execute_many
from scenesync.store.migrations import OLDEST_THAT_WORKS
from scenesync.store.tables import fact, metadata, schema_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Table

TAKEN_OVER: Final = "state taken over from"
"""The fact that says what a store was filled from, and with what."""
OF_THE_STORE_ITSELF: Final = (OLDEST_THAT_WORKS, TAKEN_OVER)
"""Facts that are about the store that they are in, and are left where they are."""

_ROWS_AT_ONCE: Final = 2_000
_SUM_BYTES: Final = 8
_SPACE: Final = 2 ** (8 * _SUM_BYTES)

Row = tuple[Any, ...]


class Sum:
    """Counts rows and sums them up."""

    def __init__(self) -> None:
        self.rows = 0
        self._total = 0

    def add(self, row: Row) -> None:
        """Count one row."""
        digest = hashlib.blake2b(repr(row).encode("utf-8", "replace"), digest_size=_SUM_BYTES).digest()
        self.rows += 1
        self._total = (self._total + int.from_bytes(digest, "big")) % _SPACE

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows, counting each."""
        for row in rows:
            self.add(row)
            yield row

    @property
    def checksum(self) -> str:
        """The sum, the same whatever the order."""
        return f"{self._total:0{2 * _SUM_BYTES}x}"


def moved_tables() -> Sequence[Table]:
    """Return the tables in an order in which they can be filled."""
    return [table for table in metadata.sorted_tables if table is not schema_version]


def rows_of(connection: Connection, table: Table) -> Iterator[Row]:
    """Yield the rows of a table, in bounded memory, as every engine can keep them."""
    statement = select(table)
    if table is fact:
        statement = statement.where(fact.c.name.not_in(OF_THE_STORE_ITSELF))
    with connection.execute(statement.execution_options(stream_results=True, yield_per=_ROWS_AT_ONCE)) as found:
        for row in found:
            yield tuple([storable(value) if isinstance(value, str) else value for value in row])


def sum_of(connection: Connection, table: Table) -> Sum:
    """Count and sum up a table."""
    total = Sum()
    for row in rows_of(connection, table):
        total.add(row)
    return total


def fill(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Write rows into a table in which there are none; those that come later get numbers behind theirs."""
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
        if "id" in table.columns:
            _count_on(connection, table)
        return
    statement = insert(table).values({column: bindparam(f"new_{column.name}") for column in table.columns})
    names = [f"new_{column.name}" for column in table.columns]
    for batch in batched(rows, _ROWS_AT_ONCE):
        execute_many(connection, statement, [dict(zip(names, row, strict=True)) for row in batch])


def empty(connection: Connection) -> None:
    """Delete all that ``fill`` writes."""
    for table in reversed(moved_tables()):
        condition = fact.c.name != OLDEST_THAT_WORKS if table is fact else text("true")
        connection.execute(delete(table).where(condition))


def analyse(connection: Connection) -> None:
    """Let a planner know at once what was written; it would find out by itself later."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {', '.join(table.name for table in moved_tables())}")


def is_empty(connection: Connection) -> bool:
    """Say whether there is nothing that ``fill`` would write, but what every store is given when it is first used."""
    return all(
        connection.execute(select(table).limit(1)).first() is None for table in moved_tables() if table is not fact
    )


def _copy(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    raw: Any = connection.connection.driver_connection
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    with raw.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def _count_on(connection: Connection, table: Table) -> None:
    highest = connection.execute(select(func.max(table.c.id))).scalar_one()
    if highest is not None:
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), highest)))
