"""The key of dashboard and API: the setting, or one that is made once and kept where only its owner can read it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from scenesync.app.data_directory import API_KEY_FILE, make_data_dir
from scenesync.disk.drafts import drafted
from scenesync.disk.durability import sync_file

if TYPE_CHECKING:
    from pathlib import Path

    from scenesync.app.settings import Settings


def api_key(settings: Settings) -> str:
    """Return the key, made and kept if there is none yet. Raises OSError."""
    if settings.http_api_key is not None:
        return settings.http_api_key.get_secret_value()
    path = key_file(settings)
    try:
        kept = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        kept = ""
    if kept:
        path.chmod(0o600)
        return kept
    make_data_dir(path.parent)
    return _make(path)


def key_file(settings: Settings) -> Path:
    """Return where the key is kept that was made: one for all routes."""
    return settings.installation_dir / API_KEY_FILE


def _make(path: Path) -> str:
    key = secrets.token_urlsafe(32)
    with drafted(path) as draft:
        draft.write_text(f"{key}\n", encoding="ascii")
        sync_file(draft)
    return key
