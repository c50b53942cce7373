"""Locks that the kernel drops when their process dies, however it dies: liveness without a clock."""

# pathlib costs more than all the rest of the hook, which imports this.
# ruff: noqa: PTH103, PTH108, PTH116, PTH118, PTH208

from __future__ import annotations  # Stash may bring a Python older than ours

import contextlib
import os
import sys
import time

from scenesync.disk.ownership import hand_over
from scenesync.queue.file_lock import held_elsewhere, try_lock

_RETRY_S = 0.01
_LOOK_EVERY_S = 0.5


class KernelLock:
    """An exclusive lock on the file ``path``, held until released or until the process ends."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def is_at_its_path(self) -> bool:
        """Whether the lock is held and others who look for it find it."""
        return self._fd is not None and _is_still_at(self._fd, self.path)

    def acquire(self, patience_s: float = 0.25) -> bool:
        """Take the lock and return True, or False if somebody else holds it.

        ``patience_s`` outlasts those who only ask (``held_elsewhere`` takes the lock for an instant).
        Raises OSError if the file cannot be made or its file system has no locks.
        """
        for _ in range(round(patience_s / _RETRY_S)):
            if self._try():
                return True
            time.sleep(_RETRY_S)
        return self._try()

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back; with ``remove`` delete the file as well, while still holding it."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        try:
            if remove:
                _remove(self.path)
        finally:  # whatever the disk says: who keeps the descriptor keeps the lock, and its owner passes for alive
            os.close(fd)

    def _try(self) -> bool:
        if self._fd is not None:
            return True
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        # A file that was deleted between open and lock guards nothing: another process would make and lock a new one.
        if try_lock(fd, shared=False) and _is_still_at(fd, self.path):
            self._fd = fd
            hand_over(self.path)
            _mark(fd)
            return True
        os.close(fd)
        return False


def _mark(fd: int) -> None:
    """Show by a lock of the other kind, if that can be had, that the file is locked: the hook asks for it first.

    It is found out without loading a module, and goes with the process as well. But it also goes as soon as this
    process closes the file anywhere else, so nobody relies on its absence.
    """
    if sys.platform == "linux":  # elsewhere the two kinds get into each other's way
        with contextlib.suppress(OSError):
            os.lockf(fd, os.F_TLOCK, 0)


def _is_still_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        # Windows refuses while somebody looks at it, a disk in trouble always: an empty file stays and locks nothing.
        return


class Owner:
    """The identity under which one queue object claims jobs: provably alive as long as its lock is held."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._looked_at = 0.0
        self._take_name()

    def prove_alive(self) -> None:
        """Hold the lock; must precede each claim. Raises OSError if that is impossible here.

        Whose file was swept away passes for dead, and its jobs are others' by now: it goes on under a new name.
        """
        if self._lock.held:
            now = time.monotonic()
            if now - self._looked_at < _LOOK_EVERY_S:
                return
            self._looked_at = now
            if self._lock.is_at_its_path():
                return
            self._lock.release()
            self._take_name()
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if not self._lock.acquire():
            raise OSError(f"{self._lock.path} is locked by somebody else")

    def _take_name(self) -> None:
        self.name = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._lock = KernelLock(_lock_file(self.folder, self.name))

    def retire(self) -> None:
        """Stop being alive: whatever is still claimed under this name can be taken over."""
        self._lock.release(remove=True)

    def is_alive(self, owner: str) -> bool:
        """Return whether ``owner`` still lives. Raises OSError if that cannot be told."""
        return is_alive(self.folder, owner)

    def sweep(self) -> None:
        """Delete what the dead left behind."""
        living_owners(self.folder)


def is_alive(folder: str, owner_name: str) -> bool:
    """Return whether the owner of a claimed row still lives."""
    if not owner_name.replace("-", "").isalnum():  # not a name that we gave, so never part of a path
        return False
    return held_elsewhere(_lock_file(folder, owner_name))


def living_owners(folder: str) -> list[str]:
    """Return the names of all who live, and delete what the dead left behind."""
    try:
        names = [entry[: -len(".lock")] for entry in os.listdir(folder) if entry.endswith(".lock")]
    except FileNotFoundError:
        return []
    living = []
    for name in names:
        lock = KernelLock(_lock_file(folder, name))
        if lock.acquire(patience_s=0):
            lock.release(remove=True)
        else:
            living.append(name)
    return living


def _lock_file(folder: str, owner_name: str) -> str:
    return os.path.join(folder, f"{owner_name}.lock")
