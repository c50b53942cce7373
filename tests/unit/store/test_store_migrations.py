from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ClauseElement, Dialect, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable
from store_engines import SQLITE
from store_samples import SERVER, path_lookup

from scenesync.domain.circuit import Circuit, CircuitState
from scenesync.domain.diff import ImageBaseline
from scenesync.domain.field_rules import PosterFit
from scenesync.domain.fields import Field
from scenesync.store import (
    attempts,
    automatic_runs,
    baselines,
    circuits,
    collections,
    holds,
    journal,
    journal_runs,
    memory,
    migrations,
    outages,
    path_index,
    pauses,
    photos,
    pins,
    proofs,
    scene_states,
    service_state,
    traces,
)
from scenesync.store.baselines import BaselineStore
from scenesync.store.circuits import CircuitStore
from scenesync.store.database import Database, open_database
from scenesync.store.migrations import MIGRATIONS, Migration, migrate
from scenesync.store.outages import OutageStore
from scenesync.store.path_index import PathIndexStore
from scenesync.store.service_state import ServiceState, ServiceStateStore
from scenesync.store.tables import metadata

POSTGRESQL: Dialect = make_url("postgresql://").get_dialect()()
LATEST = MIGRATIONS[-1].version
OLD_DATABASES = sorted(
    (Path(__file__).parent / "old_databases").glob("*.sql"),
    key=lambda script: int(script.stem.removeprefix("version_")),
)
STATEMENT_MODULES = (
    attempts,
    automatic_runs,
    baselines,
    circuits,
    collections,
    holds,
    journal,
    journal_runs,
    memory,
    migrations,
    outages,
    path_index,
    pauses,
    photos,
    pins,
    proofs,
    scene_states,
    service_state,
    traces,
)


@pytest.fixture
def engine() -> str:
    """What is asked here is of the file."""
    return SQLITE


def schema_of(path: Path) -> dict[str, Any]:
    """Return columns, keys and indexes of every table, by what they mean and not by how they were spelt."""
    with closing(sqlite3.connect(path)) as connection:

        def pragma(name: str, of: str) -> list[Any]:
            return connection.execute(f"PRAGMA {name}('{of}')").fetchall()

        partial = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'"))
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: {
                # A file's library came after its path; the order of columns is no part of what a schema means.
                "columns": sorted(pragma("table_xinfo", table), key=lambda column: str(column[1])),
                "references": sorted(pragma("foreign_key_list", table)),
                "indexes": sorted(
                    (
                        index if origin == "c" else "primary key",
                        unique,
                        [column for _, _, column in pragma("index_info", index)],
                        (partial.get(index) or "").partition(" WHERE ")[2],
                    )
                    for _, index, unique, origin, _ in pragma("index_list", table)
                ),
            }
            for table in tables
        }


def noted_versions(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [version for (version,) in connection.execute("SELECT version FROM schema_version ORDER BY version")]


def test_the_migrations_arrive_at_the_declared_tables(database_path: Path, tmp_path: Path) -> None:
    open_database(database_path).close()
    declared = tmp_path / "declared.db"
    engine = create_engine(f"sqlite:///{declared}")
    metadata.create_all(engine)
    engine.dispose()
    assert schema_of(database_path) == schema_of(declared)


def test_a_missing_column_or_index_would_be_seen(database_path: Path) -> None:
    open_database(database_path).close()
    whole = schema_of(database_path)
    with closing(sqlite3.connect(database_path)) as connection, connection:
        connection.execute("DROP INDEX outage_open")
        without_index = schema_of(database_path)
        connection.execute("ALTER TABLE outage DROP COLUMN cause")
    assert len({repr(schema) for schema in (whole, without_index, schema_of(database_path))}) == 3


def test_versions_count_up_from_one() -> None:
    assert [migration.version for migration in MIGRATIONS] == list(range(1, LATEST + 1))


def test_a_new_database_is_told_in_one_line(database_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _time in range(2):
        with open_database(database_path):
            pass
    assert [record.getMessage() for record in caplog.records if record.name.startswith("scenesync.store")] == [
        f"store created version={MIGRATIONS[-1].version}"
    ]


def test_each_migration_is_noted_once_however_often_the_file_is_opened(database_path: Path) -> None:
    for _ in range(3):
        open_database(database_path).close()
    assert noted_versions(database_path) == list(range(1, LATEST + 1))


def test_a_later_migration_runs_alone_and_is_noted_with_its_time(database: Database, database_path: Path) -> None:
    later = Migration(LATEST + 1, "a shelf", ("CREATE TABLE shelf (id {row_id}, name TEXT)",))
    assert migrate(database, lambda: 12.5, (*MIGRATIONS, later)) == (LATEST + 1,)
    assert migrate(database, lambda: 13.5, (*MIGRATIONS, later)) == ()
    with closing(sqlite3.connect(database_path)) as connection:
        noted = connection.execute("SELECT name, applied_at FROM schema_version WHERE version = ?", (LATEST + 1,))
        assert noted.fetchall() == [("a shelf", 12.5)]


def test_a_migration_that_fails_leaves_neither_its_tables_nor_its_note(database: Database, database_path: Path) -> None:
    before = schema_of(database_path)
    broken = Migration(LATEST + 1, "broken", ("CREATE TABLE shelf (name TEXT)", "CREATE TABLE outage (again TEXT)"))
    with pytest.raises(OperationalError, match="already exists"):
        migrate(database, lambda: 1.0, (*MIGRATIONS, broken))
    assert schema_of(database_path) == before
    assert noted_versions(database_path) == list(range(1, LATEST + 1))


@pytest.mark.parametrize("script", OLD_DATABASES, ids=lambda script: str(script.stem))
def test_todays_code_opens_yesterdays_database(script: Path, database_path: Path, tmp_path: Path) -> None:
    database_path.parent.mkdir()
    with closing(sqlite3.connect(database_path)) as connection:
        connection.executescript(script.read_text(encoding="utf-8"))
    with open_database(database_path) as database:
        (found,) = PathIndexStore(database, SERVER).files_at(path_lookup("/media/films/Harbour at dawn.mkv"))
        assert (found.rating_key, found.library_key, found.size_bytes) == ("101", "1", 4_000)
    open_database(tmp_path / "fresh.db").close()
    assert schema_of(database_path) == schema_of(tmp_path / "fresh.db")


def test_a_picture_of_an_earlier_version_was_the_cover_itself(database_path: Path) -> None:
    database_path.parent.mkdir()
    with closing(sqlite3.connect(database_path)) as connection:
        connection.executescript(OLD_DATABASES[3].read_text(encoding="utf-8"))
        with connection:
            row = (SERVER, "101", "thumb", 7, "a" * 40, "/thumb/1", "etag")
            connection.execute("INSERT INTO image_baseline VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    with open_database(database_path) as database:
        found = BaselineStore(database, SERVER).read_image("101", Field.POSTER)
    assert found == ImageBaseline("a" * 40, "/thumb/1", "etag", source_sha1="a" * 40, fit=PosterFit.NONE)


@pytest.mark.parametrize("state", ["closed", "open", "half_open"])
def test_a_circuit_of_the_first_version_goes_on_as_it_was(database_path: Path, state: str) -> None:
    database_path.parent.mkdir()
    with closing(sqlite3.connect(database_path)) as connection:
        connection.executescript(OLD_DATABASES[0].read_text(encoding="utf-8"))
        with connection:
            connection.execute(
                "UPDATE service_state SET circuit = ?, reachability = 'down', message = 'refused'", (state,)
            )
    with open_database(database_path) as database:
        kept = CircuitStore(database, "plex").read()
        assert kept == Circuit(CircuitState(state), opened_at=1_700_000_060.0, generation=1, revision=1)
        assert ServiceStateStore(database).read("plex") == ServiceState(
            "down", 1_700_000_060.0, "refused", known_since=1_700_000_002.0
        )
        (outage,) = OutageStore(database).latest(5)
        assert (outage.cause, outage.jobs_waiting, outage.jobs_waiting_at_end) == ("refused", 3, None)


def test_there_is_a_database_of_every_version() -> None:
    assert [script.stem for script in OLD_DATABASES] == [f"version_{version}" for version in range(1, LATEST + 1)]


@pytest.mark.parametrize("module", STATEMENT_MODULES, ids=lambda module: str(module.__name__))
def test_every_statement_can_be_said_in_postgresql(module: object) -> None:
    statements = {
        name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, ClauseElement)
    }
    assert statements
    for statement in statements.values():
        assert str(statement.compile(dialect=POSTGRESQL))


def test_the_migrations_say_in_postgresql_what_the_tables_declare() -> None:
    declared = {table.name for table in metadata.sorted_tables if str(CreateTable(table).compile(dialect=POSTGRESQL))}
    declared |= {
        str(index.name)
        for table in metadata.sorted_tables
        for index in table.indexes
        if str(CreateIndex(index).compile(dialect=POSTGRESQL))
    }
    said = " ".join(statement for migration in MIGRATIONS for statement in migration.statements)
    assert [name for name in declared - {"schema_version"} if f" {name} " not in said] == []


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (path_index.FILES_AT, "plex_file_by_path (path_key=? AND server_id=?)"),
        (path_index.FILES_NAMED, "plex_file_by_name (name_key=? AND server_id=?)"),
        (path_index.LIBRARY_ITEMS, "COVERING INDEX plex_item_by_library (server_id=? AND library_key=?)"),
        (attempts.LATEST_OF_SCENE, "attempt_by_scene (scene_id=?)"),
        (journal.ITEMS_OF_SCENE, "journal_by_scene (scene_id=?)"),
        (journal.HISTORY_OF_ITEM, "journal_by_item (rating_key=?)"),
        (holds.HOLD_OF_SCENE, "(server_id=? AND scene_id=?)"),
        (traces.TRACE_OF_SCENE, "SEARCH scene_trace USING INDEX"),
        (traces.SCENES_SHOWING, "USING PRIMARY KEY (entity=? AND entity_id=? AND scene_id>?)"),
    ],
)
def test_frequent_questions_are_answered_by_an_index(database_path: Path, statement: ClauseElement, index: str) -> None:
    open_database(database_path).close()
    engine: Engine = create_engine(f"sqlite:///{database_path}")
    compiled = statement.compile(dialect=engine.dialect)
    parameters = dict.fromkeys(compiled.params, "1") | {"most": 5}
    with engine.connect() as connection:
        ordered = tuple(parameters.get(name, 5) for name in compiled.positiontup or ())  # type: ignore[attr-defined]
        plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", ordered)]
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()
    assert len(plan) == 1
    assert index in plan[0]
