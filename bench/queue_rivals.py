"""Queues to measure claims and completions with: ours, the stock class, and one written for nothing but speed.

All are filled behind their backs, by plain SQL in the form that their own puts give, since a hundred thousand durable
puts would take longer than the measurement.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from persistqueue.exceptions import Empty
from persistqueue.serializers import json as json_serializer
from persistqueue.sqlackqueue import SQLiteAckQueue

from scenesync.domain.job import scene_job
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.schema import COMPLETED, FILE_NAME, READY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILL: Final = "INSERT INTO ack_queue_default (data, timestamp, status) VALUES (?, ?, ?)"
_FAR_S: Final = 600.0
_NUMBER: Final = 987_654_321_987


@dataclass(frozen=True, slots=True)
class Content:
    """What lies in a queue before the measurement: jobs due now, in back-off, and done. Back-off is older than due."""

    due: int = 0
    in_backoff: int = 0
    completed: int = 0


class Rival(Protocol):
    """A queue under measurement, opened in a folder where its file was made."""

    def __init__(self, folder: Path) -> None: ...

    @classmethod
    def make(cls, folder: Path, content: Content) -> None:
        """Make its file in a folder; afterwards it can be opened there."""
        ...

    def work(self, count: int, give_up_at: float) -> int:
        """Claim and complete ``count`` due jobs one by one, until ``give_up_at`` (monotonic); return how many."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Ours:
    """The product's queue through the calls that the worker makes, ``at_once`` jobs per claim; each ends by itself."""

    at_once: ClassVar = 1

    def __init__(self, folder: Path) -> None:
        self._queue = EmbeddedQueue(folder)

    @classmethod
    def make(cls, folder: Path, content: Content) -> None:
        """See ``Rival``."""
        with contextlib.closing(EmbeddedQueue(folder)) as queue:
            _fill(folder, content)
            queue.maintain()

    def work(self, count: int, give_up_at: float) -> int:
        """See ``Rival``."""
        done = 0
        while done < count and time.monotonic() < give_up_at:
            claims = self._queue.claim(self.at_once)
            if not claims:
                break
            for claim in claims:
                self._queue.complete(claim)
            done += len(claims)
        return done

    def close(self) -> None:
        """See ``Rival``."""
        self._queue.close()


class OursInBatches(Ours):
    """As many jobs per claim as the worker's loop claims by default."""

    at_once: ClassVar = 16


class Stock:
    """persist-queue as it comes. It knows no due times: what is not due is passed over by asking for the next row."""

    def __init__(self, folder: Path) -> None:
        self._queue = self._open(folder)

    @classmethod
    def make(cls, folder: Path, content: Content) -> None:
        """See ``Rival``."""
        with contextlib.closing(cls._open(folder)):
            pass
        _fill(folder, content)

    def work(self, count: int, give_up_at: float) -> int:
        """See ``Rival``."""
        done = 0
        while done < count and time.monotonic() < give_up_at:
            job = self._next_due(give_up_at)
            if job is None:
                break
            self._queue.ack(job)
            done += 1
        return done

    def close(self) -> None:
        """See ``Rival``."""
        self._queue.close()

    def _next_due(self, give_up_at: float) -> Any:  # noqa: ANN401 - as the stock class
        with contextlib.suppress(Empty):
            row: dict[str, Any] = self._queue.get(block=False, raw=True)
            while row["data"].get("next_retry_at", 0) > time.time():
                self._queue.nack(row["data"])
                if time.monotonic() >= give_up_at:
                    return None
                row = self._queue.get(block=False, raw=True, id=row["pqid"], next_in_order=True)
            return row["data"]
        return None

    @staticmethod
    def _open(folder: Path) -> SQLiteAckQueue:
        return SQLiteAckQueue(str(folder), auto_resume=False, multithreading=True, serializer=json_serializer)


class HandWritten:
    """Real columns, one index, statements without a question asked: no merging, owners, fences or damage control."""

    def __init__(self, folder: Path) -> None:
        self._file = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
        self._file.execute("PRAGMA synchronous = NORMAL")

    @classmethod
    def make(cls, folder: Path, content: Content) -> None:
        """See ``Rival``."""
        folder.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as file:
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, data BLOB, status INTEGER, due_at REAL)")
            file.execute("CREATE INDEX due ON jobs (due_at, id) WHERE status = 1")
            file.execute("BEGIN")
            file.executemany("INSERT INTO jobs (data, status, due_at) VALUES (?, ?, ?)", _rows(content))
            file.execute("COMMIT")

    def work(self, count: int, give_up_at: float) -> int:
        """See ``Rival``."""
        done = 0
        while done < count and time.monotonic() < give_up_at:
            claimed = self._file.execute(
                """UPDATE jobs SET status = 2 WHERE id =
                    (SELECT id FROM jobs WHERE status = 1 AND due_at <= ? ORDER BY due_at, id LIMIT 1)
                    RETURNING id, data""",
                (time.time(),),
            ).fetchall()
            if not claimed:
                break
            json_serializer.loads(claimed[0][1])
            self._file.execute("DELETE FROM jobs WHERE id = ?", (claimed[0][0],))
            done += 1
        return done

    def close(self) -> None:
        """See ``Rival``."""
        self._file.close()


def _fill(folder: Path, content: Content) -> None:
    now = time.time()
    with contextlib.closing(sqlite3.connect(folder / FILE_NAME)) as file, file:
        file.executemany(_FILL, ((data, now, status) for data, status, _due_at in _rows(content)))


def _rows(content: Content) -> Iterator[tuple[bytes, int, float]]:
    """Yield data, status and due time of each row, the oldest first."""
    now = time.time()
    scene_id = 0
    kinds = ((content.completed, COMPLETED, 0.0), (content.in_backoff, READY, now + _FAR_S), (content.due, READY, 0.0))
    for count, status, due_at in kinds:
        # One job is written as JSON; the others differ by their numbers.
        job = dict(scene_job(_NUMBER, now, data={"title": f"Harbour concert {_NUMBER}"}))
        if due_at:
            job |= {"retry_count": 1, "next_retry_at": due_at, "last_error_type": "PlexNotFound"}
        form = json_serializer.dumps(job)
        for _ in range(count):
            scene_id += 1
            yield form.replace(b"%d" % _NUMBER, b"%d" % scene_id), status, due_at
