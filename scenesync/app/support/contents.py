"""Gather what helps to help: each part by itself, since what is broken is what the bundle is asked for.

Reads only, as ``status`` does: nothing is made, migrated or repaired.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from scenesync.app.backup.keeping import backup_folder, kept_in
from scenesync.app.data_directory import database_file, queue_folder
from scenesync.app.distributed.loading import engines, shared_address
from scenesync.app.opening import look_into_queue, look_into_state
from scenesync.app.overview import read_overview
from scenesync.app.running.health_check import look
from scenesync.app.version import VERSION
from scenesync.app.wording.jobs import job_document
from scenesync.app.wording.journal import edit_document, run_document
from scenesync.disk import reading
from scenesync.domain.journal import JournalFilter
from scenesync.queue.schema import FILE_NAME
from scenesync.stash.plugin_start import DAEMON_LOG
from scenesync.store.attempts import AttemptStore
from scenesync.store.journal import search_edits, search_runs
from scenesync.store.outages import OutageStore
from scenesync.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scenesync.app.settings import LoadedSettings, Settings
    from scenesync.queue.port import QueueView
    from scenesync.store.database import Database

ATTEMPTS, LETTERS, JOBS, EDITS, RUNS, OUTAGES = 300, 200, 200, 100, 50, 100
LOG_LINES: Final = 2_000
_TAIL_BYTES: Final = 512 * 1024
_REQUIREMENT: Final = re.compile(r"[A-Za-z0-9._-]+")

# Every table of a database.
TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"

Documents = dict[str, Any]


def gather(
    loaded: LoadedSettings,
    *,
    checks: Callable[[], object],
    lines: Sequence[Mapping[str, object]] | None = None,
) -> Documents:
    """Return all parts by name, as plain values; one that cannot be had is an ``error`` in its place.

    ``checks`` asks the doctor; ``lines`` are the latest of the log, if this process has them.
    """
    settings, data_dir = loaded.settings, loaded.settings.data_dir
    parts: Mapping[str, Callable[[], object]] = {
        "versions": versions,
        "status": lambda: read_overview(settings).as_document(),
        "health": lambda: look(settings).as_document(),
        "doctor": checks,
        "files": lambda: files_in(data_dir),
        "state_store": lambda: _state_facts(settings),
        "queue": lambda: database_facts(queue_folder(data_dir) / FILE_NAME),
        "backups": lambda: [
            {"name": each.path.name, "bytes": each.path.stat().st_size}
            for each in kept_in(backup_folder(loaded.settings))
        ],
        "waiting_jobs": lambda: look_into_queue(settings, _waiting),
        "dead_letters": lambda: look_into_queue(settings, _letters),
        "attempts": lambda: look_into_state(settings, _attempts, otherwise=[]),
        "edits": lambda: look_into_state(settings, _edits, otherwise=[]),
        "runs": lambda: look_into_state(settings, _runs, otherwise=[]),
        "outages": lambda: look_into_state(settings, _outages, otherwise=[]),
        "log": lambda: list(lines) if lines is not None else log_tail(data_dir / DAEMON_LOG),
    }
    return {name: _or_error(part) for name, part in parts.items()}


def _or_error(part: Callable[[], object]) -> object:
    try:
        return part()
    except Exception as error:  # noqa: BLE001 - what is broken is what the bundle is for; it says so in the part's place
        return {"error": f"{type(error).__name__}: {error}"}


def versions() -> Documents:
    """Return what runs here: SceneSync, Python, SQLite, the system, and every package that SceneSync needs."""
    return {
        "scenesync": VERSION,
        "python": sys.version,
        "sqlite": sqlite3.sqlite_version,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "in_container": os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"),  # noqa: PTH110
        "time_zone": time.strftime("%z"),
        "packages": _packages(),
    }


def _packages() -> Mapping[str, str]:
    """Return the versions of what SceneSync asks for; of packages beside it nothing is told."""
    try:
        wanted = importlib.metadata.requires("scenesync") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = {}
    for line in wanted:
        name = _REQUIREMENT.match(line)
        if name is None:
            continue
        try:
            found[name[0]] = importlib.metadata.version(name[0])
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def files_in(data_dir: Path) -> Sequence[Documents]:
    """Return name, size, mode and owner of what lies in the data directory and one level below."""
    found = []
    for path in sorted([*data_dir.glob("*"), *data_dir.glob("*/*")])[:500]:
        status = path.lstat()
        found.append(
            {
                "name": path.relative_to(data_dir).as_posix(),
                "bytes": status.st_size,
                "mode": f"{status.st_mode:o}",
                "owner": f"{status.st_uid}:{status.st_gid}",
                "changed_at": status.st_mtime,
            }
        )
    return found


def database_facts(path: Path) -> Documents:
    """Return versions, size and the number of rows of each table; nothing of what the rows hold."""
    if not path.is_file():
        return {"exists": False}
    with closing(reading.connect(path, timeout_s=2.0)) as connection:
        reading.begin(connection)
        tables = [name for (name,) in connection.execute(TABLES)]
        return {
            "exists": True,
            "bytes": path.stat().st_size,
            "user_version": _one(connection, "PRAGMA user_version"),
            "schema_version": _one(connection, "SELECT MAX(version) FROM schema_version")
            if "schema_version" in tables
            else None,
            "journal_mode": _one(connection, "PRAGMA journal_mode"),
            "pages": _one(connection, "PRAGMA page_count"),
            "free_pages": _one(connection, "PRAGMA freelist_count"),
            "quick_check": _one(connection, "PRAGMA quick_check(1)"),
            "rows": {name: _one(connection, f'SELECT COUNT(*) FROM "{name}"') for name in tables},  # noqa: S608 - a name from sqlite_master
        }


def _state_facts(settings: Settings) -> Documents:
    if (address := shared_address(settings)) is None:
        return database_facts(database_file(settings.data_dir))
    found = engines().standing(*address)
    return {**found.as_document(), **look_into_state(settings, _row_counts, otherwise={})}


def _row_counts(database: Database) -> Documents:
    with database.reading() as connection:
        return {
            "rows": {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in metadata.tables.items()
            }
        }


def _one(connection: sqlite3.Connection, question: str) -> object:
    return connection.execute(question).fetchone()[0]


def _waiting(reader: QueueView) -> Sequence[Documents]:
    found = [*reader.list_pending(JOBS), *reader.spooled()]
    return [dict(job_document(pending)) for pending in found[:JOBS]]


def _letters(reader: QueueView) -> Sequence[Documents]:
    return [asdict(letter) for letter in reader.dead_letters.list(limit=LETTERS)]


def _attempts(database: Database) -> Sequence[Documents]:
    return [asdict(attempt) for attempt in AttemptStore(database).latest_of_all(ATTEMPTS)]


def _edits(database: Database) -> Sequence[Documents]:
    return [edit_document(entry) for entry in search_edits(database, JournalFilter(), limit=EDITS)]


def _runs(database: Database) -> Sequence[Documents]:
    return [run_document(run) for run in search_runs(database, JournalFilter(), limit=RUNS)]


def _outages(database: Database) -> Sequence[Documents]:
    return [asdict(outage) for outage in OutageStore(database).latest(OUTAGES)]


def log_tail(path: Path) -> Sequence[str]:
    """Return the last lines of the log that a daemon started by Stash writes; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:]
