"""Tell a full disk from one that fails, and say which one it is: an error alone seldom does."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Final

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT}) if hasattr(errno, "EDQUOT") else frozenset({errno.ENOSPC})
NO_ROOM_BYTES: Final = 128 * 1024
"""SQLite needs a few pages and an index of 32 KiB to open a file at all; below that it reports I/O errors."""


def is_full(path: str | os.PathLike[str]) -> bool:
    """Say whether the disk on which ``path`` lies, or would lie, has no room: no bytes, or no more files."""
    try:
        place = _existing(Path(path))
        if shutil.disk_usage(place).free < NO_ROOM_BYTES:
            return True
        if not hasattr(os, "statvfs"):
            return False
        counts = os.statvfs(place)
    except OSError:
        return False
    return counts.f_files > 0 and counts.f_favail == 0


def is_no_room(error: OSError) -> bool:
    """Say whether this error means that a disk, or somebody's share of it, is full."""
    return error.errno in FULL


def no_room(path: str | os.PathLike[str]) -> str:
    """Return what to tell a person: which disk has no room for ``path``, how much it has, and what to do."""
    try:
        place = _existing(Path(path))
        usage = shutil.disk_usage(place)
    except OSError:
        return f"No room left on the disk of {path}. Free some; nothing stored so far is lost."
    return (
        f"No room left on the disk mounted at {_mount_point(place)} ({usage.free / 1e6:.1f} of {usage.total / 1e6:.1f} "
        f"MB free), which holds {path}. Free some there, or make the disk larger; nothing stored so far is lost."
    )


def explained(error: Exception) -> str:
    """Return what to tell a person about what stopped a command: its own message, unless a file or disk is at fault."""
    if isinstance(error, OSError) and is_no_room(error):
        return no_room(error.filename or Path.cwd())
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}."
    return str(error) or type(error).__name__


def _existing(path: Path) -> Path:
    current = path.absolute()
    while not current.exists() and current != current.parent:
        current = current.parent
    return current


def _mount_point(path: Path) -> Path:
    current = path.resolve()
    while not current.is_mount() and current != current.parent:
        current = current.parent
    return current
