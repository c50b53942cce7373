"""Implements ``web.ports.SettingsView``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scenesync.app.configuration.model import ENV_PREFIX, SECRET_KEYS, Settings
from scenesync.app.configuration.reference import sections
from scenesync.app.configuration.values import allowed_text
from scenesync.app.settings import masked
from scenesync.domain.errors import PermanentError, TransientError
from scenesync.web.models import scenes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.dashboard.desk import Desk


class EffectiveSettings:
    """The settings in force."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self) -> Sequence[scenes.Setting]:
        """Return every setting."""
        loaded = self._desk.loaded
        values = masked(loaded.settings)
        defaults = masked(Settings())
        return [
            scenes.Setting(
                key=key,
                section=section,
                variable=f"{ENV_PREFIX}{key.upper()}",
                value=values[key],
                origin=loaded.origins[key],
                default=defaults[key],
                allowed=allowed_text(Settings.model_fields[key]),
                meaning=Settings.model_fields[key].description or "",
                is_secret=key in SECRET_KEYS,
                is_effective=True,  # the API has this field, and every setting has an effect
            )
            for section, keys in sections().items()
            for key in keys
        ]

    def file(self) -> str:
        """Return where the settings file is, or would be."""
        return str(self._desk.loaded.file)

    def test_connection(self, service: str) -> scenes.Connection:
        """Ask a server whether it accepts us."""
        began = time.monotonic()
        try:
            finding = self._ask_plex() if service == "plex" else self._ask_stash()
        except (TransientError, PermanentError) as error:
            cure = f"Check {service}_url and {'plex_token' if service == 'plex' else 'stash_api_key'}."
            return self._connection(service, began, str(error), cure)
        return self._connection(service, began, finding)

    def _ask_plex(self) -> str:
        plex = self._desk.installation.plex
        version = plex.identity().version
        names = ", ".join(library.title for library in plex.libraries()) or "no movie library"
        return f"version {version}, token accepted, {names}"

    def _ask_stash(self) -> str:
        stash = self._desk.installation.stash
        return f"version {stash.version() or 'unknown'}, {stash.scene_count()} scenes"

    @staticmethod
    def _connection(service: str, began: float, finding: str, cure: str = "") -> scenes.Connection:
        return scenes.Connection.model_validate(
            {
                "service": service,
                "ok": not cure,
                "finding": finding,
                "cure": cure,
                "took_s": round(time.monotonic() - began, 3),
            }
        )
