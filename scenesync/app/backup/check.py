"""What ``doctor`` says of backups."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from scenesync.app.backup.keeping import backup_folder, kept_in
from scenesync.app.backup.schedule import latest_backup
from scenesync.app.configuration.values import BackupInterval
from scenesync.app.doctor.finding import Check, Verdict
from scenesync.app.wording.times import span

if TYPE_CHECKING:
    from scenesync.app.settings import Settings

NAME: Final = "backups"


def server_side(settings: Settings) -> str:
    """Say what backs up queue and state where a database server keeps them."""
    return (
        "queue and state are in the database of database_url, and are backed up there: "
        f"`pg_dump --format=custom --schema={settings.database_schema}`, and `pg_restore` brings them back"
    )


def check_backups(settings: Settings) -> Check:
    """Say how old the latest backup is, and whether another one could be made."""
    if settings.database_url is not None:
        return Check(NAME, Verdict.OK, server_side(settings))
    return _check_files(settings)


def _check_files(settings: Settings) -> Check:
    folder = backup_folder(settings)
    try:
        kept, latest = kept_in(folder), latest_backup(settings)
    except OSError as error:
        cure = "Make it readable and writable, or set backup_dir."
        return Check(NAME, Verdict.WARNING, f"{folder} cannot be read: {error.strerror}", cure)
    if settings.backup_dir is not None and not folder.exists():
        return Check(NAME, Verdict.WARNING, f"{folder} is not there", "Mount its disk, or make the folder.")
    if folder.exists() and not (folder.is_dir() and os.access(folder, os.W_OK)):
        return Check(NAME, Verdict.WARNING, f"{folder} cannot be written", "Make it writable, or set backup_dir.")
    if latest is not None:
        age = span(max(0.0, time.time() - latest))
        return Check(NAME, Verdict.OK, f"{len(kept)} in {folder}, the latest {age} old")
    if settings.backup_interval is BackupInterval.NEVER:
        return Check(
            NAME,
            Verdict.WARNING,
            "there is none, and none is made by itself (backup_interval = never)",
            "Run `scenesync backup`.",
        )
    return Check(NAME, Verdict.OK, f"none yet; a daemon makes one {settings.backup_interval.value}")
