"""The words for wrong settings: each problem names the key, the value as given, where it came from, what is allowed."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.model import KEYS, SECRET_FILE_KEYS, SECRET_KEYS, URL_KEYS, Settings
from scenesync.app.configuration.route import SERVER_KINDS
from scenesync.app.configuration.values import allowed_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LONGEST_SHOWN: Final = 100
_LONGEST_PATH: Final = 400
"""Text may be the path of a file that cannot be found, of which every letter counts."""


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` holds one sentence per thing to put right."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(self.problems[0])
        else:
            lines = "".join(f"\n  - {problem}" for problem in self.problems)
            super().__init__(f"{len(self.problems)} settings need attention:{lines}")


def wrong_value(key: str, value: object, origin: str, reason: str = "") -> str:
    """Return the sentence for a value that was refused; ``reason`` says why where the allowed values do not."""
    allowed = allowed_text(Settings.model_fields[key])
    subject = f"{key}{_shown(key, value)} ({origin})"
    return f"{subject}: {reason}. It must be {allowed}." if reason else f"{subject}: must be {allowed}."


def unknown_key(key: str, value: object, origin: str) -> str:
    """Return the sentence for a key that does not exist. Its value is not repeated: it may be a misnamed secret."""
    if isinstance(value, dict):
        return f"[{key}] ({origin}): {_about_section(key, value)}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return f"[[{key}]] ({origin}): {_about_table(key)}"
    hint = closest(key, _KNOWN)
    advice = f"Did you mean {hint}?" if hint else "docs/SETTINGS.md lists all settings."
    return f"{key} ({origin}): there is no such setting. {advice}"


def _about_section(key: str, value: Mapping[str, object]) -> str:
    if key not in SERVER_KINDS and closest(key, SERVER_KINDS):
        return _about_table(key)
    inner = next((f"{key}_{name}" for name in value if f"{key}_{name}".lower() in _KNOWN), None)
    example = f", for example {inner.lower()} = ..." if inner else ""
    several = f" Several servers begin with [[{key}]] each." if inner else ""
    return f"there are no sections but [[stash]] and [[plex]], write every key at the top level{example}.{several}"


def _about_table(key: str) -> str:
    meant = closest(key, SERVER_KINDS)
    if meant:
        return f"there is no such table. Did you mean [[{meant}]]?"
    return "there is no such table. There are [[stash]] and [[plex]], see docs/SEVERAL_SERVERS.md."


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like ``name``, whatever its capitals and hyphens."""
    by_plain = {_plain(candidate): candidate for candidate in known}
    found = difflib.get_close_matches(_plain(name), by_plain, n=1, cutoff=0.7)
    return by_plain[found[0]] if found else None


_KNOWN: Final = (*KEYS, *sorted(SECRET_FILE_KEYS))


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _shown(key: str, value: object) -> str:
    # An address may hold a password or a token in the places that are not accepted anyway.
    if key in SECRET_KEYS or (key in URL_KEYS and any(mark in str(value) for mark in "@?#")):
        return ""
    text = json.dumps(value, ensure_ascii=False, default=str)
    longest = _LONGEST_PATH if isinstance(value, str) else _LONGEST_SHOWN
    return f" = {text if len(text) <= longest else f'{text[:longest]}…'}"
