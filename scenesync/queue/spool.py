"""Where an event goes when the queue cannot take it: one small file per event, durable before it gets its name.

One file per event needs no lock between hooks and the one who takes them in (on Windows neither), and a half-written
event is never seen. Light on purpose: the hook imports this when the queue is busy.
"""

# pathlib costs more than all the rest of the hook, which imports this.
# ruff: noqa: PTH102, PTH103, PTH104, PTH108, PTH118, PTH120, PTH208

from __future__ import annotations  # Stash may bring a Python older than ours

import os
import stat
import sys
import time

from scenesync.disk.durability import sync_folder
from scenesync.disk.ownership import hand_over

SUFFIX = ".event"
SPOOL_FOLDER = "spool"
MAX_EVENT_BYTES = 256 * 1024
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def write_event(queue_folder: str, event: bytes) -> str:
    """Keep ``event`` (one line of JSON) beside the queue, else in the temporary folder; return the file's path.

    Files sort by the time at which they were written. Raises OSError if neither place can be written.
    """
    try:
        folder = spool_beside(queue_folder)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        hand_over(queue_folder)
        hand_over(folder)
        return _write(folder, event)
    except OSError:
        return _write(_own_temporary_folder(queue_folder), event)


def keep(data_dir: str, queue_folder: str, event: bytes) -> str | None:
    """Keep a hook's ``event``, making the folders that are missing; return its folder if that is not beside the queue.

    Raises OSError if it can be written nowhere.
    """
    for folder in (data_dir, queue_folder):
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError:  # write_event finds out, and goes elsewhere
            break
    folder = os.path.dirname(write_event(queue_folder, event))
    return None if folder == spool_beside(queue_folder) else folder


def spool_beside(queue_folder: str) -> str:
    """Return the spool folder of first choice."""
    return os.path.join(queue_folder, SPOOL_FOLDER)


def temporary_root() -> str:
    """Return the system's temporary folder."""
    # Here, not above: these cost more than the rest of the hook, and are needed only once the queue's folder failed.
    import tempfile  # noqa: PLC0415

    return tempfile.gettempdir()


def temporary_folders(queue_folder: str, root: str) -> list[str]:
    """Return the folders below ``root`` that may hold events for this queue.

    A folder counts only if it is private to the user that its name says; what anybody could have planted is left alone.
    Even so an event is no more than a reason to look at a scene in Stash.
    """
    prefix = _temporary_prefix(queue_folder)
    try:
        names = sorted(name for name in os.listdir(root) if name.startswith(prefix))
    except OSError:
        return []
    return [path for name in names if _is_private(path := os.path.join(root, name))]


def event_files(folder: str) -> list[str]:
    """Return the names of the complete events in ``folder``, oldest first; none if it cannot be listed."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX))
    except OSError:
        return []


def read_event(path: str) -> bytes:
    """Return the event in the regular file ``path``. Raises OSError, ValueError if it is none of ours."""
    fd = os.open(path, os.O_RDONLY | _NO_FOLLOW)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("not a regular file")
        event = file.read(MAX_EVENT_BYTES + 1)
    if len(event) > MAX_EVENT_BYTES:
        raise ValueError("too long for an event")
    return event


def _write(folder: str, event: bytes) -> str:
    name = f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}"
    unfinished = os.path.join(folder, name + ".tmp")
    path = os.path.join(folder, name + SUFFIX)
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    try:
        try:
            _write_all(fd, event.rstrip(b"\n") + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
        hand_over(unfinished)
        os.rename(unfinished, path)
    except OSError:
        os.unlink(unfinished)
        raise
    sync_folder(folder)
    return path


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _temporary_prefix(queue_folder: str) -> str:
    import hashlib  # noqa: PLC0415 (as in temporary_root)

    digest = hashlib.sha256(os.path.realpath(queue_folder).encode("utf-8", "surrogateescape")).hexdigest()
    return f"scenesync-{digest[:20]}-"


def _own_temporary_folder(queue_folder: str) -> str:
    path = os.path.join(temporary_root(), f"{_temporary_prefix(queue_folder)}{_user_id()}")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not _is_private(path):
            raise PermissionError(f"{path} belongs to somebody else") from None
    return path


def _user_id() -> int:
    return 0 if sys.platform == "win32" else os.geteuid()


def _is_private(path: str) -> bool:
    try:
        info = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISDIR(info.st_mode):
        return False
    if sys.platform == "win32":  # the temporary folder is the user's own there
        return True
    return path.endswith(f"-{info.st_uid}") and not info.st_mode & 0o077
