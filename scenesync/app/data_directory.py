"""What lies where in the data directory, and the lock of whoever works there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.queue.owner_lock import KernelLock

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_FILE: Final = "scenesync.db"
LOCK_FILE: Final = "daemon.lock"
SUPERVISOR_LOCK_FILE: Final = "routes.lock"
QUEUE_FOLDER: Final = "queue"
OUTBOX_FOLDER: Final = "outbox"
"""Where the hooks of the Stash in whose plugin we live leave events, if there are several routes (``queue.inbox``)."""
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


def supervisor_lock(data_dir: Path) -> KernelLock:
    """Return the lock of the one process that runs all routes of an installation."""
    return KernelLock(data_dir / SUPERVISOR_LOCK_FILE)


def make_data_dir(data_dir: Path) -> None:
    """Create the data directory, readable by its owner alone. Raises OSError with the path in it."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
