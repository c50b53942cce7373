"""A PostgreSQL of the tests' own, as the demo and the benchmarks start it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from scenesync.queue.distributed import schema
from scenesync.queue.distributed.connections import Server
from scenesync.simulators.postgres import NoPostgresHere, PrivatePostgres, private_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def postgres_or_skip() -> Iterator[PrivatePostgres]:
    """Start one for the block; the test is skipped where there is none to be started."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(private_postgres())
        except NoPostgresHere as why:
            pytest.skip(str(why))
        yield server


def database_for_queue(postgres: PrivatePostgres, name: str) -> str:
    """Make a database that is ready to be a queue; return its address."""
    url = postgres.new_database(name)
    with contextlib.closing(Server(url, timeout_s=10)) as server:
        schema.prepare(server)
    return url


__all__ = ("PrivatePostgres", "database_for_queue", "postgres_or_skip")
