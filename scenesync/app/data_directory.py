"""What lies where in the data directory, and the lock of whoever works there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.queue.owner_lock import KernelLock

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_FILE: Final = "scenesync.db"
LOCK_FILE: Final = "daemon.lock"
QUEUE_FOLDER: Final = "queue"
PLANS_FOLDER: Final = "plans"
API_KEY_FILE: Final = "http-api-key"
"""The key of dashboard and API that was made because none was set."""


def queue_folder(data_dir: Path) -> Path:
    """Return where the queue lies."""
    return data_dir / QUEUE_FOLDER


def database_file(data_dir: Path) -> Path:
    """Return where everything but the queue lies."""
    return data_dir / DATABASE_FILE


def worker_lock(data_dir: Path) -> KernelLock:
    """Return the lock that whoever works holds: one daemon or one-shot command per data directory."""
    return KernelLock(data_dir / LOCK_FILE)


def make_data_dir(data_dir: Path) -> None:
    """Create the data directory, readable by its owner alone. Raises OSError with the path in it."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
