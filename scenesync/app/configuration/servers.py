"""The tables of several servers, ``[[stash]]`` and ``[[plex]]`` in ``scenesync.toml``: each read and checked by itself.

In a table, a setting that is named after its kind of server loses that prefix: ``plex_url`` is ``url`` in ``[[plex]]``.
Any other setting that may differ from server to server keeps its name.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.errors import closest
from scenesync.app.configuration.model import KEYS, PATH_KEYS, SECRET_KEYS
from scenesync.app.configuration.operation import OperationSettings
from scenesync.app.configuration.route import PLEX, SERVER_KINDS, STASH
from scenesync.app.configuration.sources import Given, hidden, seen_from
from scenesync.app.configuration.values import Refused, local_path, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_NAME: Final = re.compile(r"[a-z][a-z0-9]{0,19}\Z")
"""No hyphen, which joins two names to that of a route; short, since databases limit the names of their parts."""
_OF_THE_INSTALLATION: Final = frozenset(
    {"data_dir", "network_share", "autostart", "database_url", "plex_tv_url", "log_format", "log_level"}
    | {key for key in KEYS if key.startswith("http_")}
    | set(OperationSettings.model_fields)
)
"""Settings that are one for all servers."""
_OWN_KEYS: Final = {STASH: ("name", "plex", "outbox"), PLEX: ("name",)}
"""What tables hold that is no setting."""


def settings_of(kind: str) -> dict[str, str]:
    """Return the settings that belong to one server of a kind: what each is called in a table, and its own name."""
    prefix = f"{kind}_"
    return {key.removeprefix(prefix): key for key in KEYS if key.startswith(prefix) and key != "plex_tv_url"}


def common_settings() -> tuple[str, ...]:
    """Return the settings that may stand at the top level, for all servers, and in any table, for one."""
    of_servers = {key for kind in SERVER_KINDS for key in settings_of(kind).values()}
    return tuple(key for key in KEYS if key not in of_servers and key not in _OF_THE_INSTALLATION)


@dataclass(frozen=True, slots=True)
class ServerTable:
    """One server: its settings as given, and for a Stash to which Plex servers it is carried (None: to all).

    ``outbox`` is the data directory of another Stash's plugin, whose hooks leave their events there.
    """

    kind: str
    name: str
    given: Mapping[str, Given] = field(default_factory=dict)
    plexes: tuple[str, ...] | None = None
    outbox: Path | None = None
    is_short_form: bool = False
    """It stands for the single settings, beside tables of the other kind."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The tables of both kinds in the order of the file; a kind without tables has one made of the single settings."""

    stashes: Sequence[ServerTable]
    plexes: Sequence[ServerTable]

    @property
    def kinds_with_tables(self) -> tuple[str, ...]:
        """The kinds that are written as tables."""
        found = {STASH: self.stashes, PLEX: self.plexes}
        return tuple(kind for kind, tables in found.items() if not tables[0].is_short_form)


def read_servers(tables: Mapping[str, object], file: Path, origin: str, problems: list[str]) -> Servers | None:
    """Return the servers that the file's tables name, None if it has none; what is wrong is added to ``problems``."""
    if not tables:
        return None
    found = {kind: _tables(kind, tables.get(kind), file, origin, problems) for kind in SERVER_KINDS}
    known = [table.name for table in found[PLEX]]
    for stash in found[STASH]:
        problems += [
            f'plex in [[stash]] {stash.name} ({origin}): there is no [[plex]] with name = "{name}". '
            f"There are: {', '.join(known)}."
            for name in stash.plexes or ()
            if name not in known
        ]
    return Servers(found[STASH], found[PLEX])


def _tables(kind: str, tables: object, file: Path, origin: str, problems: list[str]) -> Sequence[ServerTable]:
    if tables is None:
        return (ServerTable(kind, kind, is_short_form=True),)
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        problems.append(f"{kind} ({origin}): several servers are written as tables, each beginning with [[{kind}]].")
        return (ServerTable(kind, kind),)
    read = [_table(kind, number, table, file, origin, problems) for number, table in enumerate(tables, 1)]
    for name, count in Counter(table.name for table in read).items():
        if count > 1:
            problems.append(f'name in [[{kind}]] ({origin}): {count} tables have the name "{name}".')
    return read


def _table(
    kind: str, number: int, table: Mapping[str, object], file: Path, origin: str, problems: list[str]
) -> ServerTable:
    name = table.get("name")
    which = f"[[{kind}]] {name if isinstance(name, str) else f'number {number}'}"
    if not isinstance(name, str) or not _NAME.match(name):
        missing = "every table needs one" if name is None else "it cannot be used"
        allowed = "a letter from a to z and then such letters and digits, at most 20 together"
        problems.append(f"name in {which} ({origin}): {missing}. It must be made of {allowed}.")
        name = f"{kind}{number}"
    given = _given(kind, which, table, file, origin, problems)
    problems += [
        f"{key} in {which} ({origin}): is missing."
        for key in ("url", *(("token",) if kind == PLEX else ()))
        if settings_of(kind)[key] not in given
    ]
    plexes, outbox = _own_values(which, table, file, origin, problems) if kind == STASH else (None, None)
    return ServerTable(kind, name, given, plexes, outbox)


def _own_values(
    which: str, table: Mapping[str, object], file: Path, origin: str, problems: list[str]
) -> tuple[tuple[str, ...] | None, Path | None]:
    plexes, outbox = None, None
    try:
        if "plex" in table:
            plexes = names(table["plex"])
    except Refused as error:
        problems.append(f"plex in {which} ({origin}): {error}. It must be a list of names of [[plex]].")
    try:
        if "outbox" in table:
            outbox = local_path(seen_from(file, table["outbox"]))
    except Refused as error:
        problems.append(f"outbox in {which} ({origin}): {error}. It must be the path of a folder.")
    return plexes, outbox


def _given(
    kind: str, which: str, table: Mapping[str, object], file: Path, origin: str, problems: list[str]
) -> dict[str, Given]:
    given: dict[str, Given] = {}
    for written, value in table.items():
        if written in _OWN_KEYS[kind]:
            continue
        key, in_file = _setting(kind, written)
        if key is None:
            problems.append(f"{written} in {which} ({origin}): {_advice(kind, written)}")
        elif key in given:
            problems.append(f"{written} and its other form are both given in {which} ({origin}). Keep one of them.")
        else:
            full = f"{key}_file" if in_file else key
            seen = seen_from(file, value) if full in PATH_KEYS else value
            given[key] = Given(hidden(full, seen), f"{origin}, {written} in {which}", in_file=in_file)
    return given


def _setting(kind: str, written: str) -> tuple[str | None, bool]:
    """Return the setting that a table's key stands for, None if none, and whether it names a file that holds it."""
    here = {**settings_of(kind), **{key: key for key in common_settings()}}
    if written in here:
        return here[written], False
    key = here.get(written.removesuffix("_file"))
    return (key, True) if written.endswith("_file") and key in SECRET_KEYS else (None, False)


def _advice(kind: str, written: str) -> str:
    if written in _OF_THE_INSTALLATION:
        return "is one for all servers. Write it at the top level, above the tables."
    if written in settings_of(kind).values():
        return f"is written {written.removeprefix(f'{kind}_')} here."
    hint = closest(written, _names(kind))
    return f"there is no such key. {f'Did you mean {hint}?' if hint else 'docs/SEVERAL_SERVERS.md lists them.'}"


def _names(kind: str) -> Iterator[str]:
    yield from _OWN_KEYS[kind]
    for name, key in settings_of(kind).items():
        yield name
        if key in SECRET_KEYS:
            yield f"{name}_file"
    yield from common_settings()
