"""When the daemon makes a backup by itself: so long after the latest one, whoever made it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from scenesync.app.backup.keeping import Kind, backup_folder, kept_in
from scenesync.app.backup.making import back_up
from scenesync.app.configuration.values import BackupInterval
from scenesync.app.running.background import Routine

if TYPE_CHECKING:
    from scenesync.app.settings import Settings

NAME: Final = "backup"
FIRST_AFTER_S: Final = 600.0
"""Before that a new installation has nothing to lose, and is busy."""
AGAIN_AFTER_S: Final = 3600.0
"""A disk that was not mounted or full must not put a backup off for a week."""

_DAY_S: Final = 86_400.0
_INTERVALS_S: Final = {BackupInterval.DAILY: _DAY_S, BackupInterval.WEEKLY: 7 * _DAY_S}


def backup_routine(settings: Settings) -> Routine:
    """Return what makes backups now and then."""
    # What a database server keeps is backed up there, for all machines at once.
    interval_s = 0.0 if settings.database_url is not None else _INTERVALS_S.get(settings.backup_interval, 0.0)
    routine = Routine(
        NAME,
        "Back up state and queue",
        interval_s,
        lambda: back_up(settings, go_on=routine.go_on),
        first_after_s=lambda: due_after_s(latest_backup(settings), interval_s, time.time()),
        again_after_s=AGAIN_AFTER_S,
    )
    return routine


def latest_backup(settings: Settings) -> float | None:
    """Return when the latest backup was made that is not one before a migration (epoch seconds), None for never."""
    kept = kept_in(backup_folder(settings))
    return next((each.made_at for each in kept if each.kind is Kind.ORDINARY), None)


def due_after_s(latest: float | None, interval_s: float, now: float) -> float:
    """Return in how many seconds the next backup is due; after a clock was set back at most one interval."""
    if latest is None:
        return min(FIRST_AFTER_S, interval_s)
    return max(0.0, min(interval_s, latest + interval_s - now))
