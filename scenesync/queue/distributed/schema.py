"""What the queue needs in PostgreSQL: Procrastinate's own schema, and beside it what Procrastinate has no place for.

Procrastinate keeps which jobs there are, which one is next and who has it. Beside each of its rows stands one of ours,
with the job's content and retry state. Every step of a schema has a name, and those that ran are noted; a database may
have run more than this SceneSync knows of (another one is newer already), never fewer.
"""

import contextlib
from pathlib import Path
from typing import Final

from procrastinate.schema import SchemaManager

from scenesync.postgres.schema import make_schema, only_upgrader
from scenesync.queue.distributed.connections import Connection, Server
from scenesync.queue.errors import QueueUnsupported

_EXISTS: Final = "SELECT to_regclass(%s) IS NOT NULL"
_NOTES: Final = """
    CREATE TABLE IF NOT EXISTS scenesync_queue_schema (
        step text PRIMARY KEY, ran_at timestamptz NOT NULL DEFAULT now())"""
_RAN: Final = "SELECT step FROM scenesync_queue_schema"
_NOTE: Final = "INSERT INTO scenesync_queue_schema (step) VALUES (%s)"
_PATIENCE_S: Final = 10.0
# `wakes_at` is set while the job sleeps, in the database's own clock, the only one that all machines share; `due_at` is
# what the job says. `ended` tells finished rows, of which there are few, from all others. Procrastinate looks at each
# fetch for other jobs of the same lock, by an index that does not begin with it: beside 100,000 jobs a walk each time.
_OURS: Final = {
    "scenesync 1": """
    CREATE TABLE scenesync_jobs (
        job_id bigint PRIMARY KEY REFERENCES procrastinate_jobs (id) ON DELETE CASCADE,
        data text NOT NULL, lane integer NOT NULL, event_at double precision NOT NULL,
        stored_at double precision NOT NULL, due_at double precision NOT NULL, deliveries integer NOT NULL DEFAULT 0,
        claim_no bigint NOT NULL DEFAULT 0, wakes_at timestamptz, last_error_type text, file_key text, ended text);
    CREATE INDEX scenesync_jobs_asleep ON scenesync_jobs (wakes_at) WHERE wakes_at IS NOT NULL;
    CREATE INDEX scenesync_jobs_for_files ON scenesync_jobs (file_key) WHERE file_key IS NOT NULL;
    CREATE INDEX scenesync_jobs_failed ON scenesync_jobs (job_id) INCLUDE (last_error_type) WHERE due_at > 0;
    CREATE INDEX scenesync_by_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');
    CREATE INDEX scenesync_jobs_ended ON scenesync_jobs (job_id) INCLUDE (ended) WHERE ended IS NOT NULL;
    CREATE SEQUENCE scenesync_claims;
    CREATE TABLE scenesync_counters (name text PRIMARY KEY, value bigint NOT NULL);
    INSERT INTO scenesync_counters (name, value) VALUES ('succeeded', 0), ('failed', 0);
    CREATE TABLE scenesync_dead_letters (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, row_id bigint, scene_id bigint, job_key text,
        job text NOT NULL, error_type text NOT NULL, message text NOT NULL, traceback text NOT NULL,
        advice text NOT NULL, attempts integer NOT NULL, details text NOT NULL, failed_at double precision NOT NULL,
        event_at double precision);
    CREATE INDEX scenesync_dead_letters_by_time ON scenesync_dead_letters (failed_at, id);
    CREATE INDEX scenesync_dead_letters_by_scene ON scenesync_dead_letters (scene_id, failed_at, id);
    CREATE INDEX scenesync_dead_letters_by_error ON scenesync_dead_letters (error_type, failed_at, id)""",
    "scenesync 2": """
    CREATE TABLE scenesync_outboxes (
        outbox_id text PRIMARY KEY, taken_up_to bigint NOT NULL, noted_at timestamptz NOT NULL DEFAULT now())""",
}


def prepare(server: Server) -> None:
    """Make what is missing, or bring it up to date; safe to call from several machines at once. Raises QueueError."""
    with server.translated(), server.connect() as connection, only_upgrader(connection):
        make_schema(connection, server.schema)
        _prepare(connection, server.name)


def prepare_if_empty(url: str, schema_name: str) -> bool:
    """Make what is missing where nothing is yet, as another one may have done by now; False if there is something else.

    Raises QueueError.
    """
    server = Server(url, timeout_s=_PATIENCE_S, schema=schema_name)
    with contextlib.closing(server), server.translated(), server.connect() as connection, only_upgrader(connection):
        if not any(_one(connection, _EXISTS, table) for table in ("procrastinate_jobs", "scenesync_queue_schema")):
            make_schema(connection, schema_name)
            _prepare(connection, server.name)
        return not missing_steps(connection)


def missing_steps(connection: Connection) -> list[str]:
    """Return the steps that have not been run in the schema of ``connection``, in their order."""
    ran = _ran(connection) if _one(connection, _EXISTS, "scenesync_queue_schema") else set()
    return [step for step in _all_steps() if step not in ran]


def require_current(connection: Connection, name: str) -> None:
    """Raise QueueUnsupported unless the database has every step that this version needs."""
    missing = missing_steps(connection)
    if missing:
        raise QueueUnsupported(
            f"The database {name} is not ready to be SceneSync's queue: {missing[0]!r} and {len(missing) - 1} more "
            "steps have not been run there. Run `scenesync db upgrade` on one machine."
        )


def _prepare(connection: Connection, name: str) -> None:
    if _one(connection, _EXISTS, "procrastinate_jobs"):
        if not _one(connection, _EXISTS, "scenesync_queue_schema"):
            raise QueueUnsupported(
                f"The database {name} is used by Procrastinate without SceneSync: give SceneSync a database, or a "
                "schema, of its own."
            )
    else:
        with connection.transaction():
            connection.execute(_NOTES)
            connection.execute(SchemaManager.get_schema())
            for step in _procrastinate():
                connection.execute(_NOTE, (step,))
    ran = _ran(connection)
    for step, statements in _all_steps().items():
        if step not in ran:
            with connection.transaction():
                connection.execute(_text_of(statements))
                connection.execute(_NOTE, (step,))


def _procrastinate() -> dict[str, Path]:
    """Return Procrastinate's migrations in their order; their names sort so by its own rule."""
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"), key=lambda file: file.name)
    return {f"procrastinate {file.stem}": file for file in files}


def _all_steps() -> dict[str, Path | str]:
    return {**_procrastinate(), **_OURS}


def _text_of(statements: str | Path) -> bytes:
    return statements.read_bytes() if isinstance(statements, Path) else statements.encode()


def _ran(connection: Connection) -> set[str]:
    return {step for (step,) in connection.execute(_RAN).fetchall()}


def _one(connection: Connection, statement: str, *values: object) -> object:
    row = connection.execute(statement.encode(), values).fetchone()
    return None if row is None else row[0]
