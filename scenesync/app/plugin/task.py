"""What every task of the Stash plugin gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scenesync.app.settings import LoadedSettings, Settings
    from scenesync.stash.client import StashClient
    from scenesync.stash.plugin_protocol import PluginChannel


@dataclass(frozen=True, slots=True)
class Task:
    """What a task has to work with. It returns its result as one line, which is put into the log behind its own."""

    loaded: LoadedSettings
    stash: StashClient
    channel: PluginChannel
    plugin_dir: Path | None = None
    """Where the plugin lies, None if Stash did not say."""
    arguments: Mapping[str, object] = field(default_factory=dict)
    """What it was asked with, ``mode`` included."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    @property
    def data_dir(self) -> Path:
        """Where queue and state lie."""
        return self.loaded.settings.data_dir
