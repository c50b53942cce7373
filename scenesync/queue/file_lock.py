"""The kernel's lock on an open file, and whether anybody holds one.

Light on purpose: the hook asks here whether the daemon runs.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

if sys.platform == "win32":
    import msvcrt
    import os as system

    def try_lock(fd: int, *, shared: bool) -> bool:
        """Take the lock and return True, or False if somebody else holds it; ``shared`` with others who share it."""
        del shared  # Windows byte locks are always exclusive
        system.lseek(fd, 0, system.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        system.lseek(fd, 0, system.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl
    import posix as system  # what `os` is made of, and what the hook can afford

    def try_lock(fd: int, *, shared: bool) -> bool:
        """Take the lock and return True, or False if somebody else holds it; ``shared`` with others who share it."""
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)


def held_elsewhere(path: "str | os.PathLike[str]") -> bool:
    """Return whether anybody, another object of this process included, holds the lock on ``path``.

    Never waits. Raises OSError if the file exists but cannot be opened.
    """
    try:
        # To read is enough for a shared lock, and possible on a read-only disk.
        fd = system.open(path, system.O_RDONLY | getattr(system, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return False
    try:
        if not try_lock(fd, shared=True):
            return True
        _unlock(fd)
        return False
    finally:
        system.close(fd)
