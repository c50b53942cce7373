"""Change one key of ``scenesync.toml`` and nothing else in it: comments, order, line ends and file mode stay."""

from __future__ import annotations

import os
import stat
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomlkit.items import Array, String

NEW_FILE_MODE: Final = 0o600
"""The file may come to hold a token."""


class SettingsFileRefused(Exception):
    """The settings file cannot be changed safely; the message says why and what to do instead."""


def write_path_map(path: Path, rules: Sequence[str]) -> Path:
    """Set ``path_map`` in the settings file, which is made if it is missing; return the file that was written.

    A link is followed, so that it stays one. The new content takes the old one's place in one step, and only if it
    reads back as the old settings with just this key changed. Raises SettingsFileRefused.
    """
    try:
        target = path.resolve()
        before = target.read_bytes() if target.exists() else b""
        content = _with_path_map(target, before, rules)
        _replace(target, before, content)
    except OSError as error:
        raise SettingsFileRefused(f"{path} cannot be written ({error.strerror or type(error).__name__}).") from error
    return target


def toml_string(text: str) -> String:
    """Return a text as TOML; in single quotes if it has backslashes, so that Windows paths stay readable."""
    return tomlkit.string(text, literal="\\" in text and "'" not in text and text.isprintable())


def _with_path_map(path: Path, before: bytes, rules: Sequence[str]) -> bytes:
    mark = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
    try:
        text = before.removeprefix(mark).decode("utf-8")
        values = tomllib.loads(text)
        document = tomlkit.parse(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, TOMLKitError) as error:
        raise SettingsFileRefused(f"{path} cannot be changed, since it cannot be read: {error}.") from error
    document["path_map"] = _array(rules)
    changed = tomlkit.dumps(document)
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
        changed = changed.replace("\r\n", "\n").replace("\n", "\r\n")
    if _settings_in(changed) != {**values, "path_map": list(rules)}:
        raise SettingsFileRefused(
            f"{path} cannot be changed safely: its other settings would not stay as they are. Set path_map by hand."
        )
    return mark + changed.encode("utf-8")


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


def _replace(target: Path, before: bytes, content: bytes) -> None:
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else NEW_FILE_MODE
    if target.exists() and not os.access(target, os.W_OK):
        raise SettingsFileRefused(f"{target} is write-protected. Set path_map by hand, or make it writable.")
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        _require_unchanged(target, before)
        Path(name).replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_folder(target.parent)


def _require_unchanged(target: Path, before: bytes) -> None:
    if (target.read_bytes() if target.exists() else b"") != before:
        raise SettingsFileRefused(f"{target} was changed by somebody else at this moment. Try again.")


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the system can do that (Windows cannot open folders)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
