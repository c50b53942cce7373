import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scenesync.disk.durability import sync_folder
from scenesync.domain.entities import change_of, fan_out_job
from scenesync.domain.errors import PermanentError
from scenesync.domain.job import FANOUT, lane_of_event
from scenesync.queue import merging, spool, transitions
from scenesync.queue.records import Job
from scenesync.queue.schema import transaction

_log = logging.getLogger(__name__)

BATCH_FILES: Final = 500
UNREADABLE_SUFFIX: Final = ".unreadable"
UPDATE_TYPES: Final = ("metadata", "destroy")


class SpoolIntake:
    """Takes the events of hooks that could not reach the queue into it: in order, each exactly once."""

    def __init__(self, queue_folder: str) -> None:
        self._queue_folder = queue_folder
        self._given_up: set[Path] = set()
        self._beside = _EventFolder(spool.spool_beside(queue_folder))
        self._temporary = _TemporaryFolders(queue_folder)

    def count(self) -> int:
        """Return how many events wait."""
        return len(self._paths())

    def waiting(self) -> list[Job]:
        """Return the jobs of the events that wait, oldest first, and leave them where they are."""
        jobs = []
        for path in self._paths():
            with contextlib.suppress(OSError, ValueError):  # taken in meanwhile, or for ``take_in`` to complain about
                jobs.append(_event_job(spool.read_event(str(path))))
        return jobs

    def has_arrivals(self) -> bool:
        """Return whether an event waits that was not found unreadable before."""
        return bool(self._paths())

    def take_in(self, connection: sqlite3.Connection, still_there: Callable[[], None]) -> int:
        """Put up to BATCH_FILES waiting events into the queue; return how many.

        The names of the files are stored in the same transaction as their jobs and forgotten once the files are gone,
        so a crash at any point repeats nothing. The files are looked at under the write lock: who comes second sees
        either the name that the first one stored, or no file. ``still_there`` raises if the queue's file, with these
        jobs in it, is not the one that others will read; then the events stay.
        """
        if not self.has_arrivals():
            return 0
        with transaction(connection):
            paths = self._paths()[:BATCH_FILES]
            taken = [path for path in paths if self._take(connection, path)]
        still_there()
        removed = [path for path in taken if self._remove(path)]
        try:
            for folder in {str(path.parent) for path in removed}:
                sync_folder(folder)
        except OSError as error:
            # A power cut may bring back a file that was removed; then its name must still be known.
            _log.warning("spool folder not synced, its names are kept for now: reason=%s", error)
            return len(taken)
        with transaction(connection):
            connection.executemany("DELETE FROM taken_in_events WHERE event_id = ?", [(path.name,) for path in removed])
        return len(taken)

    def _paths(self) -> list[Path]:
        paths = [path for folder in (self._beside, *self._temporary.find()) for path in folder.events()]
        return sorted((path for path in paths if path not in self._given_up), key=lambda path: path.name)

    def _take(self, connection: sqlite3.Connection, path: Path) -> bool:
        event_id = path.name
        if connection.execute("SELECT 1 FROM taken_in_events WHERE event_id = ?", (event_id,)).fetchone():
            return True
        try:
            job = _event_job(spool.read_event(str(path)))
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            self._give_up(path, error)
            return False
        now = time.time()
        event = transitions.Event.of(job, now)
        transitions.enqueue(connection, event, priority=lane_of_event(job), now=now, newest=False)
        connection.execute("INSERT INTO taken_in_events (event_id) VALUES (?)", (event_id,))
        return True

    def _give_up(self, path: Path, error: Exception) -> None:
        self._given_up.add(path)
        _log.warning("spool event unreadable, kept as it is: file=%s reason=%s", path.name, error)
        if isinstance(error, ValueError):  # it will not get better by reading it again after a restart
            with contextlib.suppress(OSError):
                path.rename(f"{path}{UNREADABLE_SUFFIX}")

    def _remove(self, path: Path) -> bool:
        try:
            path.unlink()
        except FileNotFoundError:
            return True
        except OSError as error:
            # Its name stays stored, so that it is not taken in again.
            self._given_up.add(path)
            _log.warning("spool event taken in but not removed: file=%s reason=%s", path.name, error)
            return False
        return True


class _Watched:
    """Tells whether a folder may have changed since it was listed, by one look at its time stamp.

    Two changes within the stamp's granularity (up to 2 s on some disks) look like one. So a listing counts only if it
    was made long enough after the stamp was first seen, and never for longer than a minute. Measured by our own clock:
    that of the disk may be another, and both may be set.
    """

    __slots__ = ("_listed_at", "_path", "_seen_at", "_stamp")
    _SETTLED_AFTER_S: Final = 2.5
    _NEVER_TRUSTED_LONGER_THAN_S: Final = 60.0

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp: int | None = None
        self._seen_at = self._listed_at = 0.0

    def must_be_listed(self) -> bool:
        """Return whether to list the folder now; whoever is told so does it."""
        now = time.monotonic()
        try:
            stamp = os.stat(self._path).st_mtime_ns  # noqa: PTH116 (every claim may pass here)
        except OSError:
            stamp = -1
        if stamp != self._stamp:
            self._stamp, self._seen_at = stamp, now
        elif (
            self._listed_at - self._seen_at > self._SETTLED_AFTER_S
            and now - self._listed_at < self._NEVER_TRUSTED_LONGER_THAN_S
        ):
            return False
        self._listed_at = now
        return True


class _EventFolder:
    """The events in one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._watched = _Watched(folder)
        self._paths: list[Path] = []

    def events(self) -> list[Path]:
        if self._watched.must_be_listed():
            self._paths = [Path(self._folder, name) for name in spool.event_files(self._folder)]
        return self._paths


class _TemporaryFolders:
    """Finds this queue's folders in the temporary folder, which may be long and change often: not at every look."""

    _LOOK_EVERY_S: Final = 0.5

    def __init__(self, queue_folder: str) -> None:
        self._queue_folder = queue_folder
        self._root: str | None = None
        with contextlib.suppress(FileNotFoundError):  # no folder for temporary files can be written
            self._root = spool.temporary_root()
        self._watched = _Watched(self._root or "")
        self._looked_at: float | None = None
        self._folders: list[_EventFolder] = []

    def find(self) -> list[_EventFolder]:
        if self._root is None:
            return []
        now = time.monotonic()
        if self._looked_at is None or now - self._looked_at > self._LOOK_EVERY_S:
            self._looked_at = now
            if self._watched.must_be_listed():
                found = spool.temporary_folders(self._queue_folder, self._root)
                self._folders = [_EventFolder(folder) for folder in found]
        return self._folders


def _event_job(event: bytes) -> Job:
    """Return the job of a spooled event. Raises ValueError unless it is exactly what the hook writes."""
    job = merging.decode_job(event)
    if job.get("update_type") == FANOUT:
        return _fan_out_event(job)
    scene_id, data = job.get("scene_id"), job.get("data")
    if not isinstance(scene_id, int) or scene_id <= 0 or job.get("job_key") != f"scene_{scene_id}":
        raise ValueError("no scene named")
    if job.get("update_type") not in UPDATE_TYPES or not isinstance(data, dict):
        raise ValueError("not an event")
    return {
        "scene_id": scene_id,
        "update_type": job["update_type"],
        "data": {name: data[name] for name in ("path", "title") if isinstance(data.get(name), str)},
        "enqueued_at": merging.event_time(job, time.time()),
        "job_key": job["job_key"],
    }


def _fan_out_event(job: Job) -> Job:
    try:
        return fan_out_job(change_of(job), merging.event_time(job, time.time()))
    except PermanentError as error:
        raise ValueError(str(error)) from error
