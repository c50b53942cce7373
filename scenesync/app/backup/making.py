"""Make a backup: copies of both databases while everybody works on, checked, in one file that appears when it is whole.

The queue is copied before the state. What is done in between waits in the copied queue still, and looking at a scene
once more does no harm; the other way round it would be done for the queue and unknown to the state.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scenesync.app.backup.archive import QUEUE, SPOOL, STATE, Contents, write_archive
from scenesync.app.backup.errors import BackupError, NothingToBackUp
from scenesync.app.backup.keeping import Kind, backup_folder, drop_too_many, name_for
from scenesync.app.data_directory import database_file, queue_folder
from scenesync.app.version import VERSION
from scenesync.disk.copying import Unsound, copy_database
from scenesync.disk.durability import sync_folder
from scenesync.disk.ownership import hand_over
from scenesync.queue.owner_lock import KernelLock
from scenesync.queue.schema import FILE_NAME
from scenesync.queue.spool_intake import SpoolIntake
from scenesync.store.errors import StoreError, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scenesync.app.settings import Settings

log = logging.getLogger(__name__)

LOCK: Final = ".scenesync-backup.lock"
SCRATCH: Final = ".scenesync-backup-"
WAIT_FOR_ANOTHER_S: Final = 60.0

# The version of a state store.
STORE_VERSION: Final = "SELECT MAX(version) FROM schema_version"
# What waits or is in hand, and what was given up.
JOBS_IN_QUEUE: Final = "SELECT COUNT(*) FROM ack_queue_default WHERE status <= 2"
LETTERS_IN_QUEUE: Final = "SELECT COUNT(*) FROM dead_letters"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made, and the older ones that went for it."""

    path: Path
    size_bytes: int
    contents: Contents
    dropped: Sequence[Path] = ()

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json`` and the API."""
        return {
            "file": str(self.path),
            "size_bytes": self.size_bytes,
            "made_at": self.contents.made_at,
            "kind": self.contents.kind,
            "store_version": self.contents.store_version,
            "queue_version": self.contents.queue_version,
            "waiting": self.contents.waiting,
            "dead_letters": self.contents.dead_letters,
            "dropped": [str(path) for path in self.dropped],
        }

    def as_line(self) -> str:
        """Return it for people."""
        went = f" {len(self.dropped)} older ones were deleted." if self.dropped else ""
        return (
            f"Backup written to {self.path} ({self.size_bytes / 1e6:.1f} MB): state store version "
            f"{self.contents.store_version or 'none'}, {self.contents.waiting} jobs, {self.contents.dead_letters} dead "
            f"letters.{went}"
        )


def _never_stopped() -> None:
    pass


def back_up(
    settings: Settings,
    *,
    to: Path | None = None,
    kind: Kind = Kind.ORDINARY,
    go_on: Callable[[], None] = _never_stopped,
) -> Made:
    """Make a backup in ``to``, or in the folder of the settings, where the oldest beyond ``backup_keep`` go for it.

    ``go_on`` is called now and then and may raise to give up; nothing is left then. Raises BackupError, StoreError,
    QueueError, OSError.
    """
    folder = _folder_of(settings, to)
    with _alone_in(folder), tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
        draft, contents = _drafted(settings, Path(scratch), kind, go_on)
        target, size_bytes = name_for(folder, contents.made_at, contents.store_version or 0, kind), draft.stat().st_size
        draft.rename(target)  # the file is whole and on the disk; only now it gets a name by which it can be found
        sync_folder(folder)
        hand_over(str(target))
        dropped = () if to else drop_too_many(folder, settings.backup_keep, target)
    made = Made(target, size_bytes, contents, dropped)
    log.info("backup made file=%s bytes=%d dropped=%d", target.name, made.size_bytes, len(dropped))
    return made


def back_up_before_migration(settings: Settings, version: int) -> None:
    """Keep the state as it is before a newer SceneSync changes it, without the queue, which stays as it is.

    A daemon that does not start loses more than a backup that is not made: whatever is in the way is said in the log,
    and the migration, which either happens as a whole or not at all, goes on.
    """
    log.info("the state store has version %d and is about to be migrated; backing it up first", version)
    try:
        made = back_up(settings, kind=Kind.BEFORE_MIGRATION)
    except (StoreError, OSError) as error:
        log.warning("the state store is migrated without a backup of it, since none could be made: %s", error)
        return
    if made.contents.unsound:
        log.warning(
            "the state store is damaged in part (%s); its backup %s is as damaged, and the migration goes on",
            made.contents.unsound,
            made.path,
        )


def _folder_of(settings: Settings, to: Path | None) -> Path:
    folder = to or backup_folder(settings)
    if folder.is_dir():
        return folder
    if to is None and settings.backup_dir is not None and not settings.backup_dir.is_dir():
        raise BackupError(
            f"backup_dir {settings.backup_dir} is no folder that is there. It is not made, since it may be the place "
            "of a disk that is not mounted: mount the disk, or make the folder."
        )
    folder.mkdir(mode=0o700, parents=True)
    hand_over(str(folder))
    return folder


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep others from making a backup in ``folder`` meanwhile, and clear away what killed ones left."""
    lock = KernelLock(folder / LOCK)
    try:
        is_alone = lock.acquire(WAIT_FOR_ANOTHER_S)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BackupError(f"No backup can be written into {folder} ({why}).") from error
    if not is_alone:
        raise BackupError(f"Another backup is being made in {folder}. Try again when it is done.")
    try:
        for left in folder.glob(f"{SCRATCH}*"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release(remove=True)


def _drafted(settings: Settings, scratch: Path, kind: Kind, go_on: Callable[[], None]) -> tuple[Path, Contents]:
    made_at, data_dir = time.time(), settings.data_dir
    files: dict[str, Path] = {}
    sources, spooled, unsound = {STATE: database_file(data_dir)}, list[dict[str, object]](), ""
    if kind is Kind.ORDINARY:
        spooled = [dict(job) for job in SpoolIntake(str(queue_folder(data_dir))).waiting()]
        sources = {QUEUE: queue_folder(data_dir) / FILE_NAME, **sources}
    if settings.database_url is not None:  # a state store that is in the folder yet is from before
        del sources[STATE]
    for name, source in sources.items():
        if source.is_file() and source.stat().st_size > 0:
            unsound = _copy(source, scratch / name, go_on, even_unsound=kind is Kind.BEFORE_MIGRATION)
            files[name] = scratch / name
    if not files:
        raise NothingToBackUp(data_dir)
    if spooled:
        files[SPOOL] = scratch / SPOOL
        files[SPOOL].write_text(json.dumps(spooled), encoding="utf-8")
    jobs, letters, queue_version = _look_into_queue(files.get(QUEUE))
    contents = Contents(
        made_at,
        kind.value,
        VERSION,
        store_version=_ask(files.get(STATE), STORE_VERSION),
        queue_version=queue_version,
        waiting=jobs + len(spooled),
        dead_letters=letters,
        unsound=unsound,
    )
    draft = scratch / "backup.zip"
    return draft, write_archive(draft, contents, files, go_on)


def _copy(source: Path, target: Path, go_on: Callable[[], None], *, even_unsound: bool) -> str:
    """Copy a database; return what the check of the copy found, "" for nothing: only if it may be found unsound."""
    try:
        copy_database(source, target, go_on)
    except Unsound as error:
        if even_unsound:
            return str(error)
        raise BackupError(_why_not(source, str(error))) from error
    except sqlite3.Error as error:
        raise translated(error, source) or BackupError(_why_not(source, str(error))) from error
    return ""


def _why_not(source: Path, finding: str) -> str:
    return (
        f"{source} cannot be backed up, since it is damaged ({finding}). No backup was made, and older ones stay. "
        "`scenesync drain` or the daemon's next start moves the file aside; `scenesync restore` brings back a backup."
    )


def _look_into_queue(copy: Path | None) -> tuple[int, int, int | None]:
    """Return how many jobs and dead letters there are, and the version of the file's layout (0: a stock queue's)."""
    version = _ask(copy, "PRAGMA user_version")
    letters = _ask(copy, LETTERS_IN_QUEUE) if version else 0
    return _ask(copy, JOBS_IN_QUEUE) or 0, letters or 0, version


def _ask(copy: Path | None, question: str) -> int | None:
    if copy is None:
        return None
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            answer: int | None = connection.execute(question).fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise BackupError(
            f"{copy.name} is damaged or holds another program's tables ({error}); no backup was made."
        ) from error
    return answer
