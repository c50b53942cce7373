"""What is PostgreSQL's alone; what every engine promises, the tests of all stores ask of each."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text
from store_engines import on_postgres
from store_samples import SERVER, film, path_lookup

from scenesync.postgres.address import AddressUnreadable, connection_text
from scenesync.store import postgres_engine
from scenesync.store.database import Database
from scenesync.store.errors import StoreForeign, StoreNotReady, StoreTooNew, StoreUnavailable
from scenesync.store.memory import Memory
from scenesync.store.migrations import MIGRATIONS, Migration, migrate
from scenesync.store.path_index import PathIndexStore
from scenesync.store.postgres import open_shared, standing_of, upgrade_shared
from scenesync.store.postgres_engine import PostgresEngine

if TYPE_CHECKING:
    from store_engines import OpenStore

LATEST = MIGRATIONS[-1].version
SECRET = "not-a-real-password"
ADDS_A_TABLE = Migration(LATEST + 1, "a table more", ("CREATE TABLE harbour (name TEXT)",), works_from=LATEST)
END_WHO_WAITS = """
    SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database AS here ON here.oid = database
    WHERE here.datname = current_database() AND locktype = 'advisory' AND NOT granted"""
CHANGES_A_TABLE = Migration(LATEST + 1, "another meaning", ("ALTER TABLE pause RENAME COLUMN error TO fault",))


@pytest.fixture
def schema(store_url: str, request: pytest.FixtureRequest) -> str:
    """The name of a schema that is not there yet."""
    name = "".join(char if char.isalnum() else "_" for char in request.node.name.lower())[-60:].strip("_")
    with psycopg.connect(store_url) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())
    return name


def end_all_connections(url: str) -> int:
    """Do what a restart of the server does to those who are connected."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scenesync'"
        ).rowcount


def add_to(memory: Memory) -> None:
    memory.change("count", lambda value: str(int(value or 0) + 1))


def test_who_comes_while_the_tables_are_being_made_waits_for_them(store_url: str, schema: str) -> None:
    engine = PostgresEngine(store_url, schema)
    with Database(engine) as database, ThreadPoolExecutor(1) as other:
        with engine.upgrading():
            migrate(database, time.time, MIGRATIONS[:2])
            opened = other.submit(open_shared, store_url, schema=schema)
            with pytest.raises(TimeoutError):
                opened.result(timeout=0.3)
            migrate(database, time.time, MIGRATIONS)
        opened.result(timeout=10).close()


def test_where_nothing_is_the_tables_are_made_and_looking_makes_nothing(store_url: str, schema: str) -> None:
    assert open_shared(store_url, schema=schema, read_only=True) is None
    assert standing_of(store_url, schema=schema).version is None
    with open_shared(store_url, schema=schema) as database:
        Memory(database).note("kept", "here")
    with open_shared(store_url, schema=schema) as again:
        assert Memory(again).recall("kept") == "here"
    assert standing_of(store_url, schema=schema) == standing_of(store_url)


def test_many_that_open_a_new_one_at_once_all_succeed(store_url: str, schema: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(lambda _: open_shared(store_url, schema=schema), range(6)))
    for each in opened:
        add_to(Memory(each))
    assert Memory(opened[0]).recall("count") == "6"
    for each in opened:
        each.close()


@on_postgres
def test_two_schemas_of_a_database_know_nothing_of_each_other(
    store_url: str, schema: str, open_store: OpenStore
) -> None:
    with open_shared(store_url, schema=schema) as other, open_store() as database:
        with other.transaction():  # the one writer of its schema, not of this one
            Memory(database).note("kept", "here")
        assert Memory(other).recall("kept") is None


class TestRollingUpgrade:
    def test_an_older_one_is_upgraded_by_a_person_alone(self, store_url: str, schema: str) -> None:
        upgrade_shared(store_url, schema=schema, known=MIGRATIONS[:-2])
        for is_read_only in (False, True):
            with pytest.raises(StoreNotReady, match="scenesync db upgrade"):
                open_shared(store_url, schema=schema, read_only=is_read_only)
        assert standing_of(store_url, schema=schema).missing == tuple(
            f"{step.version} {step.name}" for step in MIGRATIONS[-2:]
        )
        assert upgrade_shared(store_url, schema=schema) == (LATEST - 1, LATEST)
        assert upgrade_shared(store_url, schema=schema) == ()
        open_shared(store_url, schema=schema).close()

    def test_one_release_back_goes_on_with_what_was_only_added_to(self, store_url: str, schema: str) -> None:
        upgrade_shared(store_url, schema=schema, known=[*MIGRATIONS, ADDS_A_TABLE])
        with open_shared(store_url, schema=schema) as database:
            Memory(database).note("kept", "by the older one")
        with open_shared(store_url, schema=schema, known=[*MIGRATIONS, ADDS_A_TABLE]) as newer:
            assert Memory(newer).recall("kept") == "by the older one"
        standing = standing_of(store_url, schema=schema)
        assert (standing.version, standing.works_from, standing.missing) == (LATEST + 1, LATEST, ())
        assert upgrade_shared(store_url, schema=schema) == (), "an older one takes nothing back"

    def test_what_an_older_one_would_misread_it_does_not_open(self, store_url: str, schema: str) -> None:
        upgrade_shared(store_url, schema=schema, known=[*MIGRATIONS, CHANGES_A_TABLE])
        for is_read_only in (False, True):
            with pytest.raises(StoreTooNew):
                open_shared(store_url, schema=schema, read_only=is_read_only)

    def test_a_step_that_is_added_later_does_not_lower_what_an_earlier_one_asks_for(
        self, store_url: str, schema: str
    ) -> None:
        later = Migration(LATEST + 2, "a table more", ("CREATE TABLE harbour (name TEXT)",), works_from=LATEST)
        upgrade_shared(store_url, schema=schema, known=[*MIGRATIONS, CHANGES_A_TABLE, later])
        with pytest.raises(StoreTooNew):
            open_shared(store_url, schema=schema)

    def test_a_step_that_fails_leaves_nothing(self, store_url: str, schema: str) -> None:
        broken = Migration(LATEST + 1, "half", ("CREATE TABLE harbour (name TEXT)", "SELECT nothing FROM nowhere"))
        with pytest.raises(StoreNotReady):
            upgrade_shared(store_url, schema=schema, known=[*MIGRATIONS, broken])
        assert standing_of(store_url, schema=schema).version == LATEST
        assert upgrade_shared(store_url, schema=schema, known=[*MIGRATIONS, ADDS_A_TABLE]) == (LATEST + 1,)


def test_the_queues_tables_are_no_strangers_and_another_programs_are(store_url: str, schema: str) -> None:
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema} CREATE TABLE procrastinate_jobs (id bigint)".encode())
        open_shared(store_url, schema=schema).close()
        connection.execute(f"DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema} CREATE TABLE album (id int)".encode())
    with pytest.raises(StoreForeign):
        open_shared(store_url, schema=schema)


@on_postgres
def test_a_read_only_store_refuses_to_write(database: Database, open_store: OpenStore) -> None:
    with pytest.raises(StoreUnavailable):
        Memory(open_store(read_only=True)).note("kept", "not")
    assert Memory(database).recall("kept") is None


@on_postgres
@pytest.mark.parametrize(("durable", "level"), [(True, "on"), (False, "off")])
def test_durable_commits_wait_for_the_disk_and_the_others_do_not(
    database: Database, level: str, *, durable: bool
) -> None:
    for _ in range(2):  # the same connection, after it was used the other way
        with database.transaction(durable=not durable):
            pass
        with database.transaction(durable=durable) as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == level


@on_postgres
def test_what_one_machine_reads_to_write_no_other_changes_meanwhile(open_store: OpenStore) -> None:
    machines = [Memory(open_store()) for _ in range(3)]

    def work(memory: Memory) -> None:
        for _ in range(10):
            add_to(memory)

    threads = [threading.Thread(target=work, args=(memory,)) for memory in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert machines[0].recall("count") == "30"


@on_postgres
def test_text_that_postgresql_cannot_keep_is_kept_as_near_as_can_be(database: Database) -> None:
    Memory(database).note("odd\0name", "half \ud800 and nul \0")
    assert Memory(database).recall("odd\0name") == "half ? and nul \ufffd"


@on_postgres
def test_a_server_that_was_restarted_is_nobodys_error_but_of_who_was_in_the_middle(
    database: Database, empty_store: str
) -> None:
    index, memory = PathIndexStore(database, SERVER), Memory(database)
    index.upsert_items([film(1)])
    key = path_lookup(film(1).parts[0].file)
    assert index.files_at(key)
    assert end_all_connections(empty_store) >= 2
    assert index.files_at(key), "found dead before it is used"
    memory.note("kept", "after")

    def in_the_middle() -> None:
        with database.transaction():
            memory.note("lost", "half")
            end_all_connections(empty_store)
            memory.note("lost", "more")

    with pytest.raises(StoreUnavailable):
        in_the_middle()
    with database.looking_up():
        end_all_connections(empty_store)
        with pytest.raises(StoreUnavailable):
            index.files_at(key)
        assert index.files_at(key), "with another connection"
    assert (memory.recall("kept"), memory.recall("lost")) == ("after", None)


@on_postgres
def test_threads_that_look_up_side_by_side_make_no_connection_anew_for_each_look(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    connect = PostgresEngine.connect

    def counted(engine: PostgresEngine) -> psycopg.Connection[tuple[object, ...]]:
        made.append(engine)
        return connect(engine)

    monkeypatch.setattr(PostgresEngine, "connect", counted)
    database, all_there = open_store(), threading.Barrier(6)
    memory = Memory(database)

    def look(_number: int) -> None:
        for _ in range(5):
            with database.reading():
                all_there.wait(10)
                memory.recall("count")

    before = len(made)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(look, range(6)))
    assert len(made) - before <= postgres_engine._READERS_MOST


@on_postgres
def test_a_machine_that_writes_for_too_long_is_reported_to_the_others(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = open_store()
    monkeypatch.setattr(postgres_engine, "_SERVER_SETTINGS", {"lock_timeout": 100})
    hasty = open_store()
    with slow.transaction(), pytest.raises(StoreUnavailable, match="too busy"):
        Memory(hasty).note("kept", "not")
    Memory(hasty).note("kept", "now")


@on_postgres
def test_a_machine_that_is_cut_off_while_it_writes_does_not_stop_the_others(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_engine, "_SERVER_SETTINGS", {"idle_in_transaction_session_timeout": 100})
    silent, other = open_store(), open_store()

    def say_nothing() -> None:
        with silent.transaction():
            Memory(silent).note("lost", "half")
            Memory(other).note("kept", "by the other")  # waits until the server has given the silent one up
            Memory(silent).note("lost", "more")

    with pytest.raises(StoreUnavailable):
        say_nothing()
    assert (Memory(other).recall("kept"), Memory(other).recall("lost")) == ("by the other", None)


@on_postgres
def test_who_is_cut_off_while_it_waits_for_its_turn_is_told_so_and_logs_no_traceback(
    open_store: OpenStore, empty_store: str, caplog: pytest.LogCaptureFixture
) -> None:
    writing, waiting = open_store(), open_store()
    with writing.transaction(), ThreadPoolExecutor(1) as other:
        vain = other.submit(Memory(waiting).note, "lost", "never written")
        with psycopg.connect(empty_store, autocommit=True) as connection:
            while not vain.done() and not connection.execute(END_WHO_WAITS).fetchall():
                time.sleep(0.01)
        with pytest.raises(StoreUnavailable):
            vain.result(timeout=10)
    assert [record.message for record in caplog.records if record.exc_info] == []
    assert Memory(waiting).recall("lost") is None


def test_a_server_that_is_not_there_is_told_within_seconds_and_without_the_password() -> None:
    with pytest.raises(StoreUnavailable, match=r"films on 127\.0\.0\.1:1 cannot be used") as caught:
        open_shared(f"postgresql://someone:{SECRET}@127.0.0.1:1/films")
    assert SECRET not in str(caught.value)


def test_an_address_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(AddressUnreadable) as caught:
        PostgresEngine(f"postgresql://someone:{SECRET}@[oops/films?x", "scenesync")
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_password_with_an_at_sign_is_not_shown_as_the_host() -> None:
    with pytest.raises(AddressUnreadable, match="%40") as caught:
        PostgresEngine(f"postgresql://someone:x@{SECRET}@db.example/films", "scenesync")
    assert SECRET not in str(caught.value)


def test_a_database_that_refuses_us_is_not_waited_for() -> None:
    refused = psycopg.errors.InsufficientPrivilege("permission denied for table scene")
    assert isinstance(PostgresEngine("postgresql://db.example/films", "scenesync").meaning(refused), StoreNotReady)


def test_what_the_address_says_itself_counts_but_for_the_schema(store_url: str) -> None:
    url = f"{store_url}?connect_timeout=9&options=-c%20search_path%3Dpublic%20-c%20work_mem%3D5MB"
    with closing(psycopg.connect(connection_text(url, "scenesync"))) as connection:
        assert connection.info.get_parameters()["connect_timeout"] == "9"
        shown = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in ("search_path", "work_mem")]
    assert shown == [("scenesync",), ("5MB",)]


def test_every_operational_error_has_a_meaning_and_bugs_have_none() -> None:
    engine = PostgresEngine("postgresql://db.example/films", "scenesync")
    waiting, kinds = [psycopg.OperationalError], set()
    while waiting:
        kind = waiting.pop()
        kinds.add(kind)
        waiting += kind.__subclasses__()
    assert len(kinds) > 50
    assert [kind for kind in kinds if engine.meaning(kind("x")) is None] == []
    assert engine.meaning(psycopg.errors.UniqueViolation("x")) is None
