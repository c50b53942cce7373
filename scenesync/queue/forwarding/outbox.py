"""The queue file of a machine whose jobs are worked off elsewhere: what hooks put there leaves, in order, once."""

import hashlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scenesync.queue import history
from scenesync.queue.errors import translated
from scenesync.queue.forwarding import rows
from scenesync.queue.open_file import OpenFile
from scenesync.queue.read_only import QueueReader, read_queue
from scenesync.queue.records import OutboxEvent
from scenesync.queue.salvage import DamageReport
from scenesync.queue.schema import FILE_NAME, Journal
from scenesync.queue.signals import ChangeSignal
from scenesync.queue.spool_intake import SpoolIntake

_MAINTENANCE_EVERY: Final = 2000  # events that left: some MB of log
_CHECKPOINT_AFTER_S: Final = 60.0
_MARK_LENGTH: Final = 12


class Outbox:
    """The queue file in ``folder``, for the one process that has the data directory to itself.

    Any thread may call any method. Raises QueueError. A damaged file is replaced (``damage``) if it ``repairs``.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        journal: Journal = "wal",
        timeout_s: float = 10.0,
        repairs: bool = True,
    ) -> None:
        self.folder = os.fspath(folder)
        self._file = OpenFile(self.folder, journal, timeout_s, repairs=repairs)
        self._spool = SpoolIntake(self.folder)
        self._signal = ChangeSignal(self._file.data_version, self._spool.has_arrivals)
        self._left_since_maintenance = 0
        self._maintained_at = time.monotonic()
        with self._file.writing() as connection:
            rows.give_back_claimed(connection)
        self._known_id = self._own_id()

    @property
    def id(self) -> str:
        """The name by which other places know this file: made at random, and anew where a copy of it is opened."""
        return self._known_id

    @property
    def damage(self) -> DamageReport | None:
        """What happened to the file if it was found damaged."""
        return self._file.damage

    def last_number(self) -> int:
        """Return the highest number that an event was ever given here."""
        with self._file.reading as connection:
            return rows.last_number(connection)

    def renew_id(self) -> None:
        """Take another name: somebody else goes by this one."""
        with self._file.writing() as connection:
            rows.renew(connection, _mark_of(self.folder))
        self._known_id = self._read_id()

    def batch(self, after: int) -> list[OutboxEvent]:
        """Return the next events behind number ``after``, in bounded memory, none if there are none.

        What waits gets its numbers now, no earlier: until then events of one scene become one.
        """
        state = self._signal.current()
        found = self._numbered(after)
        if not found:
            self._take_in_spool()
            if self._is_anything_waiting():
                with self._file.writing() as connection:
                    rows.number_waiting(connection, time.time())
                    found = rows.behind(connection, after)
        if not found:
            self._signal.nothing_found_at(state)
        return found

    def forget_up_to(self, number: int) -> None:
        """Delete the events up to ``number``: every place that they go to has them."""
        with self._file.writing() as connection:
            self._left_since_maintenance += rows.forget_up_to(connection, number)
        if self._left_since_maintenance >= _MAINTENANCE_EVERY:
            self.maintain()

    def wait_for_change(self, timeout_s: float, stop: threading.Event | None = None) -> bool:
        """Wait for an event, as long as there is none; return False after ``timeout_s`` or on ``stop``."""
        if time.monotonic() - self._maintained_at >= _CHECKPOINT_AFTER_S:
            self.maintain()
        return self._signal.wait(timeout_s, stop)

    def waiting(self) -> int:
        """Return how many events have not left for good, those beside the file included."""
        with self._file.reading as connection:
            return rows.waiting(connection)[0] + self._spool.count()

    def maintain(self) -> None:
        """Keep the file and its log small. Only we do: hooks never tidy."""
        self._left_since_maintenance, self._maintained_at = 0, time.monotonic()
        with self._file.reading as connection:
            history.checkpoint(connection)

    def recover(self) -> DamageReport | None:
        """Replace a file that turned out damaged while open; what can be read of it is in the new one."""
        with self._file.lock:
            self._file.recover("found while in use")
            self._known_id = self._own_id()
            return self._file.damage

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _numbered(self, after: int) -> list[OutboxEvent]:
        with self._file.reading as connection:
            return rows.behind(connection, after)

    def _is_anything_waiting(self) -> bool:
        """Say so without the write lock, for which hooks would have to wait."""
        with self._file.reading as connection:
            return rows.is_anything_waiting(connection)

    def _take_in_spool(self) -> None:
        if not self._spool.has_arrivals():
            return
        with self._file.lock, translated(self.folder):
            self._spool.take_in(self._file.puts, self._file.look)

    def _own_id(self) -> str:
        """Return the name, a new one if this is a copy of the file that has it: both would number events alike."""
        if not self._read_id().endswith(_mark_of(self.folder)):
            self.renew_id()
        return self._read_id()

    def _read_id(self) -> str:
        with self._file.reading as connection:
            return rows.identity(connection)


def _mark_of(folder: str) -> str:
    """Return what no copy of the queue file in ``folder`` has, on this machine or another: where it lies."""
    status = Path(folder, FILE_NAME).stat()
    place = f"{socket.gethostname()} {status.st_dev} {status.st_ino}"
    return hashlib.sha256(place.encode()).hexdigest()[:_MARK_LENGTH]


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What waits on this machine to be sent on; ``oldest_s`` is how long the oldest has waited, in seconds."""

    waiting: int = 0
    oldest_s: float | None = None


def read_outbox(folder: str | os.PathLike[str], now: float | None = None) -> OutboxState:
    """Return what waits in the outbox in ``folder`` at ``now`` (epoch seconds), changing nothing. Raises QueueError."""
    at = time.time() if now is None else now

    def counted(reader: QueueReader) -> OutboxState:
        spooled = SpoolIntake(reader.folder).count()
        with reader.reading() as connection:
            count, oldest = rows.waiting(connection)
        return OutboxState(count + spooled, None if oldest is None else max(0.0, at - oldest))

    return read_queue(folder, counted, checked=False)
