"""Change some keys of ``scenesync.toml`` and nothing else in it: comments, order and line ends stay."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from scenesync.app.configuration.model import SECRET_KEYS
from scenesync.app.configuration.route import SERVER_KINDS
from scenesync.disk.drafts import drafted
from scenesync.disk.durability import sync_file, sync_folder
from scenesync.disk.ownership import hand_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tomlkit.items import Array, String


NEW_FILE_MODE: Final = 0o600
"""The file may come to hold a token."""
_MARK: Final = b"\xef\xbb\xbf"


class SettingsFileRefused(Exception):
    """The settings file cannot be changed safely; the message says why and what to do instead."""


def path_map_in(path: Path) -> tuple[str, ...]:
    """Return ``path_map`` as the settings file has it, none if it has none. Raises SettingsFileRefused."""
    try:
        found = _read(path, path.read_bytes() if path.exists() else b"")[1].get("path_map", [])
    except OSError as error:
        raise SettingsFileRefused(f"{path} cannot be read ({error.strerror or type(error).__name__}).") from error
    return tuple(map(str, found)) if isinstance(found, list) else ()


def write_path_map(path: Path, rules: Sequence[str]) -> Path:
    """Set ``path_map`` as ``write_settings`` does, and return the file that was written. Raises alike."""
    return write_settings(path, {"path_map": rules})


def write_settings(path: Path, values: Mapping[str, str | Sequence[str]]) -> Path:
    """Set these keys in the settings file, which is made if it is missing; return the file that was written.

    A link is followed, so that it stays one. The new content takes the old one's place in one step, and only if it
    reads back as the old settings with just these keys changed. A file that is given a secret can be read by its owner
    alone afterwards. A secret for which the settings name a file (``plex_token_file``) goes into that one, before.
    Raises SettingsFileRefused.
    """
    try:
        target = path.resolve()
        before = target.read_bytes() if target.exists() else b""
        files = _secret_files(target, before, values)
        for key, file in files.items():
            _write_secret(file, str(values[key]), key)
        here = {key: value for key, value in values.items() if key not in files}
        if here:
            content = _with_values(target, before, here)
            _replace(target, before, content, NEW_FILE_MODE if SECRET_KEYS & here.keys() else None, _listed(here))
            hand_over(str(target))
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    return target


def why_not_writable(path: Path) -> str:
    """Return why the settings file could not be written as things are, "" if nothing is seen to be in the way."""
    target = path.resolve()
    if target.exists() and not os.access(target, os.W_OK):
        return f"{target} is write-protected."
    if target.parent.exists() and not os.access(target.parent, os.W_OK):
        return f"Nothing can be written into {target.parent}."
    return ""


def toml_string(text: str) -> String:
    """Return a text as TOML; in single quotes if it has backslashes, so that Windows paths stay readable."""
    return tomlkit.string(text, literal="\\" in text and "'" not in text and text.isprintable())


def _secret_files(path: Path, before: bytes, values: Mapping[str, str | Sequence[str]]) -> dict[str, Path]:
    """Return the files that the settings name for the secrets among ``values``; relative ones lie beside them."""
    named = _read(path, before)[1]
    files = {key: named.get(f"{key}_file") for key in SECRET_KEYS & values.keys()}
    return {
        key: path.parent / Path(file.strip()).expanduser()
        for key, file in files.items()
        if isinstance(file, str) and file.strip()
    }


def _write_secret(path: Path, secret: str, key: str) -> None:
    try:
        target = path.resolve()
        _replace(target, target.read_bytes() if target.exists() else b"", f"{secret}\n".encode(), NEW_FILE_MODE, key)
        hand_over(str(target))
    except OSError as error:
        raise _cannot_be_written(path, error) from error


def _cannot_be_written(path: Path, error: OSError) -> SettingsFileRefused:
    return SettingsFileRefused(f"{path} cannot be written ({error.strerror or type(error).__name__}).")


def _read(path: Path, before: bytes) -> tuple[str, dict[str, Any]]:
    """Return the text and the settings of the file as it is. Raises SettingsFileRefused."""
    try:
        text = before.removeprefix(_MARK).decode("utf-8")
        return text, tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsFileRefused(f"{path} cannot be changed, since it cannot be read: {error}.") from error


def _with_values(path: Path, before: bytes, values: Mapping[str, str | Sequence[str]]) -> bytes:
    mark = _MARK if before.startswith(_MARK) else b""
    text, settings = _read(path, before)
    if any(isinstance(settings.get(kind), list) for kind in SERVER_KINDS):
        raise SettingsFileRefused(
            f"{path} has tables of several servers, and only you know which of them this is for. "
            f"Set {_listed(values)} by hand."
        )
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise SettingsFileRefused(f"{path} cannot be changed, since it cannot be read: {error}.") from error
    for key, value in values.items():
        document[key] = toml_string(value) if isinstance(value, str) else _array(value)
    changed = tomlkit.dumps(document)
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
        changed = changed.replace("\r\n", "\n").replace("\n", "\r\n")
    wanted = {key: value if isinstance(value, str) else list(value) for key, value in values.items()}
    if _settings_in(changed) != {**settings, **wanted}:
        raise SettingsFileRefused(
            f"{path} cannot be changed safely: its other settings would not stay as they are. "
            f"Set {_listed(values)} by hand."
        )
    return mark + changed.encode("utf-8")


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(sorted(keys))


def _array(rules: Sequence[str]) -> Array:
    array = tomlkit.array()
    for rule in rules:
        array.append(toml_string(rule))
    return array.multiline(multiline=True)


def _settings_in(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _replace(target: Path, before: bytes, content: bytes, mode: int | None, keys: str) -> None:
    """Put ``content`` in the place of ``before``; the mode stays if None is asked for, or is that of a new file."""
    if mode is None:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else NEW_FILE_MODE
    if target.exists() and not os.access(target, os.W_OK):
        raise SettingsFileRefused(f"{target} is write-protected. Set {keys} by hand, or make it writable.")
    with drafted(target) as draft:
        draft.write_bytes(content)
        sync_file(draft)
        draft.chmod(mode)
        _require_unchanged(target, before)
    sync_folder(target.parent)


def _require_unchanged(target: Path, before: bytes) -> None:
    if (target.read_bytes() if target.exists() else b"") != before:
        raise SettingsFileRefused(f"{target} was changed by somebody else at this moment. Try again.")
