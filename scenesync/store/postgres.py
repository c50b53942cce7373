"""The way to a state store on PostgreSQL: opened by every process, upgraded by one command for all machines."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

from scenesync.postgres.address import SCHEMA
from scenesync.store import migrations
from scenesync.store.database import Database, closing_on_error
from scenesync.store.errors import StoreNotReady
from scenesync.store.postgres_engine import PostgresEngine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.store.migrations import Migration

KNOWN = migrations.MIGRATIONS


@dataclass(frozen=True, slots=True)
class Standing:
    """Which version the tables have (None: there are none), from which on a SceneSync works, and what is missing."""

    version: int | None
    works_from: int | None
    missing: tuple[str, ...]


@overload
def open_shared(
    url: str, *, schema: str = SCHEMA, read_only: Literal[False] = False, known: Sequence[Migration] = KNOWN
) -> Database: ...


@overload
def open_shared(
    url: str, *, schema: str = SCHEMA, read_only: bool, known: Sequence[Migration] = KNOWN
) -> Database | None: ...


def open_shared(
    url: str, *, schema: str = SCHEMA, read_only: bool = False, known: Sequence[Migration] = KNOWN
) -> Database | None:
    """Open the state store in a schema of the database; where there is none it is made, and None if ``read_only``.

    One of an older version is not upgraded by itself, since other machines work with it. Raises StoreNotReady then,
    StoreTooNew, StoreForeign, StoreUnavailable, AddressUnreadable.
    """
    engine = PostgresEngine(url, schema, read_only=read_only)
    database = Database(engine)
    with closing_on_error(database):
        version = _version(database, known)
        if version is not None and version < known[-1].version and not read_only:
            with engine.upgrading():  # perhaps another node is just making it: wait for its end
                version = _version(database, known)
        if version is not None and version < known[-1].version:
            raise StoreNotReady(
                f"The state store in the database {engine.name} has schema version {version}, this SceneSync needs "
                f"{known[-1].version}."
            )
        if version is None and not read_only:
            _upgrade(engine, database, known)
    if version is None and read_only:
        database.close()
        return None
    return database


def upgrade_shared(url: str, *, schema: str = SCHEMA, known: Sequence[Migration] = KNOWN) -> tuple[int, ...]:
    """Make the tables, or bring them up to date; return the versions that were applied. Raises as ``open_shared``."""
    engine = PostgresEngine(url, schema)
    with Database(engine) as database:
        return _upgrade(engine, database, known)


def standing_of(url: str, *, schema: str = SCHEMA, known: Sequence[Migration] = KNOWN) -> Standing:
    """Return how the tables stand, and change nothing. Raises as ``open_shared``."""
    with Database(PostgresEngine(url, schema, read_only=True)) as database:
        version = _version(database, known)
        missing = tuple(f"{step.version} {step.name}" for step in known if step.version > (version or 0))
        if version is None:
            return Standing(None, None, missing)
        with database.reading() as connection:
            return Standing(version, migrations.oldest_that_works(connection), missing)


def _version(database: Database, known: Sequence[Migration]) -> int | None:
    with database.reading() as connection:
        return migrations.refuse_unknown(connection, database, known)


def _upgrade(engine: PostgresEngine, database: Database, known: Sequence[Migration]) -> tuple[int, ...]:
    with engine.upgrading():
        return migrations.migrate(database, time.time, known)
