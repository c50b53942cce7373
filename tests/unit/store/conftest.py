# ruff: noqa: S608 (statements about our own tables)

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psycopg
import pytest
from store_engines import POSTGRES, SQLITE, OpenStore
from store_samples import SERVER

from scenesync.store.database import Database, open_database
from scenesync.store.migrations import OLDEST_THAT_WORKS
from scenesync.store.path_index import PathIndexStore
from scenesync.store.postgres import open_shared
from scenesync.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from private_postgres import PrivatePostgres

_EMPTY = [
    f"DELETE FROM {table.name}" for table in metadata.tables.values() if table.name not in {"schema_version", "fact"}
]
_EMPTY += [f"DELETE FROM fact WHERE name <> '{OLDEST_THAT_WORKS}'"]
_COUNT_ANEW = [
    f"ALTER TABLE {table.name} ALTER COLUMN id RESTART" for table in metadata.tables.values() if "id" in table.columns
]


@pytest.fixture(params=[SQLITE, POSTGRES])
def engine(request: pytest.FixtureRequest) -> str:
    """Which engine keeps the state of this test."""
    name: str = request.param
    return name


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "scenesync.db"


@pytest.fixture(scope="session")
def store_url(postgres: PrivatePostgres) -> str:
    """A database with a state store in it, one for all tests of this process."""
    url = postgres.new_database("store")
    open_shared(url).close()
    return url


@pytest.fixture
def empty_store(store_url: str) -> Iterator[str]:
    """That database; a test leaves nothing behind."""
    yield store_url
    with psycopg.connect(store_url, options="-c search_path=scenesync") as connection:
        connection.execute("; ".join([*_EMPTY, *_COUNT_ANEW]).encode())


@pytest.fixture
def open_store(engine: str, database_path: Path, request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    """Opens the state of this test, as one more process would; all are closed at the end."""
    url = request.getfixturevalue("empty_store") if engine == POSTGRES else ""
    with contextlib.ExitStack() as stack:

        def open_one(*, read_only: bool = False) -> Database:
            opened: Database | None
            if engine == POSTGRES:
                opened = open_shared(url, read_only=read_only)
            else:
                opened = open_database(database_path, read_only=True) if read_only else open_database(database_path)
            assert opened is not None
            return stack.enter_context(opened)

        yield open_one


@pytest.fixture
def database(open_store: OpenStore) -> Database:
    return open_store()


@pytest.fixture
def index(database: Database) -> PathIndexStore:
    return PathIndexStore(database, SERVER)
