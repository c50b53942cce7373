"""What every command gets: the options of the group, and from them settings and logging."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from scenesync.app.logs import set_up_logging
from scenesync.app.settings import LoadedSettings, load_settings

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scenesync.app.settings import Settings


@dataclass(frozen=True, slots=True)
class AppContext:
    """The command line's own settings; they win over all others."""

    overrides: Mapping[str, object] = field(default_factory=dict)

    def load(
        self,
        *,
        plugin_settings: Mapping[str, object] | None = None,
        default_dir: Path | None = None,
        handler: logging.Handler | None = None,
    ) -> LoadedSettings:
        """Return the settings in force, with logging set up after them (to ``handler`` if given).

        ``plugin_settings`` and ``default_dir`` are as in ``load_settings``. Raises SettingsError.
        """
        loaded = load_settings(overrides=self.overrides, plugin_settings=plugin_settings, default_dir=default_dir)
        settings = loaded.settings
        set_up_logging(settings.log_format, settings.log_level, secrets_of(settings), handler=handler)
        for warning in loaded.warnings:
            print(f"scenesync: {warning}", file=sys.stderr)  # noqa: T201 - said to the person at the terminal
        return loaded


def secrets_of(settings: Settings) -> Iterator[str]:
    """Yield every secret among the settings, for the logger to take out."""
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            yield from dict.fromkeys((text, *text.split()))


def print_json(document: Any) -> None:  # noqa: ANN401 - JSON
    """Write one JSON document to stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()
