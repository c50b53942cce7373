"""What to do with a queue file that is no (whole) database: move it aside, save what can be read, never delete it."""

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scenesync.queue import dead_letters, merging, owner_lock, transitions
from scenesync.queue.errors import QueueDamaged, QueueLocked, QueueUnwritable
from scenesync.queue.records import PRIORITY_BULK, Job
from scenesync.queue.schema import FILE_NAME, TABLE, Journal, make_private_folder, open_queue_file, transaction

_log = logging.getLogger(__name__)

OWNERS_FOLDER: Final = "owners"
_OPENING_LOCK: Final = "opening.lock"
_NOTE: Final = "recovery.note"  # which file is being moved aside, and why
_NOTE_SAVED: Final = "INSERT INTO counters (name, value) VALUES ('saved from ' || ?, 1) ON CONFLICT DO NOTHING"
_DAMAGED: Final = f"{FILE_NAME}.damaged-"
_COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
_CHECK_LIMIT_BYTES: Final = 64 * 1024 * 1024
_GAP_LIMIT: Final = 20_000  # single look-ups between the last row readable from either end
_LETTER_COLUMNS: Final = "job, error_type, message, traceback, advice, attempts, details, failed_at"

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class DamageReport:
    """What happened to a damaged queue file: where it is now, and what of it is in the new one."""

    reason: str
    moved_to: str
    saved_jobs: int
    saved_letters: int

    @property
    def message(self) -> str:
        """Return what to tell a person."""
        return (
            f"The queue file was damaged ({self.reason}). It is kept as {self.moved_to}; {self.saved_jobs} waiting "
            f"jobs and {self.saved_letters} dead letters could be read from it and are in the new file. "
            "Run `scenesync sync --all` to find what is missing, then delete the old file."
        )


def require_sound(connection: sqlite3.Connection, folder: str) -> None:
    """Raise QueueDamaged if a check of the file's structure fails (skipped for files over 64 MiB, for its time)."""
    if Path(folder, FILE_NAME).stat().st_size > _CHECK_LIMIT_BYTES:
        return
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise QueueDamaged(folder, str(verdict).splitlines()[-1])


def damaged_files(folder: str) -> tuple[str, ...]:
    """Return the paths of the queue files of ``folder`` that were moved aside, oldest first."""
    found = map(str, Path(folder).glob(f"{_DAMAGED}*"))
    return tuple(sorted(path for path in found if not path.endswith(_COMPANIONS[1:])))


@contextlib.contextmanager
def alone(folder: str, patience_s: float) -> Iterator[None]:
    """Keep all other openers out, so that nobody makes a file where one is just being moved aside.

    Raises QueueLocked. Where there are no locks, openers are not kept out.
    """
    make_private_folder(folder)
    lock = owner_lock.KernelLock(Path(folder, _OPENING_LOCK))
    try:
        held = lock.acquire(patience_s)
    except OSError as error:
        _log.debug("the queue is opened without a lock: reason=%s", error)
        held = True
    if not held:
        raise QueueLocked(folder)
    try:
        yield
    finally:
        lock.release(remove=True)


def recover(folder: str, reason: str, journal: Journal = "wal") -> DamageReport | None:
    """Move the damaged file of ``folder`` aside, make a fresh one and put into it what could be read.

    The caller keeps others out (``alone``). Raises QueueDamaged while another process works with the file: it would go
    on in the old one.
    """
    living = owner_lock.living_owners(str(Path(folder, OWNERS_FOLDER)))
    if living:
        raise QueueDamaged(folder, f"{reason}; {len(living)} SceneSync process(es) still work with it")
    note = Path(folder, _NOTE)
    with _unwritable_if_refused(folder, reason):
        _write_durably(note, f"{_name_for_damaged(folder)}\n{reason}\n")
    try:
        return resume(folder, journal)
    except QueueUnwritable:  # nothing was moved
        note.unlink(missing_ok=True)
        raise


def resume(folder: str, journal: Journal = "wal") -> DamageReport | None:
    """Do the recovery that is noted in ``folder``, from where a crash left it; return None if there is none.

    The database goes first: while there is none, hooks write to the spool, and one that was in the middle of writing
    sees it gone and does so too. Its companions follow before anything is made in its place, since a fresh database
    must never meet the old write-ahead log.
    """
    note, path = Path(folder, _NOTE), Path(folder, FILE_NAME)
    try:
        text = note.read_text("utf-8")
    except FileNotFoundError:
        return None
    name, _, reason = text.rstrip("\n").partition("\n")
    moved_to = Path(folder, name)
    is_whole = text.endswith("\n") and name.startswith(_DAMAGED)
    if is_whole and not moved_to.exists() and path.exists():
        with _unwritable_if_refused(folder, reason):
            path.rename(moved_to)
    if not (is_whole and moved_to.exists()):  # the note was cut short, or somebody tidied up: the file is judged anew
        note.unlink()
        return None
    if not path.exists():
        for companion in _COMPANIONS[1:]:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{companion}").rename(f"{moved_to}{companion}")
    with contextlib.closing(open_queue_file(folder, synchronous="FULL", journal=journal)) as fresh:
        jobs, letters = _save_rows(fresh, folder, str(moved_to))
    note.unlink()
    report = DamageReport(reason, str(moved_to), jobs, letters)
    _log.error("queue file damaged: %s", report.message)
    return report


@contextlib.contextmanager
def _unwritable_if_refused(folder: str, reason: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise QueueUnwritable(folder, f"damaged ({reason}), and not to be moved aside: {error}") from error


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _name_for_damaged(folder: str) -> str:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time()))
    name, number = f"{_DAMAGED}{stamp}", 1
    while Path(folder, name).exists():
        number += 1
        name = f"{_DAMAGED}{stamp}.{number}"
    return name


def _save_rows(fresh: sqlite3.Connection, folder: str, damaged: str) -> tuple[int, int]:
    """Copy what can be read; the evidence itself is not touched (SQLite would write its log into it)."""
    try:
        with tempfile.TemporaryDirectory(prefix="salvage-", dir=folder) as scratch:
            copy = Path(scratch, FILE_NAME)
            for companion in ("", "-wal", "-journal"):
                if Path(damaged + companion).exists():
                    shutil.copyfile(damaged + companion, f"{copy}{companion}")
            _pad(copy)
            with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as source:
                source.execute(
                    "SELECT COUNT(*) FROM sqlite_master"
                ).fetchone()  # no use going on if not even this works
                with transaction(fresh):  # all or nothing, so that a crash does not save a letter twice
                    if fresh.execute(_NOTE_SAVED, (Path(damaged).name,)).rowcount == 0:
                        return 0, 0
                    return _save_jobs(fresh, source), _save_letters(fresh, source)
    except (OSError, sqlite3.Error) as error:
        _log.warning("nothing more could be saved from the damaged queue file: reason=%s", error)
        return 0, 0


def _pad(path: Path) -> None:
    """Lengthen a file that was cut short to what its header says: SQLite reads nothing at all from it otherwise."""
    with path.open("r+b") as file:
        header = file.read(32)
        if not header.startswith(b"SQLite format 3\0"):
            return
        # sqlite.org/fileformat.html 1.3: page size at 16 (1 stands for 65536), pages in the file at 28, big-endian.
        page_bytes = int.from_bytes(header[16:18], "big")
        expected = (65536 if page_bytes == 1 else page_bytes) * int.from_bytes(header[28:32], "big")
        if file.seek(0, os.SEEK_END) < expected:
            file.truncate(expected)


def _save_jobs(fresh: sqlite3.Connection, source: sqlite3.Connection) -> int:
    saved = 0
    for _, data, status in _readable_rows(source, TABLE, "_id", "data, status"):
        if not isinstance(status, int) or status > 2:  # noqa: PLR2004 (waiting or claimed)
            continue
        try:
            job = merging.decode_job(data)
        except ValueError:
            continue
        _save_job(fresh, job)
        saved += 1
    is_there = source.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox_events'").fetchone()
    for _, data in _readable_rows(source, "outbox_events", "number", "data") if is_there else ():
        with contextlib.suppress(ValueError):
            _save_job(fresh, merging.decode_job(data))
            saved += 1
    return saved


def _save_job(fresh: sqlite3.Connection, job: Job) -> None:
    now = time.time()
    transitions.enqueue(fresh, transitions.Event.of(job, now), priority=PRIORITY_BULK, now=now, newest=False)


def _save_letters(fresh: sqlite3.Connection, source: sqlite3.Connection) -> int:
    saved = 0
    for row in _readable_rows(source, "dead_letters", "id", _LETTER_COLUMNS):
        try:
            letter = _letter(row)
        except (ValueError, TypeError):
            continue
        dead_letters.insert(fresh, letter)
        saved += 1
    return saved


def _letter(row: Row) -> dead_letters.DeadLetter:
    _, job, error_type, message, trace, advice, attempts, details, failed_at = row
    return dead_letters.DeadLetter(
        job=merging.decode_job(job),
        error_type=str(error_type),
        message=str(message),
        traceback=str(trace),
        attempts=int(attempts),
        failed_at=float(failed_at),
        advice=str(advice),
        details=merging.decode_job(details),
    )


def _readable_rows(source: sqlite3.Connection, table: str, key: str, columns: str) -> Iterator[Row]:
    """Yield the rows of ``table`` that can be read: from the start, from the end, and one by one in between.

    Keys must keep their order: what a half-destroyed page holds looks like rows, too.
    """
    select = f"SELECT {key}, {columns} FROM {table} NOT INDEXED"  # noqa: S608 (names of this module)
    last = 0
    forward = _Scan(source, f"{select} ORDER BY {key}")
    for row in forward.rows():
        if row[0] <= last:
            break
        last = row[0]
        yield row
    if forward.complete:
        return
    tail: list[Row] = []
    for row in _Scan(source, f"{select} WHERE {key} > {last} ORDER BY {key} DESC").rows():
        if row[0] <= last or (tail and row[0] >= tail[-1][0]):
            break
        tail.append(row)
    end = tail[-1][0] if tail else last + _GAP_LIMIT
    for row_id in range(last + 1, min(end, last + _GAP_LIMIT)):
        yield from _Scan(source, f"{select} WHERE {key} = {row_id}").rows()
    yield from reversed(tail)


class _Scan:
    """Rows of a statement up to the first that cannot be read; ``complete`` tells whether that was the end."""

    def __init__(self, source: sqlite3.Connection, statement: str) -> None:
        self._source, self._statement = source, statement
        self.complete = False

    def rows(self) -> Iterator[Row]:
        try:
            yield from self._source.execute(self._statement)
        except sqlite3.DatabaseError as error:
            _log.debug("unreadable part of the damaged queue file: reason=%s", error)
            return
        self.complete = True
