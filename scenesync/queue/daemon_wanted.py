"""Whether a hook that finds no daemon should start one: if nothing says no, and nobody tried it just now."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

from scenesync.queue.owner_lock import KernelLock

START_STAMP = "daemon.start"
HOOK_SETTINGS = "hook.json"
_START_PAUSE_S = 15.0


def note_attempt(data_dir: str, wanted: bool | None) -> bool:  # noqa: FBT001 (as the environment says it)
    """Return whether to start the daemon, and note that it is tried; ``wanted`` None leaves it to ``hook.json``.

    Raises OSError if that cannot be told or noted.
    """
    stamp = Path(data_dir, START_STAMP)
    if _tried_lately(stamp) or not (_wanted_by_settings(data_dir) if wanted is None else wanted):
        return False
    lock = KernelLock(stamp)
    if not lock.acquire(patience_s=0):  # another hook is at it
        return False
    try:
        if _tried_lately(stamp):
            return False
        stamp.write_text(f"{os.getpid()}\n", encoding="ascii")
        return True
    finally:
        lock.release()


def _wanted_by_settings(data_dir: str) -> bool:
    with contextlib.suppress(OSError, ValueError):  # nothing that says no
        settings = json.loads(Path(data_dir, HOOK_SETTINGS).read_text(encoding="utf-8"))
        return not isinstance(settings, dict) or settings.get("autostart") is not False
    return True


def _tried_lately(stamp: Path) -> bool:
    try:
        info = stamp.stat()
    except FileNotFoundError:
        return False
    # A stamp from the future is a clock that was set back.
    return info.st_size > 0 and abs(time.time() - info.st_mtime) < _START_PAUSE_S
