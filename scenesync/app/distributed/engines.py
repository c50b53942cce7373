"""Queue and state on PostgreSQL, as an installation opens them. Imported when it is needed: it needs an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.postgres.address import AddressUnreadable
from scenesync.queue.distributed import schema
from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.errors import QueueUnsupported
from scenesync.store.errors import StoreUnavailable
from scenesync.store.postgres import open_shared

if TYPE_CHECKING:
    from scenesync.store.database import Database


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
    try:
        return open_shared(url, schema=schema_name, read_only=read_only)
    except AddressUnreadable as error:
        raise StoreUnavailable(str(error)) from None
