"""Read each place that settings can come from into a layer of raw values that remember their origin.

Nothing is checked here but what only the source knows: misspelt keys, unreadable files, a secret given twice.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from scenesync.app.configuration.errors import closest, unknown_key
from scenesync.app.configuration.model import (
    ENV_PREFIX,
    KEYS,
    LIST_SEPARATORS,
    PATH_KEYS,
    SECRET_FILE_KEYS,
    SECRET_KEYS,
)
from scenesync.app.configuration.route import SERVER_KINDS
from scenesync.app.configuration.values import Refused, local_path
from scenesync.domain.setting_origin import of_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

CONFIG_VARIABLE: Final = f"{ENV_PREFIX}CONFIG"
PLUGIN: Final = "Stash plugin settings"
COMMAND_LINE: Final = "command line"
NOT_TEXT: Final = object()
"""Stands for a secret that was given as a number or list, which is refused without being kept."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as somebody gave it; for ``in_file`` it is the path of a file that holds the value."""

    value: object = field(repr=False)
    origin: str
    in_file: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """A key that no setting has."""

    key: str
    value: object = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source says, by key, and what is wrong with the source itself."""

    given: Mapping[str, Given]
    problems: tuple[str, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    tables: Mapping[str, object] = field(default_factory=dict)
    """The tables of several servers, by kind, as they stand in the file."""


ZERO_IS_UNSET: Final = frozenset(
    {"workers", "max_retries", "connect_timeout", "read_timeout", "http_port", "backup_keep", "heartbeat_interval"}
)


def from_environment(environ: Mapping[str, str]) -> Layer:
    """Read the ``SCENESYNC_`` variables; an empty one counts as not set, as Compose files produce it."""
    rows = []
    for name, text in sorted(environ.items()):
        upper = name.upper()
        if upper.startswith(ENV_PREFIX) and upper != CONFIG_VARIABLE and text.strip():
            key = upper.removeprefix(ENV_PREFIX).lower()
            rows.append((key, _split(key, text), f"environment {upper}"))
    return _layer(rows)


def from_plugin(values: Mapping[str, object]) -> Layer:
    """Read what Stash keeps for the plugin; it has no type for lists and may hand out numbers as text.

    Its page shows 0 for a number that nobody set, and keeps that 0 once the field was touched.
    """
    return _layer(
        (key, _split(key, value), PLUGIN)
        for key, value in values.items()
        if not _unset(value) and not (key in ZERO_IS_UNSET and value in (0, "0"))
    )


def from_command_line(values: Mapping[str, object]) -> Layer:
    """Read the options of a command; None and an empty list mean that the option was not used."""
    return _layer((key, _split(key, value), COMMAND_LINE) for key, value in values.items() if not _unset(value))


def from_file(path: Path, *, required: bool) -> Layer:
    """Read a ``scenesync.toml``; relative paths in it are relative to its own folder."""
    origin = of_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except FileNotFoundError:
        missing = (
            f"{path}: there is no such file, but {CONFIG_VARIABLE} names it. Create it or unset {CONFIG_VARIABLE}."
        )
        return Layer({}, problems=(missing,) if required else ())
    except OSError as error:
        return Layer({}, problems=(f"{path}: cannot be read ({error.strerror or type(error).__name__}).",))
    except UnicodeDecodeError:
        return Layer({}, problems=(f"{path}: is not UTF-8 text. Save it as UTF-8.",))
    except tomllib.TOMLDecodeError as error:
        hint = " In TOML, put Windows paths in single quotes: 'C:\\Films'." if "\\" in text else ""
        return Layer({}, problems=(f"{path}: is not valid TOML: {error}.{hint}",))
    tables = {kind: values.pop(kind) for kind in SERVER_KINDS if isinstance(values.get(kind), list)}
    layer = _layer(
        (key, seen_from(path, value) if key in PATH_KEYS else value, origin) for key, value in values.items()
    )
    return replace(layer, tables=tables)


def unknown_variable(unknown: Unknown) -> str:
    """Return the warning about a variable that looks like a setting; it may belong to something else."""
    names = [CONFIG_VARIABLE, *(f"{ENV_PREFIX}{key.upper()}" for key in (*KEYS, *sorted(SECRET_FILE_KEYS)))]
    name = f"{ENV_PREFIX}{unknown.key.upper()}"
    hint = closest(name, names)
    return f"{name} in the environment is no setting and is ignored.{f' Did you mean {hint}?' if hint else ''}"


def merge(layers: Iterable[Layer]) -> dict[str, Given]:
    """Lay later layers over earlier ones."""
    return {key: given for layer in layers for key, given in layer.given.items()}


def secret_path(key: str, given: Given) -> Path:
    """Return the path that ``given`` names; raises ``Refused`` with the sentence for the person."""
    try:
        return local_path(given.value)
    except Refused as error:
        raise Refused(f"{key}_file ({given.origin}): {error}. It must be the path of a file.") from None


def read_secret(key: str, given: Given, path: Path) -> Given:
    """Return the secret that stands in the file, stripped; raises ``Refused`` with the sentence for the person."""
    subject = f"{key}_file ({given.origin}): {path}"
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise Refused(f"{subject} cannot be read ({error.strerror or type(error).__name__}).") from None
    except UnicodeDecodeError:
        raise Refused(f"{subject} is not UTF-8 text.") from None
    if not text:
        raise Refused(f"{subject} is empty. It must hold the secret and nothing else.")
    return Given(SecretStr(text), given.origin)


def unknown_keys(layer: Layer) -> tuple[str, ...]:
    """Return the sentences for the unknown keys of a layer, where they are errors."""
    return tuple(unknown_key(entry.key, entry.value, entry.origin) for entry in layer.unknown)


def _layer(rows: Iterable[tuple[str, object, str]]) -> Layer:
    given: dict[str, Given] = {}
    problems: list[str] = []
    unknown: list[Unknown] = []
    for key, value, origin in rows:
        target = key.removesuffix("_file") if key in SECRET_FILE_KEYS else key
        if target not in KEYS:
            unknown.append(Unknown(key, value, origin))
        elif target in given:
            problems.append(f"{target} and {target}_file are both given ({given[target].origin}). Keep one of them.")
        else:
            given[target] = Given(hidden(key, value), origin, in_file=target != key)
    return Layer(given, tuple(problems), tuple(unknown))


def hidden(key: str, value: object) -> object:
    """Return a secret wrapped, so that nothing prints it by accident, not even pydantic-settings' own debugging."""
    if key not in SECRET_KEYS or isinstance(value, SecretStr):
        return value
    return SecretStr(value) if isinstance(value, str) else NOT_TEXT


def _split(key: str, value: object) -> object:
    if key not in LIST_SEPARATORS or not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(LIST_SEPARATORS[key]) if part.strip()]


def _unset(value: object) -> bool:
    return value is None or value == () or (isinstance(value, str) and not value.strip())


def seen_from(file: Path, value: object) -> object:
    """Return a path as it is seen from the folder of the file that names it; what is none is left for its type."""
    if not isinstance(value, str) or not value.strip() or value.startswith("~"):
        return value
    return str(file.parent / value.strip())
