"""Go back to a backup: its state replaces today's, its jobs join those that wait today.

The state of a backup is older than both servers. So the place up to which Stash was looked at is forgotten, which makes
the next start compare everything; and the queue, whose newest events are known to nobody else, is never replaced.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scenesync.app.backup.archive import QUEUE, SPOOL, STATE, Contents, extract, read_contents
from scenesync.app.backup.check import server_side
from scenesync.app.backup.errors import BackupUnusable, RestoreRefused
from scenesync.app.data_directory import database_file, make_data_dir, worker_lock
from scenesync.app.opening import embedded_queue_at, journal_of
from scenesync.app.telling.memo import FACT as TOLD
from scenesync.app.wording.times import moment
from scenesync.disk.ownership import hand_over_all
from scenesync.intake.polling import FACT as POLL_CURSOR
from scenesync.queue.errors import QueueError
from scenesync.queue.read_only import read_queue
from scenesync.queue.rejoining import rejoin, undone_jobs
from scenesync.queue.schema import FILE_NAME
from scenesync.queue.schema import SCHEMA_VERSION as QUEUE_VERSION
from scenesync.store.database import open_database
from scenesync.store.errors import StoreDamaged, StoreForeign, StoreTooNew
from scenesync.store.memory import Memory
from scenesync.store.migrations import MIGRATIONS
from scenesync.store.outages import OutageStore
from scenesync.store.pauses import PauseStore
from scenesync.store.reconciliations import forget_unfinished
from scenesync.store.replacing import replace_database
from scenesync.worker.availability.health import SERVICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.settings import Settings
    from scenesync.queue.records import BulkResult, Job
    from scenesync.store.database import Database

log = logging.getLogger(__name__)

SCRATCH: Final = ".scenesync-restore-"
_NEWER: Final = "Update SceneSync and restore it then, or choose an older backup."


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. ``kept`` is the state store that was there before; ``jobs`` are those of the backup."""

    contents: Contents
    kept: Path | None
    jobs: BulkResult

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            "made_at": self.contents.made_at,
            "made_by": self.contents.scenesync,
            "store_version": self.contents.store_version,
            "kept": None if self.kept is None else str(self.kept),
            "jobs_enqueued": self.jobs.created,
            "jobs_merged": self.jobs.merged,
        }

    def as_lines(self) -> Sequence[str]:
        """Return it for people, with what happens next."""
        lines = [f"Restored the backup of {moment(self.contents.made_at)}."]
        if self.kept is not None:
            lines.append(f"The state store that was there is kept as {self.kept}; delete it when all is well.")
        lines.append(
            f"The queue was not replaced: all that waits there still does, {self.jobs.created} jobs of the backup were "
            f"added, {self.jobs.merged} waited already."
        )
        if self.contents.unsound:
            lines.append(f"Its state store was damaged in part when it was backed up ({self.contents.unsound}).")
        lines.append(
            "Next: `scenesync run` (or `scenesync reconcile --scope all`) compares both libraries in full, since what "
            "happened after the backup is not known any more. Edits that SceneSync made after it count as a person's: "
            "under conflict_policy plex or fill they stay as they are, and undo does not know them."
        )
        return lines


def inspect(path: Path) -> Contents:
    """Return what the backup ``path`` holds, if this SceneSync can restore it. Raises BackupUnusable, OSError."""
    contents = read_contents(path)
    for what, found, known in (
        ("state store", contents.store_version, MIGRATIONS[-1].version),
        ("queue", contents.queue_version, QUEUE_VERSION),
    ):
        if found is not None and found > known:
            raise BackupUnusable(
                path, f"its {what} has version {found}, this SceneSync knows versions up to {known}", _NEWER
            )
    if not {STATE, QUEUE} & contents.members.keys():
        raise BackupUnusable(path, "it holds neither a state store nor a queue")
    return contents


def restore(settings: Settings, path: Path) -> Restored:
    """Restore the backup ``path``. Raises BackupUnusable, RestoreRefused, StoreError, QueueError, OSError.

    Everything is unpacked and checked before anything is changed. Jobs are added first, on the disk; doing it again
    after a crash in between adds none twice.
    """
    contents = inspect(path)
    if settings.database_url is not None:
        raise RestoreRefused(f"Nothing was changed: {server_side(settings)}.")
    make_data_dir(settings.data_dir)
    lock = worker_lock(settings.data_dir)
    if not lock.acquire():
        raise RestoreRefused(
            f"SceneSync works in {settings.data_dir}: end the daemon first (in Stash: the task *Stop the daemon*). "
            "Nothing was changed."
        )
    try:
        _clear_away(settings.data_dir)
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=settings.data_dir) as scratch:
            jobs = _jobs_of(path, contents, Path(scratch))
            state = _staged_state(settings, path, contents, Path(scratch))
            with closing(embedded_queue_at(settings, auto_resume=False, repairs=True)) as queue:
                joined = rejoin(queue, jobs)
            kept = None if state is None else replace_database(database_file(settings.data_dir), state)
    finally:
        hand_over_all(str(settings.data_dir))  # also what was made before something went wrong
        lock.release()
    log.info("backup restored file=%s jobs=%d merged=%d", path.name, joined.created, joined.merged)
    return Restored(contents, kept, joined)


def _clear_away(data_dir: Path) -> None:
    """Delete what a killed restore left."""
    for left in data_dir.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)


def _jobs_of(path: Path, contents: Contents, scratch: Path) -> Sequence[Job]:
    jobs: list[Job] = []
    if QUEUE in contents.members:
        folder = scratch / "queue"
        folder.mkdir()
        extract(path, contents, QUEUE, folder / FILE_NAME)
        try:
            jobs += read_queue(folder, undone_jobs)
        except (QueueError, sqlite3.Error) as error:
            raise BackupUnusable(path, f"its queue cannot be read ({type(error).__name__})") from error
    if SPOOL in contents.members:
        extract(path, contents, SPOOL, scratch / SPOOL)
        jobs += json.loads((scratch / SPOOL).read_text(encoding="utf-8"))
    return jobs


def _staged_state(settings: Settings, path: Path, contents: Contents, scratch: Path) -> Path | None:
    """Return the state store of the backup, brought to today's version and made to look at everything once more."""
    if STATE not in contents.members:
        return None
    state = scratch / STATE
    extract(path, contents, STATE, state)
    try:
        with open_database(state, journal=journal_of(settings), repair=False) as database:
            memory = Memory(database)
            memory.note(POLL_CURSOR, "")  # as at the first start: everything is compared (app.reconciliation_schedule)
            forget_unfinished(database)
            _forget_troubles(database, contents.made_at)
    except (StoreTooNew, StoreForeign, StoreDamaged) as error:
        raise BackupUnusable(path, f"its state store cannot be used ({error})") from error
    return state


def _forget_troubles(database: Database, made_at: float) -> None:
    """Let what went wrong when the backup was made be over: what still does is found, and told, anew."""
    for service in SERVICES:
        OutageStore(database).end(service, at=made_at)
        PauseStore(database).end(service)
    Memory(database).note(TOLD, "")  # messages that waited then are of no use today
