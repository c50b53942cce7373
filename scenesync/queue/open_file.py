"""The queue's file while it is open: its connections, a lock for the threads, and an eye on where the path leads."""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from scenesync.queue import salvage
from scenesync.queue.errors import QueueDamaged, QueueDiskFailed, QueueReplaced, translate, translated
from scenesync.queue.read_only import QueueReader, read_queue
from scenesync.queue.schema import FILE_NAME, Journal, open_queue_file, transaction

LOOK_EVERY_S: Final = 0.5


class Reading:
    """Gives the connection to one thread at a time and raises SQLite's errors as ours. Re-entrant and reusable.

    A class, not a generator with a decorator: a claim passes here, and that would cost it a tenth of its time.
    """

    __slots__ = ("_connection", "_file", "_lock")

    def __init__(self, file: "OpenFile", connection: sqlite3.Connection, lock: threading.RLock) -> None:
        self._file = file
        self._lock = lock
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        try:
            self._file.look_now_and_then()
        except BaseException:
            self._lock.release()
            raise
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
        if isinstance(error, sqlite3.Error):
            ours = translate(error, self._file.folder)
            if ours is not None:
                raise ours from error


class OpenFile:
    """Opens the queue's file, one opener at a time; a damaged one is replaced (``damage``) if it ``repairs``.

    Raises QueueError.

    ``puts`` syncs each transaction, ``claims`` leaves that to checkpoints; ``looking`` has a connection of its own. If
    the path leads to another file later, or to none, QueueReplaced is raised: after a put always, otherwise within half
    a second.
    """

    def __init__(self, folder: str, journal: Journal, timeout_s: float, *, repairs: bool = True) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self._looking: Reading | None = None
        self._looks: sqlite3.Connection | None = None
        self._looks_lock = threading.RLock()
        self.damage: salvage.DamageReport | None = None
        self._path = str(Path(folder, FILE_NAME))
        self._journal: Journal = journal
        self._timeout_s = timeout_s
        self._repairs = repairs
        self._looked_at = 0.0
        if not repairs:
            # Before it is opened for writing: on closing, SQLite would fold the log into whatever there is.
            read_queue(folder, QueueReader.require_sound, checked=False)
        with salvage.alone(folder, timeout_s):
            self.damage = salvage.resume(folder, journal)
            self._connect()

    def recover(self, reason: str) -> None:
        """Close the file, move it aside as damaged unless somebody else did so already, and open what is there then.

        Raises QueueDamaged while others work with the file; it is closed then.
        """
        with self.lock:
            self.close()
            with salvage.alone(self.folder, self._timeout_s):
                self.damage = salvage.resume(self.folder, self._journal)
                if self._identity_at_path() == self._identity:
                    self.damage = salvage.recover(self.folder, reason, self._journal)
                self._connect()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a transaction that is on disk, where others find it, when the block has ended."""
        with self.lock, translated(self.folder):
            with transaction(self.puts):
                yield self.puts
            self.look()

    @contextlib.contextmanager
    def working(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a transaction that a power cut may undo."""
        with self.reading as connection, transaction(connection):
            yield connection

    def data_version(self) -> int:
        """Return a number that is another one whenever somebody else changed the file."""
        with self.reading as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

    @property
    def looking(self) -> Reading:
        """Give a connection to read from that waits for no claim or completion of this process."""
        with self._looks_lock:
            if self._looking is None:
                self._looks = self._open("NORMAL")
                self._looking = Reading(self, self._looks, self._looks_lock)
            return self._looking

    def close(self) -> None:
        """Close all connections."""
        with self.lock, self._looks_lock:
            self.claims.close()
            self.puts.close()
            if self._looks is not None:
                self._looks.close()
            self._looks = self._looking = None

    def look_now_and_then(self) -> None:
        """Look, unless that was done less than half a second ago."""
        now = time.monotonic()
        if now - self._looked_at > LOOK_EVERY_S:
            self.look()
            self._looked_at = now  # not before: a file that is gone is gone for the next caller as well

    def look(self) -> None:
        """Raise QueueReplaced unless the path still leads to the file that is open."""
        identity = self._identity_at_path()
        if identity is None:
            raise QueueReplaced(self.folder, "deleted or moved away")
        if identity != self._identity:
            raise QueueReplaced(self.folder, "replaced by another")

    def _identity_at_path(self) -> tuple[int, int] | None:
        try:
            info = os.stat(self._path)  # noqa: PTH116 (where a claim passes, pathlib costs too much)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise QueueDiskFailed(self.folder, error.strerror or str(error)) from error
        return info.st_dev, info.st_ino

    def _connect(self) -> None:
        self.puts, self.claims = self._open_or_recover()
        self.reading = Reading(self, self.claims, self.lock)
        self._identity = self._identity_at_path()
        self._looked_at = time.monotonic()

    def _open_or_recover(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        try:
            return self._open_connections()
        except QueueDamaged as error:
            if not self._repairs:
                raise
            self.damage = salvage.recover(self.folder, error.reason, self._journal)
            return self._open_connections()

    def _open_connections(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        puts = self._open("FULL")
        try:
            with translated(self.folder):
                salvage.require_sound(puts, self.folder)
            claims = self._open("NORMAL")
        except BaseException:
            puts.close()
            raise
        return puts, claims

    def _open(self, synchronous: Literal["FULL", "NORMAL"]) -> sqlite3.Connection:
        return open_queue_file(self.folder, synchronous=synchronous, journal=self._journal, timeout_s=self._timeout_s)
