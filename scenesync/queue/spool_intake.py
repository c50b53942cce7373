import contextlib
import logging
import sqlite3
import time
from pathlib import Path
from typing import Final

from scenesync.queue import merging, spool, transitions
from scenesync.queue.records import PRIORITY_PERSON, Job
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
        self._temporary = _TemporaryFolders(queue_folder)

    def count(self) -> int:
        """Return how many events wait."""
        return len(self._paths())

    def has_arrivals(self) -> bool:
        """Return whether an event waits that was not found unreadable before."""
        return bool(self._paths())

    def take_in(self, connection: sqlite3.Connection) -> int:
        """Put up to BATCH_FILES waiting events into the queue; return how many.

        The names of the files are stored in the same transaction as their jobs and forgotten once the files are gone,
        so a crash at any point repeats nothing. The files are listed under the write lock: who comes second sees either
        the name that the first one stored, or no file.
        """
        if not self.has_arrivals():
            return 0
        with transaction(connection):
            paths = self._paths()[:BATCH_FILES]
            taken = [path for path in paths if self._take(connection, path)]
        removed = [path for path in taken if self._remove(path)]
        with transaction(connection):
            connection.executemany("DELETE FROM taken_in_events WHERE event_id = ?", [(path.name,) for path in removed])
        return len(taken)

    def _paths(self) -> list[Path]:
        paths = [
            Path(folder, name)
            for folder in (spool.spool_beside(self._queue_folder), *self._temporary.find())
            for name in spool.event_files(folder)
        ]
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
        transitions.enqueue(connection, job, priority=PRIORITY_PERSON, now=time.time(), newest=False)
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


class _TemporaryFolders:
    """Finds this queue's folders in the temporary folder, and lists that one (it may be long) only when it changed."""

    _CHECKS_BETWEEN_LISTINGS: Final = 200  # a change within the file system's time stamp granularity is seen by then

    def __init__(self, queue_folder: str) -> None:
        self._queue_folder = queue_folder
        self._seen_change: int | None = None
        self._checks = 0
        self._folders: list[str] = []

    def find(self) -> list[str]:
        root = spool.temporary_root()
        try:
            change = Path(root).stat().st_mtime_ns
        except OSError:
            return []
        self._checks += 1
        if change != self._seen_change or self._checks % self._CHECKS_BETWEEN_LISTINGS == 0:
            self._folders = spool.temporary_folders(self._queue_folder, root)
            self._seen_change = change
        return self._folders


def _event_job(event: bytes) -> Job:
    """Return the job of a spooled event. Raises ValueError unless it is exactly what the hook writes."""
    job = merging.decode_job(event)
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
