"""What was written outlives a power cut. Light on purpose: the hook imports this when the queue is busy."""

from __future__ import annotations  # Stash may bring a Python older than ours

import os
import sys


def sync_file(path: str | os.PathLike[str]) -> None:
    """See to it that what was written to ``path`` is on the disk. Raises OSError."""
    _sync(path, os.O_RDWR)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """See to it that the names in ``folder``, new ones and removed ones, are on the disk. Raises OSError."""
    if sys.platform == "win32":  # a folder cannot be opened there; NTFS journals its names
        return
    _sync(folder, os.O_RDONLY)


def _sync(path: str | os.PathLike[str], flags: int) -> None:
    fd = os.open(path, flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
