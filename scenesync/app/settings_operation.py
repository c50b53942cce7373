"""The settings about looking after SceneSync itself, which change nothing of what Plex shows."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings

from scenesync.app.settings_values import BackupInterval, Copies, OptionalFolder, lower_case

CHOICE: Final = BeforeValidator(lower_case)


class OperationSettings(BaseSettings):
    """Part of ``Settings``."""

    backup_interval: Annotated[BackupInterval, CHOICE] = Field(
        default=BackupInterval.WEEKLY, description="How often the daemon backs up state and queue by itself."
    )
    backup_keep: Copies = Field(
        default=4,
        description=(
            "How many backups are kept; the oldest go. Of those made before a newer SceneSync changes the state store, "
            "as many again."
        ),
    )
    backup_dir: OptionalFolder = Field(
        default=None,
        description="Where backups are kept, best on another disk. None given: the folder backups in data_dir.",
    )
