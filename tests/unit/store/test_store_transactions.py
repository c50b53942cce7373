from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from store_engines import on_sqlite
from store_samples import SERVER, film, path_lookup

from scenesync.store import sqlite_file
from scenesync.store.database import Database, open_database
from scenesync.store.errors import StoreClosed, StoreDamaged, StoreUnavailable
from scenesync.store.path_index import PathIndexStore

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

COUNT_FACTS = text("SELECT count(*) FROM fact WHERE value = 'x'")


class GaveUp(Exception):
    pass


def note_and_give_up(database: Database, name: str) -> None:
    with database.transaction() as connection:
        note(connection, name)
        raise GaveUp


def note(connection: Connection, name: str) -> None:
    connection.execute(text("INSERT INTO fact VALUES ('', :name, 'x')"), {"name": name})


def facts(database: Database) -> int:
    with database.reading() as connection:
        count: int = connection.execute(COUNT_FACTS).scalar_one()
    return count


@on_sqlite
@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_durable_commits_wait_for_the_disk_and_the_others_do_not(
    database: Database, level: int, *, durable: bool
) -> None:
    for _ in range(2):  # the same connection, after it was used the other way
        with database.transaction(durable=not durable):
            pass
        with database.transaction(durable=durable) as connection:
            assert connection.execute(text("PRAGMA synchronous")).scalar_one() == level


def test_a_block_that_raises_keeps_nothing(database: Database) -> None:
    with pytest.raises(GaveUp):
        note_and_give_up(database, "half")
    assert facts(database) == 0


def test_stores_written_inside_one_transaction_are_kept_or_lost_together(
    database: Database, index: PathIndexStore
) -> None:
    def write_both_and_give_up() -> None:
        with database.transaction() as connection:
            index.upsert_items([film(1)])
            note(connection, "with it")
            assert index.counts().items == 1  # it sees its own writes
            assert index.files_at(path_lookup(film(1).parts[0].file))
            raise GaveUp

    with pytest.raises(GaveUp):
        write_both_and_give_up()
    assert (index.counts().items, facts(database)) == (0, 0)


def test_an_inner_failure_that_is_survived_leaves_no_half(database: Database) -> None:
    with database.transaction() as outer:
        note(outer, "before")
        with pytest.raises(GaveUp):
            note_and_give_up(database, "half")
        note(outer, "after")
    with database.reading() as connection:
        assert connection.execute(text("SELECT name FROM fact WHERE value = 'x' ORDER BY name")).scalars().all() == [
            "after",
            "before",
        ]


def test_a_transaction_of_one_thread_is_not_joined_by_another(database: Database) -> None:
    seen: list[int] = []
    with database.transaction() as connection:
        note(connection, "mine")
        other = threading.Thread(target=lambda: seen.append(facts(database)))
        other.start()
        other.join()
    assert seen == [0]
    assert facts(database) == 1


def test_many_threads_write_and_read_without_losing_anything(database: Database, index: PathIndexStore) -> None:
    failures: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 25):
                index.upsert_items([film(number)])
                assert index.files_at(path_lookup(film(number).parts[0].file))[0].rating_key == str(number)
        except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(1_000 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert index.counts().items == 200
    assert facts(database) == 0


def test_a_reader_keeps_one_view_while_others_write(database: Database) -> None:
    with database.reading() as connection:
        assert connection.execute(COUNT_FACTS).scalar_one() == 0
        writer = threading.Thread(target=lambda: _note_alone(database))
        writer.start()
        writer.join()
        assert connection.execute(COUNT_FACTS).scalar_one() == 0
    assert facts(database) == 1


def test_a_file_locked_by_another_process_for_too_long_is_reported(
    database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.1)
    with (
        open_database(database_path) as database,
        closing(sqlite3.connect(database_path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="BUSY"):
            _note_alone(database)
        other.execute("ROLLBACK")
        _note_alone(database)
        assert facts(database) == 1


def test_a_thread_that_writes_for_too_long_is_reported(database_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.1)
    raised: list[BaseException] = []

    def write() -> None:
        try:
            _note_alone(database)
        except StoreUnavailable as error:
            raised.append(error)

    with open_database(database_path) as database:
        with database.transaction():
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()
        assert [type(error) for error in raised] == [StoreUnavailable]
        _note_alone(database)


def test_damage_that_appears_while_running_is_called_by_its_name(database_path: Path) -> None:
    with open_database(database_path) as database:
        PathIndexStore(database, SERVER).replace_library("1", map(film, range(3_000)), started_at=1.0)
    content = database_path.read_bytes()
    with open_database(database_path) as database:
        database_path.write_bytes(content[:8192] + b"\xa5" * (len(content) - 8192))
        with pytest.raises(StoreDamaged, match="scenesync drain"):
            PathIndexStore(database, SERVER).upsert_items(map(film, range(3_000)))


def test_a_bug_of_ours_is_not_dressed_up_and_shows_no_values(database: Database) -> None:
    def note_twice() -> None:
        with database.transaction() as connection:
            note(connection, "a private title")
            note(connection, "a private title")

    with pytest.raises(IntegrityError) as failure:
        note_twice()
    assert "a private title" not in str(failure.value)


def _note_alone(database: Database) -> None:
    with database.transaction() as connection:
        note(connection, "alone")


def test_who_was_left_behind_does_not_open_a_closed_store_again(database_path: Path) -> None:
    for is_read_only in (False, True):
        database = open_database(database_path, read_only=True) if is_read_only else open_database(database_path)
        assert database is not None
        assert facts(database) == 0
        database.close()
        with pytest.raises(StoreClosed):
            facts(database)
        with pytest.raises(StoreClosed):
            note_and_give_up(database, "late")
    assert not database_path.with_name(database_path.name + "-wal").exists()
