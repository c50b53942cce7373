from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


class BackupError(StoreError):
    """A backup cannot be made or restored; the message says what would help.

    BackupError
    ├── NothingToBackUp   there is neither a state store nor a queue
    ├── BackupUnusable    the file is no backup, damaged, or of a newer SceneSync; nothing was changed
    └── RestoreRefused    somebody works in the data directory; nothing was changed
    """


class NothingToBackUp(BackupError):
    """There is neither a state store nor a queue."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(f"There is nothing to back up in {data_dir}: SceneSync has kept nothing there yet.")


class BackupUnusable(BackupError):
    """The file cannot be restored; nothing was changed."""

    def __init__(self, path: Path, reason: str, cure: str = "Choose another backup.") -> None:
        super().__init__(f"{path} cannot be restored: {reason}. Nothing was changed. {cure}")


class RestoreRefused(BackupError):
    """Somebody works in the data directory; nothing was changed."""
