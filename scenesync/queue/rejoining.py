"""Bring jobs of an earlier time into the queue of today, such as those of a backup: nothing that waits now is lost.

The queue is never replaced by an older one. A job is a reason to look (the worker reads the scene as it is then), so
one too many costs a look and one too few would cost a change; and hooks may write to the file at any moment.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

from scenesync.domain.batches import batched
from scenesync.domain.job import PRIORITY_BULK, lane_of_event
from scenesync.queue import merging, transitions
from scenesync.queue.read_only import QueueReader
from scenesync.queue.records import BulkResult, Job

_AT_ONCE: Final = 200

# What waited or was in hand.
_UNDONE: Final = "SELECT data FROM ack_queue_default WHERE status <= 2 ORDER BY _id"
# What was given up.
_GIVEN_UP: Final = "SELECT job FROM dead_letters ORDER BY id"


class WritableQueue(Protocol):
    """The queue of today."""

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Give a connection inside a transaction that is on disk when the block has ended."""
        ...


def undone_jobs(reader: QueueReader) -> list[Job]:
    """Return all that was not done in a queue: what waited, what was in hand, and what was given up.

    What was given up may have been solved since then, which one more look tells. Raises QueueError.
    """
    with reader.reading() as connection:
        rows = [*connection.execute(_UNDONE), *connection.execute(_GIVEN_UP)]
    return list(_readable(data for (data,) in rows))


def _readable(rows: Iterable[object]) -> Iterator[Job]:
    for data in rows:
        try:
            yield merging.decode_job(data)
        except ValueError:  # a foreign row, which no worker would process either
            continue


def rejoin(queue: WritableQueue, jobs: Iterable[Job]) -> BulkResult:
    """Let ``jobs`` wait, without retry state and behind what persons do; what waits under the same key absorbs them.

    What a person decided about scenes that were gone was decided about the Stash of that time, and is asked anew.
    Raises QueueError.
    """
    total = BulkResult()
    for batch in batched(jobs, _AT_ONCE):
        with queue.writing() as connection:
            total += _enqueue(connection, batch)
    return total


def _enqueue(connection: sqlite3.Connection, jobs: Iterable[Job]) -> BulkResult:
    now, created, merged = time.time(), 0, 0
    for job in jobs:
        event = transitions.Event.of(merging.undecided(merging.without_retry_state(job)), now)
        lane = max(PRIORITY_BULK, lane_of_event(job))
        # Not the newest: of two events for a scene the later one decides, and that is the one that waits now.
        result = transitions.enqueue(connection, event, priority=lane, now=now, newest=False)
        created, merged = created + (not result.merged), merged + result.merged
    return BulkResult(created, merged)
