"""What a connection keeps in memory: what it prepared of each different statement, and pages of the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, func, select
from store_samples import SERVER

from scenesync.store import sqlite_file
from scenesync.store.compiled import LOOKED_UP_AT_ONCE, for_each, insert_many
from scenesync.store.database import open_database
from scenesync.store.dialect import insert_or_update
from scenesync.store.tables import fact

if TYPE_CHECKING:
    from pathlib import Path

FEW = 8


def test_look_ups_of_any_number_are_made_by_a_few_statements_and_find_only_their_own() -> None:
    sql = "SELECT name FROM film WHERE number = ? AND year = ?"
    statements = set()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE film (number INTEGER, year INTEGER, name TEXT)")
        films = [(number, 2000, f"Voyage {number}") for number in range(0, LOOKED_UP_AT_ONCE, 2)]
        connection.executemany("INSERT INTO film VALUES (?, ?, ?)", films)

        for count in range(1, LOOKED_UP_AT_ONCE + 1):
            statement, bound = for_each(sql, [(number, 2000) for number in range(count)])
            statements.add(statement)
            assert connection.execute(statement, bound).fetchall() == [
                (number, f"Voyage {number}") for number in range(0, count, 2)
            ]

    assert len(statements) <= FEW


def test_rows_of_any_number_are_inserted_by_a_few_statements_and_all_of_them(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'facts.db'}")
    statements = set()
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, sql, *_: statements.add(sql))
    with engine.begin() as connection:
        fact.create(connection)
        statements.clear()
        for count in range(1, 140):
            rows = [{"server_id": SERVER, "name": f"{count} {n}", "value": "x"} for n in range(count)]
            insert_many(connection, insert_or_update(connection, fact), rows)
        used = set(statements)
        stored = connection.execute(select(func.count()).select_from(fact)).scalar_one()
    engine.dispose()

    assert stored == sum(range(1, 140))
    assert len(used) <= FEW


def test_only_writing_all_over_the_file_is_given_much_memory(tmp_path: Path) -> None:
    with open_database(tmp_path / "scenesync.db") as database:

        def kept_kib() -> int:
            with database.transaction() as connection:
                return -int(connection.exec_driver_sql("PRAGMA cache_size").scalar_one())

        before = kept_kib()
        with database.writing_much():
            during = kept_kib()

        assert (before, during) == (sqlite_file.WRITER_CACHE_KIB, sqlite_file.CACHE_FOR_MUCH_KIB)
        assert kept_kib() == before
