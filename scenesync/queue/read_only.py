"""Look at a queue and change nothing: no file is made, migrated, moved aside or locked, on a read-only disk neither."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from scenesync.disk import reading
from scenesync.domain.job import KeyOf, lane_of_event, scene_key
from scenesync.queue import listing, merging, salvage
from scenesync.queue.dead_letters import DeadLetterReader
from scenesync.queue.errors import QueueDamaged, QueueUnwritable, translated
from scenesync.queue.records import FoundJobs, PendingJob
from scenesync.queue.schema import FILE_NAME, migrate, require_sqlite, version_of
from scenesync.queue.schema import SCHEMA_VERSION as TODAY
from scenesync.queue.spool_intake import SpoolIntake

_ATTEMPTS: Final = 3
_TIMEOUT_S: Final = 2.0
_A_MOMENT_S: Final = 0.01
_IN_NO_ROW: Final = 0

Answer = TypeVar("Answer")


class QueueReader:
    """A queue as it was found; events that hooks left beside it are part of it."""

    def __init__(self, folder: str, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection

    @property
    def dead_letters(self) -> DeadLetterReader:
        """The jobs that were given up."""
        return DeadLetterReader(self)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to read from."""
        with translated(self.folder):
            yield self._connection

    def list_pending(self, limit: int, after: int = 0) -> tuple[PendingJob, ...]:
        """Return waiting jobs in the order of their rows, those after row ``after``."""
        with self.reading() as connection:
            return listing.pending(connection, limit, after)

    def find(self, job_key: str) -> FoundJobs:
        """Return what waits and what is in hand under ``job_key``."""
        with self.reading() as connection:
            return listing.find(connection, job_key)

    def scenes_waiting(self, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> frozenset[int]:
        """Return those of the scenes for which a job waits or is in hand."""
        with self.reading() as connection:
            return frozenset(each for each in scene_ids if listing.is_waiting(connection, key_of(each)))

    def spooled(self) -> tuple[PendingJob, ...]:
        """Return the events that wait beside the queue, as the jobs they will be; they have no row yet."""
        return tuple(
            PendingJob(_IN_NO_ROW, job, lane_of_event(job), 0.0, 0, merging.event_time(job, 0.0))
            for job in SpoolIntake(self.folder).waiting()
        )

    def require_sound(self) -> None:
        """Raise QueueDamaged if a check of the file's structure fails."""
        if Path(self.folder, FILE_NAME).exists():
            with self.reading() as connection:
                salvage.require_sound(connection, self.folder)


def read_queue(
    path: str | os.PathLike[str], question: Callable[[QueueReader], Answer], *, checked: bool = True
) -> Answer:
    """Return the answer to ``question`` about the queue in folder ``path``; where there is none, about an empty one.

    ``checked`` has the file's structure looked through first (skipped for large files). Raises QueueError.
    """
    folder = os.fspath(path)
    for _ in range(_ATTEMPTS - 1):
        # Read without a lock (disk.reading), a checkpoint in this very moment looks like damage, and what a process
        # left that was killed may need another way of reading than the one that was right a moment ago: look again.
        with contextlib.suppress(QueueDamaged, QueueUnwritable):
            return _ask(folder, question, checked=checked)
        time.sleep(_A_MOMENT_S)
    return _ask(folder, question, checked=checked)


def _ask(folder: str, question: Callable[[QueueReader], Answer], *, checked: bool) -> Answer:
    with translated(folder), contextlib.closing(_open(Path(folder, FILE_NAME))) as connection:
        reader = QueueReader(folder, connection)
        if checked:
            reader.require_sound()
        return question(reader)


def _open(file: Path) -> sqlite3.Connection:
    """Return a connection to what is there, as today's code knows it; older layouts are migrated in memory.

    All that is asked of it is of one moment.
    """
    require_sqlite()
    connection = reading.connect(file, timeout_s=_TIMEOUT_S) if _size(file) > 0 else sqlite3.connect(":memory:")
    try:
        reading.begin(connection)
        if version_of(connection) == TODAY:
            return connection
        connection, found = reading.in_memory(connection), connection
        found.close()
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
