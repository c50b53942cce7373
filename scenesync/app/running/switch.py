"""Switch the daemon off and on by files, which work between processes, containers and systems alike.

No signal is sent: the daemon may live in another container, where its number is another process's. Standard library
only: Stash's own Python asks here too.
"""

from __future__ import annotations  # Stash may bring a Python older than ours

import time
from typing import TYPE_CHECKING, Final

from scenesync.app.data_directory import LOCK_FILE
from scenesync.queue.file_lock import held_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STOP_REQUEST: Final = "daemon.stop"
KEPT_OFF: Final = "daemon.off"
STOPS_WITHIN_S: Final = 15.0
"""A stop is over within ten seconds; the daemon looks for a request every second."""
_LOOK_EVERY_S: Final = 0.1


def is_running(data_dir: Path) -> bool:
    """Return whether a daemon, or a command that works in its place, holds the lock of ``data_dir``. Raises OSError."""
    return held_elsewhere(data_dir / LOCK_FILE)


def stop_is_requested(data_dir: Path) -> bool:
    """Return whether somebody asked the daemon of ``data_dir`` to end."""
    return (data_dir / STOP_REQUEST).exists()


def forget_request(data_dir: Path) -> None:
    """Take back a request to end, be it followed or of long ago. Raises OSError."""
    (data_dir / STOP_REQUEST).unlink(missing_ok=True)


def stop(data_dir: Path, patience_s: float = STOPS_WITHIN_S, on_wait: Callable[[float], None] | None = None) -> bool:
    """Ask the daemon to end and return whether it did so within ``patience_s``; True also if none ran.

    ``on_wait`` is told the share of the patience that has gone by. Raises OSError.
    """
    if not is_running(data_dir):
        return True
    (data_dir / STOP_REQUEST).touch(0o600)
    began = time.monotonic()
    try:
        while is_running(data_dir):
            gone_by = (time.monotonic() - began) / patience_s
            if gone_by >= 1:
                return False
            if on_wait is not None:
                on_wait(gone_by)
            time.sleep(_LOOK_EVERY_S)
    finally:
        forget_request(data_dir)
    return True


def keep_off(data_dir: Path) -> None:
    """Remember that a person switched the daemon off, so that no hook starts it. Raises OSError."""
    (data_dir / KEPT_OFF).touch(0o600)


def is_kept_off(data_dir: Path) -> bool:
    """Return whether a person switched the daemon off."""
    return (data_dir / KEPT_OFF).exists()


def allow(data_dir: Path) -> None:
    """Forget that it was switched off: somebody starts it. Raises OSError."""
    (data_dir / KEPT_OFF).unlink(missing_ok=True)
