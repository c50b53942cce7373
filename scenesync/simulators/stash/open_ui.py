"""Stash's settings page in a browser: it writes all plugins' settings from its own copy (facts/stash.md 0.9)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenesync.simulators.stash.engine import Engine


class OpenUi:
    """A page that was opened a while ago: what others changed since then it does not know, and overwrites."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._copy = copy.deepcopy(engine.plugin_settings)

    def change_setting(self, plugin_id: str, key: str, value: object) -> None:
        """Change one setting of one plugin."""
        self._copy.setdefault(plugin_id, {})[key] = value
        self._engine.plugin_settings = copy.deepcopy(self._copy)
