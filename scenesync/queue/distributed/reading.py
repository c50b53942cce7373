"""Look at a queue in PostgreSQL and change nothing: all that is asked is of one moment.

What hooks left in this machine's outbox is on its way there, and is told with the rest.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final, TypeVar

import psycopg

from scenesync.domain.job import KeyOf, scene_key
from scenesync.queue.distributed import looking
from scenesync.queue.distributed.connections import Connection, address_of, translated
from scenesync.queue.distributed.election import leader_of
from scenesync.queue.distributed.letters import DistributedLetters
from scenesync.queue.distributed.sign_of_life import living
from scenesync.queue.forwarding.outbox import read_outbox
from scenesync.queue.port import QueueView
from scenesync.queue.read_only import read_queue
from scenesync.queue.records import FoundJobs, PendingJob, QueueSnapshot
from scenesync.queue.snapshot import read_snapshot

_SETTINGS: Final[dict[str, str | int]] = {"statement_timeout": 30_000, "default_transaction_read_only": "on"}
_MOMENT: Final = psycopg.IsolationLevel.REPEATABLE_READ
_IS_THERE: Final = "SELECT to_regclass('scenesync_jobs') IS NOT NULL"
_LISTED: Final = 1000
_IN_NO_ROW: Final = 0

Answer = TypeVar("Answer")


class DistributedView:
    """A queue as it was found; see ``port.QueueView``. ``outbox`` is the folder of this machine's queue file."""

    def __init__(self, connection: Connection, outbox: str) -> None:
        self._connection = connection
        self._outbox = outbox

    @property
    def dead_letters(self) -> DistributedLetters:
        """The jobs that were given up."""
        return DistributedLetters(self)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give the connection to read from."""
        yield self._connection

    def list_pending(self, limit: int, after: int = 0) -> tuple[PendingJob, ...]:
        """Return waiting jobs in the order of their rows, those after row ``after``."""
        return looking.pending(self._connection, limit, after)

    def find(self, job_key: str) -> FoundJobs:
        """Return what waits and what is in hand under ``job_key``."""
        return looking.find(self._connection, job_key)

    def scenes_waiting(self, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> frozenset[int]:
        """Return those of the scenes for which a job waits or is in hand."""
        return frozenset(looking.scenes_with_jobs(self._connection, scene_ids, key_of))

    def spooled(self) -> tuple[PendingJob, ...]:
        """Return the events in this machine's outbox, as the jobs they will be; they have no row yet."""

        def waiting(reader: QueueView) -> tuple[PendingJob, ...]:
            return (*reader.list_pending(_LISTED), *reader.spooled())

        return tuple(replace(each, row_id=_IN_NO_ROW) for each in read_queue(self._outbox, waiting, checked=False))


def look_into_queue(url: str, schema_name: str, outbox: str, question: Callable[[QueueView], Answer]) -> Answer:
    """Return the answer to ``question``; where there is no queue yet, about the outbox alone. Raises QueueError."""
    with _looking(url, schema_name) as connection:
        if connection is not None:
            return question(DistributedView(connection, outbox))
    return read_queue(outbox, question, checked=False)


def read_figures(url: str, schema_name: str, outbox: str, now: float | None = None) -> QueueSnapshot:
    """Return the queue in figures at ``now`` (epoch seconds), with what waits in the outbox. Raises QueueError."""
    at = time.time() if now is None else now
    with _looking(url, schema_name) as connection:
        if connection is None:
            return read_snapshot(outbox, at)
        found = looking.snapshot(connection, at)
    here = read_outbox(outbox, at)
    ages = [age for age in (found.oldest_pending_s, here.oldest_s) if age is not None]
    return replace(
        found,
        pending=found.pending + here.waiting,
        due=found.due + here.waiting,
        spooled=here.waiting,
        oldest_pending_s=max(ages, default=None),
    )


def read_fleet(url: str, schema_name: str) -> tuple[int, str | None]:
    """Return how many workers live, and who is elected. Raises QueueError."""
    with _looking(url, schema_name) as connection:
        return (0, None) if connection is None else (living(connection), leader_of(connection))


@contextlib.contextmanager
def _looking(url: str, schema_name: str) -> Iterator[Connection | None]:
    """Give a connection that sees one moment, None where there is no queue."""
    text, name = address_of(url, schema_name, _SETTINGS)
    with translated(name), psycopg.connect(text) as connection:
        connection.isolation_level = _MOMENT
        row = connection.execute(_IS_THERE).fetchone()
        yield connection if row is not None and row[0] else None
