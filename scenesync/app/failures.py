"""What stops a command without being a bug, and how that becomes a message and an exit status."""

from __future__ import annotations

from typing import Final

from rich.console import Console

from scenesync.app.context import print_failure
from scenesync.app.exit_codes import FAILED, USAGE
from scenesync.app.settings import SettingsError
from scenesync.disk.room import explained
from scenesync.domain.errors import LibraryNotFound, NeedsPerson, PermanentError, TransientError
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError

FAILURES: Final = (SettingsError, QueueError, StoreError, TransientError, PermanentError, NeedsPerson, OSError)
"""What people set wrongly and what the world does to a command; anything else is a bug and keeps its traceback."""


def told(error: Exception) -> int:
    """Say what stopped a command, one of FAILURES, on stderr and for ``--json``; return the exit status."""
    message = str(error) if isinstance(error, SettingsError | NeedsPerson) else explained(error)
    say(message)
    print_failure(message)
    match error:
        case SettingsError():
            return USAGE
        case NeedsPerson():
            return USAGE if isinstance(error.cause, LibraryNotFound) else FAILED
        case _:
            return FAILED


def say(message: str) -> None:
    """Say something to the person at the terminal, whatever stdout is used for."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"scenesync: {message}", markup=False)
