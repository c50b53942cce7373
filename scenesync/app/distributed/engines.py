"""Queue and state on PostgreSQL, as an installation opens them. Imported when it is needed: it needs an extra."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from scenesync.app.distributed import moving
from scenesync.app.distributed.moved import MoveRefused
from scenesync.app.distributed.standing import DatabaseStanding
from scenesync.postgres.address import AddressUnreadable, shown_name
from scenesync.postgres.server import about_server
from scenesync.queue.distributed import schema
from scenesync.queue.distributed.connections import Server
from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.distributed.reading import look_into_queue, read_figures, read_fleet
from scenesync.queue.errors import QueueUnsupported
from scenesync.store.errors import StoreUnavailable
from scenesync.store.migrations import MIGRATIONS
from scenesync.store.postgres import open_shared, standing_of, upgrade_shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.app.distributed.moved import Moved
    from scenesync.app.settings import Settings
    from scenesync.store.database import Database

__all__ = [
    "look_into_queue",
    "move_into_database",
    "move_into_directory",
    "open_queue",
    "open_state",
    "read_figures",
    "read_fleet",
    "standing",
    "upgrade",
]

PATIENCE_S = 10.0


def open_queue(url: str, schema_name: str, *, takes_over: bool) -> DistributedQueue:
    """Open the queue, which is made where nothing is yet. Raises QueueError."""
    try:
        return DistributedQueue(url, schema_name=schema_name, takes_over=takes_over)
    except QueueUnsupported:
        # What is there already other machines may work with: a person brings it up to date, for all of them.
        if not schema.prepare_if_empty(url, schema_name):
            raise
    return DistributedQueue(url, schema_name=schema_name, takes_over=takes_over)


def open_state(url: str, schema_name: str, *, read_only: bool) -> Database | None:
    """Open the state, which is made where there is none; read only, that is None. Raises StoreError."""
    with _readable():
        return open_shared(url, schema=schema_name, read_only=read_only)


def standing(url: str, schema_name: str) -> DatabaseStanding:
    """Return how the database stands, and change nothing. Raises StoreError, QueueError."""
    with _readable():
        state = standing_of(url, schema=schema_name)
    server = Server(url, timeout_s=PATIENCE_S, schema=schema_name)
    with contextlib.closing(server), server.translated(), server.connect() as connection:
        about = about_server(connection)
        return DatabaseStanding(
            name=server.name,
            schema=schema_name,
            server_major=about.major,
            server_version=about.version,
            clock_ahead_s=about.clock_ahead_s,
            version=state.version,
            works_from=state.works_from,
            needs=MIGRATIONS[-1].version,
            missing_state=state.missing,
            missing_queue=schema.missing_steps(connection),
        )


def upgrade(url: str, schema_name: str) -> Sequence[str]:
    """Make or upgrade all that lies in the schema; return the steps that ran. Raises StoreError, QueueError."""
    before = standing(url, schema_name)
    with _readable():
        upgrade_shared(url, schema=schema_name)
    server = Server(url, timeout_s=PATIENCE_S, schema=schema_name)
    with contextlib.closing(server):
        schema.prepare(server)
    return [*before.missing_state, *before.missing_queue]


def move_into_database(settings: Settings, url: str, *, replace: bool) -> Moved:
    """Move an installation from its data directory into a database. Raises as ``moving.into_database``."""
    upgrade(url, settings.database_schema)
    with _readable(), open_shared(url, schema=settings.database_schema) as shared:
        return moving.into_database(settings, url, shared, replace=replace)


def move_into_directory(settings: Settings, url: str) -> Moved:
    """Make the data directory anew from a database. Raises as ``moving.into_directory``."""
    shared = open_state(url, settings.database_schema, read_only=True)
    if shared is None:
        raise MoveRefused(f"There is nothing to move in the database {shown_name(url)}.")
    with shared:
        return moving.into_directory(settings, url, shared)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except AddressUnreadable as error:
        raise StoreUnavailable(str(error)) from None
