"""How a database gets from any earlier version to today's: forward only, one transaction per step with its own note.

A migration is never edited once released; ``tables`` describes where the last one arrives.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, insert, inspect, select

from scenesync.store.collection_tables import COLLECTION_TABLES
from scenesync.store.dialect import ddl_words, insert_or_update, take_your_time
from scenesync.store.errors import StoreForeign, StoreTooNew
from scenesync.store.first_tables import FIRST_TABLES
from scenesync.store.scene_state_tables import SCENE_STATE_TABLES
from scenesync.store.tables import fact, schema_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from scenesync.store.database import Database

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; the words in ``{braces}`` are those that databases spell differently (``dialect.ddl_words``).

    Where machines share a database they are not replaced all at once: ``works_from`` is the oldest version whose
    SceneSync goes on working after this step (as after a table or a column with a default that were added), None if
    only this one does.
    """

    version: int
    name: str
    statements: tuple[str, ...]
    works_from: int | None = None


# Holds the note of each migration that ran.
CREATE_SCHEMA_VERSION: Final = """
CREATE TABLE IF NOT EXISTS schema_version (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at DOUBLE PRECISION NOT NULL
)
"""

# The highest migration that ran.
LATEST_VERSION: Final = select(func.max(schema_version.c.version))

# Notes that a migration ran.
NOTE_VERSION: Final = insert(schema_version)

# Where machines share a database: the oldest version whose SceneSync works with it.
OLDEST_THAT_WORKS: Final = "oldest schema version that works here"
OLDEST_VERSION: Final = select(fact.c.value).where(fact.c.server_id == "", fact.c.name == OLDEST_THAT_WORKS)

OF_THE_QUEUE: Final = ("procrastinate_", "scenesync_")
"""How the tables begin that lie beside those of the state on PostgreSQL."""

MIGRATIONS: Final = (
    Migration(
        1,
        "first tables",
        FIRST_TABLES,
    ),
    Migration(
        2,
        "circuits that processes share, jobs waiting at the end of an outage",
        (
            # A circuit breaker with everything that decides what it does next.
            """
            CREATE TABLE circuit (
                service TEXT NOT NULL PRIMARY KEY,
                state TEXT NOT NULL,
                failures BIGINT NOT NULL,
                successes BIGINT NOT NULL,
                opened_at DOUBLE PRECISION NOT NULL,
                generation BIGINT NOT NULL,
                probe TEXT NOT NULL,
                probe_expires_at DOUBLE PRECISION NOT NULL,
                revision BIGINT NOT NULL
            )
            """,
            # What was known of each: the state alone, and at best since when.
            """
            INSERT INTO circuit
            SELECT service, circuit, failures, 0, COALESCE(opened_at, since, 0), 1, '', 0, 1 FROM service_state
            """,
            # Leaves those columns out; by way of a new table, since SQLite before 3.35 cannot drop a column.
            "ALTER TABLE service_state RENAME TO service_state_1",
            """
            CREATE TABLE service_state (
                service TEXT NOT NULL PRIMARY KEY,
                reachability TEXT NOT NULL,
                since DOUBLE PRECISION,
                message TEXT NOT NULL
            )
            """,
            "INSERT INTO service_state SELECT service, reachability, since, message FROM service_state_1",
            "DROP TABLE service_state_1",
            # Not known of outages that are over.
            "ALTER TABLE outage ADD COLUMN jobs_waiting_at_end BIGINT",
        ),
    ),
    Migration(
        3,
        "whose lock it is",
        (
            # Whether SceneSync locked the field with what it last wrote; any other lock is a person's. Before, it did
            # unless lock_fields was off.
            "ALTER TABLE baseline ADD COLUMN locked BIGINT NOT NULL DEFAULT 1",
        ),
    ),
    Migration(
        4,
        "pins",
        (
            # Which items persons named for scenes' files.
            """
            CREATE TABLE pin (
                server_id TEXT NOT NULL,
                scene_key TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                files TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                PRIMARY KEY (server_id, scene_key)
            )
            """,
        ),
    ),
    Migration(
        5,
        "runs that nobody asked for",
        (
            # What such a run would touch, and why it was stopped ("": it is still being gathered).
            """
            CREATE TABLE automatic_run (
                id {row_id},
                run_key TEXT NOT NULL,
                cause TEXT NOT NULL,
                began_at DOUBLE PRECISION NOT NULL,
                reason TEXT NOT NULL,
                totals TEXT NOT NULL
            )
            """,
            # One run of a kind is gathered at a time.
            "CREATE UNIQUE INDEX automatic_run_gathering ON automatic_run (run_key) WHERE reason = ''",
            # Its scenes.
            """
            CREATE TABLE automatic_run_scene (
                run_id BIGINT NOT NULL,
                scene_id BIGINT NOT NULL,
                PRIMARY KEY (run_id, scene_id),
                FOREIGN KEY (run_id) REFERENCES automatic_run (id) ON DELETE CASCADE
            )
            """,
        ),
    ),
    Migration(
        6,
        "what pictures were made of",
        (
            # Pictures are made of covers now; until here each was the cover itself.
            "ALTER TABLE image_baseline ADD COLUMN source_sha1 TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE image_baseline ADD COLUMN fit TEXT NOT NULL DEFAULT 'none'",
            "UPDATE image_baseline SET source_sha1 = sha1",
        ),
    ),
    Migration(
        7,
        "what undo needs",
        (
            # How the server showed what was written, where it did so in its own way.
            "ALTER TABLE journal ADD COLUMN shown TEXT",
            # Whose lock the field had, and has since then; not known of older edits.
            "ALTER TABLE journal ADD COLUMN lock_before TEXT",
            "ALTER TABLE journal ADD COLUMN lock_after TEXT",
            # The file that the item was taken for, so that it is known again.
            "ALTER TABLE journal ADD COLUMN file TEXT NOT NULL DEFAULT ''",
            # Reads an item's edits, whichever scene they were made for.
            "CREATE INDEX journal_by_item ON journal (rating_key, id)",
            # The scenes that are left alone since they were undone.
            """
            CREATE TABLE hold (
                server_id TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                fingerprint TEXT NOT NULL,
                since DOUBLE PRECISION NOT NULL,
                run_id TEXT NOT NULL,
                PRIMARY KEY (server_id, scene_id)
            )
            """,
        ),
    ),
    Migration(
        8,
        "what scenes showed",
        (
            # What is remembered of each scene.
            """
            CREATE TABLE scene_trace (
                scene_id BIGINT NOT NULL PRIMARY KEY,
                relations TEXT NOT NULL,
                files TEXT NOT NULL
            )
            """,
            # Which scenes showed an entity; many short rows, which SQLite keeps once instead of twice if told so.
            """
            CREATE TABLE shown_entity (
                entity TEXT NOT NULL,
                entity_id BIGINT NOT NULL,
                scene_id BIGINT NOT NULL,
                PRIMARY KEY (entity, entity_id, scene_id)
            ){key_is_row}
            """,
        ),
    ),
    Migration(
        9,
        "pauses, and since when a service is known",
        (
            # When it was first asked; before, the earliest thing that is noted of it.
            "ALTER TABLE service_state ADD COLUMN known_since DOUBLE PRECISION",
            """
            UPDATE service_state SET known_since =
                COALESCE((SELECT MIN(began_at) FROM outage WHERE outage.service = service_state.service), since)
            """,
            # Which service refuses what only a person can change, since when, and what it said.
            """
            CREATE TABLE pause (
                service TEXT NOT NULL PRIMARY KEY,
                since DOUBLE PRECISION NOT NULL,
                error TEXT NOT NULL,
                message TEXT NOT NULL
            )
            """,
        ),
    ),
    Migration(
        10,
        "photos of performers",
        (
            # What was done about the photo of each actor.
            """
            CREATE TABLE performer_photo (
                server_id TEXT NOT NULL,
                name_key TEXT NOT NULL,
                performer_id BIGINT NOT NULL,
                version TEXT NOT NULL,
                address TEXT NOT NULL,
                etag TEXT NOT NULL,
                shown TEXT NOT NULL,
                tries BIGINT NOT NULL,
                PRIMARY KEY (server_id, name_key)
            )
            """,
        ),
    ),
    Migration(
        11,
        "collections",
        COLLECTION_TABLES,
    ),
    Migration(
        12,
        "which version of a scene was read",
        (
            # Unknown for scenes of before: the next look at Stash that finds them changed has them read once more.
            "ALTER TABLE scene_trace ADD COLUMN updated_at TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE scene_trace ADD COLUMN fingerprint TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE scene_trace ADD COLUMN read_at DOUBLE PRECISION NOT NULL DEFAULT 0",
        ),
    ),
    Migration(
        13,
        "reconciliations",
        (
            # How far each comparison of both libraries came, and what it found.
            """
            CREATE TABLE reconciliation (
                id {row_id},
                server_id TEXT NOT NULL,
                scope TEXT NOT NULL,
                cause TEXT NOT NULL,
                began_at DOUBLE PRECISION NOT NULL,
                ended_at DOUBLE PRECISION,
                poll_cursor TEXT NOT NULL,
                last_scene_id BIGINT NOT NULL,
                found TEXT NOT NULL
            )
            """,
        ),
    ),
    Migration(
        14,
        "proven items, and what is known of listings",
        (
            # Items that were seen to show their scene as wanted, so that they need not be read again.
            """
            CREATE TABLE proven (
                server_id TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                fingerprint TEXT NOT NULL,
                updated_at BIGINT NOT NULL,
                PRIMARY KEY (server_id, rating_key)
            )
            """,
            # Finds the items of a scene.
            "CREATE INDEX proven_by_scene ON proven (scene_id, server_id)",
            # By how much the server's total was more than what it listed in the latest full pass.
            "ALTER TABLE plex_library ADD COLUMN surplus BIGINT NOT NULL DEFAULT 0",
            # Up to which time, by the server's own clock, its changes were seen (0: not known).
            "ALTER TABLE plex_library ADD COLUMN seen_until BIGINT NOT NULL DEFAULT 0",
        ),
    ),
    Migration(
        15,
        "where scenes stand",
        SCENE_STATE_TABLES,
    ),
    Migration(
        16,
        "journal by run",
        # Finds the runs without a walk through all that they wrote, and counts the scenes of one from the index alone.
        ("CREATE INDEX journal_by_run ON journal (run_id, id, scene_id)",),
    ),
)


def migrate(
    database: Database, clock: Callable[[], float], migrations: Sequence[Migration] = MIGRATIONS
) -> tuple[int, ...]:
    """Apply what is missing and return the versions that were applied.

    Raises StoreTooNew for a database of a newer version and StoreForeign for another program's; neither is touched.
    """
    with database.reading() as connection:
        version = refuse_unknown(connection, database, migrations) or 0
    missing = [migration for migration in migrations if migration.version > version]
    applied = tuple(migration for migration in missing if _apply(database, migration, clock))
    if applied and not version:
        logger.info("store created version=%d", applied[-1].version)
    else:
        for migration in applied:
            logger.info("store migrated version=%d name=%r", migration.version, migration.name)
    return tuple(migration.version for migration in applied)


def version_to_migrate(database: Database) -> int | None:
    """Return the version of a store that an older SceneSync made, None for one of today or a new one.

    Raises StoreTooNew, StoreForeign.
    """
    with database.reading() as connection:
        version = refuse_unknown(connection, database)
    return None if version == MIGRATIONS[-1].version else version


def version_of(connection: Connection) -> int | None:
    """Return the schema version, None for a database without any note of one."""
    if not inspect(connection).has_table(schema_version.name):
        return None
    version: int | None = connection.execute(LATEST_VERSION).scalar_one()
    return version


def refuse_unknown(
    connection: Connection, database: Database, migrations: Sequence[Migration] = MIGRATIONS
) -> int | None:
    """Return the schema version if this code can start from it; raises StoreTooNew or StoreForeign.

    A database that machines share may be newer, if what is here still works with it.
    """
    version = version_of(connection)
    if version is None:
        if any(not name.startswith(OF_THE_QUEUE) for name in inspect(connection).get_table_names()):
            raise StoreForeign(database.path)
        return None
    known = migrations[-1].version
    if version > known and (database.path is not None or oldest_that_works(connection) > known):
        raise StoreTooNew(version, known)
    return version


def oldest_that_works(connection: Connection) -> int:
    """Return the oldest version whose SceneSync works with a shared database that has a version."""
    return int(connection.execute(OLDEST_VERSION).scalar_one())


def _apply(database: Database, migration: Migration, clock: Callable[[], float]) -> bool:
    with database.transaction() as connection:
        # Asked inside the transaction: another process may have been faster.
        if (version_of(connection) or 0) >= migration.version:
            return False
        take_your_time(connection)
        connection.exec_driver_sql(CREATE_SCHEMA_VERSION)
        words = ddl_words(connection)
        for statement in migration.statements:
            connection.exec_driver_sql(statement.format(**words))
        note = {"version": migration.version, "name": migration.name, "applied_at": clock()}
        connection.execute(NOTE_VERSION, note)
        if database.path is None:
            _note_oldest(connection, migration)
    return True


def _note_oldest(connection: Connection, migration: Migration) -> None:
    before = connection.execute(OLDEST_VERSION).scalar_one_or_none()
    oldest = max(int(before or 0), migration.works_from or migration.version)
    row = {"server_id": "", "name": OLDEST_THAT_WORKS, "value": str(oldest)}
    connection.execute(insert_or_update(connection, fact), row)
