"""Load the settings, say where each came from, and answer the questions that callers have about them.

The only module besides the hook that reads the environment. Everything is computed anew from file, environment and
arguments at each call, so that a running daemon can load again after a change.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr, ValidationError

from scenesync.app.configuration.errors import SettingsError, closest, wrong_value
from scenesync.app.configuration.marks import known_stash_url, read_marks
from scenesync.app.configuration.model import (
    ENV_PREFIX,
    KEYS,
    SECRET_KEYS,
    Settings,
)
from scenesync.app.configuration.routing import (
    Planned,
    dashboard_of,
    names_kept,
    pairs_of,
    place,
    places,
    refused_alone,
    schema_of,
    shadowed,
)
from scenesync.app.configuration.servers import read_servers
from scenesync.app.configuration.sources import (
    CONFIG_VARIABLE,
    Given,
    Layer,
    from_command_line,
    from_environment,
    from_file,
    from_plugin,
    merge,
    read_secret,
    secret_path,
    unknown_keys,
    unknown_variable,
)
from scenesync.app.configuration.values import ARROW, Refused, local_path
from scenesync.app.configuration.work import default_data_dir
from scenesync.domain.participation import Participation
from scenesync.domain.paths import PathRule
from scenesync.domain.setting_origin import DEFAULT, of_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.app.configuration.routing import Mark, Pair

__all__ = [
    "LoadedSettings",
    "PlexConnection",
    "Route",
    "Settings",
    "SettingsError",
    "load_settings",
    "masked",
    "participation",
    "require_plex",
]

CONFIG_FILE_NAME: Final = "scenesync.toml"


@dataclass(frozen=True, slots=True)
class Route:
    """One Stash carried to one Plex, where the file names several servers.

    ``outbox`` is the data directory of the Stash's own plugin, where hooks leave events; None if the file names none.
    """

    name: str
    stash: str
    plex: str
    settings: Settings
    origins: Mapping[str, str]
    outbox: Path | None = None


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, the origin of each key, what is worth a warning, and the files that were read or would be.

    An origin is ``default``, ``file <path>``, ``environment SCENESYNC_X``, ``Stash plugin settings`` or
    ``command line``. ``files`` holds the settings file (even if it is missing) and the secrets' files: when one of them
    changes, loading again may give another answer.

    Where the file names several servers, ``routes`` has the settings of each route, in the order of the file;
    ``settings`` are then those of the first one, but with the data directory of the installation: for what concerns
    all. ``left_over`` are folders with the state of routes that there are no more.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    files: tuple[Path, ...]
    routes: tuple[Route, ...] = ()
    left_over: tuple[Mark, ...] = ()

    @property
    def file(self) -> Path:
        """The settings file, even if it is missing."""
        return self.files[0]

    @property
    def is_one_at_home(self) -> bool:
        """Whether there is one route, and its state lies in the data directory itself, as where there are no tables."""
        return len(self.routes) == 1 and self.routes[0].settings.data_dir == self.settings.data_dir

    def of_route(self, route: Route) -> LoadedSettings:
        """Return them as they are for one route."""
        return replace(self, settings=route.settings, origins=route.origins)


@dataclass(frozen=True, slots=True)
class PlexConnection:
    """What it takes to talk to Plex."""

    url: str
    token: SecretStr


def load_settings(
    *,
    overrides: Mapping[str, object] | None = None,
    plugin_settings: Mapping[str, object] | None = None,
    default_dir: Path | None = None,
) -> LoadedSettings:
    """Return the settings in force now: defaults < file < environment < Stash plugin settings < command line.

    ``overrides`` are command-line options by key (None: not used), ``plugin_settings`` is what Stash keeps for the
    plugin, ``default_dir`` is the data directory when nobody chose one. Raises ``SettingsError`` that names every
    problem at once.
    """
    environ = os.environ  # noqa: TID251 - the one place that reads it
    environment = from_environment(environ)
    command_line = from_command_line(overrides or {})
    plugin, plugin_warnings = _plugin_layer(plugin_settings or {})
    named = environ.get(CONFIG_VARIABLE, "").strip()
    path = _config_path(named, _data_dir(command_line, environment, default_dir))
    file = from_file(path, required=bool(named))
    layers = (_defaults(default_dir), file, environment, plugin, command_line)

    problems = [problem for layer in layers for problem in layer.problems]
    problems += [*unknown_keys(file), *unknown_keys(command_line)]
    if not named and "data_dir" in file.given:
        problems.append(_misplaced_data_dir(file.given["data_dir"].origin))
    merged = merge(layers)
    servers = read_servers(file.tables, path, of_file(path), problems)
    pairs: Sequence[Pair] = ()
    if servers is not None:
        problems += shadowed(servers, merged)
        pairs = pairs_of(servers, problems)
    checked = [_checked({**merged, **pair.given}, problems) for pair in pairs] or [_checked(merged, problems)]
    usable = [each for each in checked if each is not None]
    if problems or len(usable) < len(checked):
        raise SettingsError(list(dict.fromkeys(problems)))
    warnings = (*(unknown_variable(entry) for entry in environment.unknown), *plugin_warnings)
    files = tuple(dict.fromkeys((path, *(file for each in usable for file in each.secret_files))))
    loaded = LoadedSettings(usable[0].settings, usable[0].origins, warnings, files)
    return _routed(loaded, pairs, usable) if pairs else _alone(loaded)


def _alone(loaded: LoadedSettings) -> LoadedSettings:
    """Return the single settings. Raises SettingsError if what lies in their data directory is another Stash's."""
    settings = loaded.settings
    data_dir = settings.data_dir
    problems = list(refused_alone(read_marks(data_dir), data_dir, known_stash_url(settings), settings.plex_url or ""))
    if problems:
        raise SettingsError(problems)
    return loaded


@dataclass(frozen=True, slots=True)
class _Checked:
    settings: Settings
    origins: Mapping[str, str]
    secret_files: tuple[Path, ...]


def _checked(merged: Mapping[str, Given], problems: list[str]) -> _Checked | None:
    """Return the settings that were given; None, and what is wrong in ``problems``, if they cannot be used."""
    given, secret_files = _with_secrets_read(merged, problems)
    settings = _validated(given, problems)
    origins = {key: given[key].origin if key in given else DEFAULT for key in KEYS}
    return None if settings is None else _Checked(settings, origins, secret_files)


def _routed(loaded: LoadedSettings, pairs: Sequence[Pair], checked: Sequence[_Checked]) -> LoadedSettings:
    """Give each pair the folder in which its state lies. Raises SettingsError if two of them were exchanged."""
    data_dir = loaded.settings.data_dir
    planned = [
        Planned(name=pair.name, stash_url=each.settings.stash_url, plex_url=each.settings.plex_url or "", pair=pair)
        for pair, each in zip(pairs, checked, strict=True)
    ]
    marks = read_marks(data_dir)
    placing = place(planned, marks, data_dir)
    problems = [*placing.problems]
    if loaded.settings.database_url is not None:
        problems += names_kept(planned, marks, placing.folders)
    if problems:
        raise SettingsError(problems)
    found = places(planned, placing, data_dir, loaded.settings.database_schema)
    routes = []
    for number, (pair, each) in enumerate(zip(pairs, checked, strict=True)):
        folder = placing.folders[pair.name]
        settings = each.settings.at(
            found[pair.name],
            data_dir=folder,
            database_schema=schema_of(pair.name, folder, data_dir, loaded.settings.database_schema),
            **dashboard_of(number, pair.name, each.settings),
        )
        routes.append(Route(pair.name, pair.stash.name, pair.plex.name, settings, each.origins, pair.stash.outbox))
    return replace(loaded, settings=loaded.settings.of_all(), routes=tuple(routes), left_over=tuple(placing.left_over))


def require_plex(settings: Settings) -> PlexConnection:
    """Return how to reach Plex; raises ``SettingsError`` that says how to set what is missing."""
    if settings.plex_url is not None and settings.plex_token is not None:
        return PlexConnection(settings.plex_url, settings.plex_token)
    examples = {"plex_url": "http://192.0.2.7:32400", "plex_token": "your-token"}
    missing = [key for key in examples if getattr(settings, key) is None]
    raise SettingsError([_how_to_set(key, examples[key], settings.data_dir) for key in missing])


def participation(settings: Settings) -> Participation:
    """Return which scenes take part."""
    return Participation(
        only_organized=settings.only_organized,
        only_tags=settings.only_tags,
        skip_tags=settings.skip_tags,
        only_studios=settings.only_studios,
        only_paths=settings.only_paths,
        skip_paths=settings.skip_paths,
    )


def masked(settings: Settings) -> dict[str, object]:
    """Return all settings as plain values that may be shown: of a secret, only whether it is set."""
    return {key: _display(key, getattr(settings, key)) for key in KEYS}


def _display(key: str, value: object) -> object:
    if key in SECRET_KEYS:
        return "(not set)" if value is None else "***"
    match value:
        case StrEnum():
            return value.value
        case Path():
            return str(value)
        case tuple():
            return [
                f"{item.stash_prefix} {ARROW} {item.plex_prefix}" if isinstance(item, PathRule) else item
                for item in value
            ]
        case _:
            return value


def _defaults(default_dir: Path | None) -> Layer:
    # The rest of the defaults stands in the model.
    return Layer({} if default_dir is None else {"data_dir": Given(str(default_dir), DEFAULT)})


def _plugin_layer(values: Mapping[str, object]) -> tuple[Layer, tuple[str, ...]]:
    """Return the plugin's layer and warnings: keys that an older or newer manifest left there must stop nobody."""
    layer = from_plugin({key: value for key, value in values.items() if key != "data_dir"})
    warnings = []
    for entry in layer.unknown:
        hint = closest(entry.key, KEYS)
        warnings.append(
            f"{entry.key} in Stash's plugin settings is no setting and is ignored."
            f"{f' Did you mean {hint}?' if hint else ''}"
        )
    if "data_dir" in values:
        warnings.append(
            "data_dir in Stash's plugin settings is ignored, since the hook could not know it. "
            f"Set {ENV_PREFIX}DATA_DIR in Stash's environment instead."
        )
    return layer, tuple(warnings)


def _data_dir(command_line: Layer, environment: Layer, default_dir: Path | None) -> Path:
    """Return the data directory as far as it can be known before the file in it is read."""
    chosen = command_line.given.get("data_dir") or environment.given.get("data_dir")
    if chosen is None:
        return (default_dir or default_data_dir()).absolute()
    try:
        return local_path(chosen.value)
    except Refused as error:
        raise SettingsError([wrong_value("data_dir", chosen.value, chosen.origin, str(error))]) from None


def _config_path(named: str, data_dir: Path) -> Path:
    try:
        return local_path(named) if named else data_dir / CONFIG_FILE_NAME
    except Refused as error:
        raise SettingsError([f"{CONFIG_VARIABLE} = {named}: {error}. It must be the path of a file."]) from None


def _misplaced_data_dir(origin: str) -> str:
    return (
        f"data_dir ({origin}): cannot be set in the file that is looked for in that directory. "
        f"Set {ENV_PREFIX}DATA_DIR, or name the file in {CONFIG_VARIABLE}."
    )


def _with_secrets_read(merged: Mapping[str, Given], problems: list[str]) -> tuple[dict[str, Given], tuple[Path, ...]]:
    """Replace names of files by the secrets in them; what cannot be read is left out and added to ``problems``."""
    result, paths = {}, []
    for key, given in merged.items():
        if not given.in_file:
            result[key] = given
            continue
        try:
            path = secret_path(key, given)
            paths.append(path)
            result[key] = read_secret(key, given, path)
        except Refused as error:
            problems.append(str(error))
    return result, tuple(paths)


def _validated(given: Mapping[str, Given], problems: list[str]) -> Settings | None:
    values: dict[str, Any] = {key: entry.value for key, entry in given.items()}
    try:
        return Settings(**values)
    except ValidationError as error:
        # Nothing is chained to what is raised later: a library's error may quote what it was given.
        problems += _refused(error, given)
    return None


def _refused(error: ValidationError, given: Mapping[str, Given]) -> Iterable[str]:
    reasons: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        reason = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else ""
        reasons.setdefault(str(detail["loc"][0]), reason)
    return [wrong_value(key, given[key].value, given[key].origin, reason) for key, reason in reasons.items()]


def _how_to_set(key: str, example: str, data_dir: Path) -> str:
    secret_file = f", {ENV_PREFIX}{key.upper()}_FILE naming a file that holds it" if key in SECRET_KEYS else ""
    return (
        f'{key} is not set. Write {key} = "{example}" in {data_dir / CONFIG_FILE_NAME} (or the file that '
        f"{CONFIG_VARIABLE} names), or set {ENV_PREFIX}{key.upper()} in the environment{secret_file}, "
        f"or {key} in Stash's plugin settings. Or let `scenesync setup` ask for it."
    )
