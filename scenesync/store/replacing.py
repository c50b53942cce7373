"""Put another database in the place of the state store; the one that was there is kept beside it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from scenesync.disk.durability import sync_file, sync_folder
from scenesync.store import sqlite_file
from scenesync.store.errors import is_damage, is_locked, translated

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S: Final = 5.0
"""Whoever only looks at the store is through by then."""
_AGAIN_AFTER_S: Final = 0.1


def replace_database(path: Path, staged: Path) -> Path | None:
    """Let ``staged``, closed and on the same disk, be the state store ``path``; return where the former one is now.

    There is a whole store at ``path`` at any moment, the former or the new one, whatever is killed meanwhile, unless
    the former is damaged. Raises StoreUnavailable while somebody has it open, and nothing is changed then; OSError.
    """
    with sqlite_file.only_opener(path), sqlite_file.only_user(path, PATIENCE_S):
        sync_file(staged)
        kept = _kept_aside(path) if path.exists() else None
        if kept is None:
            _move_logs(path, sqlite_file.free_name(path, "replaced"))
        staged.replace(path)
        sync_folder(path.parent)
    return kept


def _kept_aside(path: Path) -> Path:
    kept = sqlite_file.free_name(path, "replaced")
    if _fold_log(path):
        try:
            kept.hardlink_to(path)
        except OSError:  # a disk without links
            shutil.copy2(path, kept)
            sync_file(kept)
        return kept
    _move_logs(path, kept)
    path.rename(kept)
    return kept


def _move_logs(path: Path, kept: Path) -> None:
    """Let nothing of the former store be found beside the new one, into which SQLite would replay its log."""
    for suffix in sqlite_file.SIDE_FILES:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))


def _fold_log(path: Path) -> bool:
    """Make the file complete in itself; False if it is damaged.

    With a write-ahead log this waits for everybody, also for who does not say that it uses the store: other programs,
    and whoever only reads.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with closing(sqlite_file.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.Error as error:
            if is_damage(error):
                return False
            if not is_locked(error):
                raise translated(error, path) or error from error
            if time.monotonic() > deadline:
                raise sqlite_file.in_use(path) from error
            time.sleep(_AGAIN_AFTER_S)
        else:
            return True
