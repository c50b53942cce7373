"""The schema that everything of one installation lies in, and the locks that its processes take on each other."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

_EXISTS: Final = "SELECT to_regnamespace(%s) IS NOT NULL"


def lock_key(purpose: str) -> str:
    """Return the SQL of an advisory lock's number: each schema has its own lock for a purpose (a constant of ours)."""
    return f"hashtextextended(current_setting('search_path') || ' {purpose}', 0)"


_ONE_AT_A_TIME: Final = f"SELECT pg_advisory_lock({lock_key('upgrade')})"
_DONE: Final = f"SELECT pg_advisory_unlock({lock_key('upgrade')})"


@contextlib.contextmanager
def only_upgrader(connection: Connection[Any]) -> Iterator[None]:
    """Let nobody else make or upgrade the tables of this schema during the block."""
    connection.execute(_ONE_AT_A_TIME.encode())
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(_DONE.encode())


def make_schema(connection: Connection[Any], name: str) -> None:
    """Create the schema unless it is there, which needs no privilege then; one ``only_upgrader`` at a time."""
    row = connection.execute(_EXISTS, (name,)).fetchone()
    if row is None or not row[0]:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
