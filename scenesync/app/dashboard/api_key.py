"""The key of dashboard and API: the setting, or one that is made once and kept where only its owner can read it."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from scenesync.app.data_directory import API_KEY_FILE, make_data_dir

if TYPE_CHECKING:
    from pathlib import Path

    from scenesync.app.settings import Settings


def api_key(settings: Settings) -> str:
    """Return the key, made and kept if there is none yet. Raises OSError."""
    if settings.http_api_key is not None:
        return settings.http_api_key.get_secret_value()
    path = settings.data_dir / API_KEY_FILE
    try:
        kept = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        kept = ""
    if kept:
        path.chmod(0o600)
        return kept
    make_data_dir(settings.data_dir)
    return _make(path)


def _make(path: Path) -> str:
    key = secrets.token_urlsafe(32)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return key
