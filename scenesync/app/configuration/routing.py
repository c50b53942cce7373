"""From the tables of servers to the settings of each route, and to the folder of each. Pure: no file is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.route import RoutePlace, Senior, route_name
from scenesync.app.configuration.servers import ServerTable, settings_of
from scenesync.domain.setting_origin import is_decided

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scenesync.app.configuration.model import Settings
    from scenesync.app.configuration.servers import Servers
    from scenesync.app.configuration.sources import Given

ROUTES_FOLDER: Final = "routes"
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Pair:
    """A Stash and a Plex that is to show it."""

    stash: ServerTable
    plex: ServerTable

    @property
    def name(self) -> str:
        """What their route is called."""
        return route_name(self.stash.name, self.plex.name)

    @property
    def given(self) -> dict[str, Given]:
        """What the tables say; it goes before what is said for all servers, wherever that was said."""
        return {**self.stash.given, **self.plex.given}


@dataclass(frozen=True, slots=True)
class Mark:
    """What the folder of a route says about itself: whose state lies in it."""

    folder: Path
    route: str
    stash_url: str
    plex_url: str
    server: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A route that is to have a folder."""

    pair: Pair
    stash_url: str
    plex_url: str

    @property
    def name(self) -> str:
        """What it is called."""
        return self.pair.name


@dataclass(frozen=True, slots=True)
class Placing:
    """Which folder and which mark on its jobs each route has, by name, and the folders that are no route's any more."""

    folders: Mapping[str, Path]
    servers: Mapping[str, str]
    left_over: Sequence[Mark] = ()
    problems: Sequence[str] = field(default=())


def pairs_of(servers: Servers, problems: list[str]) -> Sequence[Pair]:
    """Return the pairs in the order of the file; what does not go together is added to ``problems``."""
    pairs = [
        Pair(stash, plex)
        for stash in servers.stashes
        for plex in servers.plexes
        if stash.plexes is None or plex.name in stash.plexes
    ]
    for pair in pairs:
        problems += [
            f"{key} stands in [[stash]] {pair.stash.name} and in [[plex]] {pair.plex.name}, which belong together. "
            "Keep one of them."
            for key in sorted(pair.stash.given.keys() & pair.plex.given.keys())
        ]
    reached = {pair.plex.name for pair in pairs}
    problems += [
        f"[[plex]] {plex.name}: no [[stash]] is carried to it. Name it under plex in one of them, or take it out."
        for plex in servers.plexes
        if plex.name not in reached
    ]
    problems += [
        f"[[stash]] {stash.name}: plex is an empty list, so it is carried nowhere. Take it out, or name a [[plex]]."
        for stash in servers.stashes
        if stash.plexes == ()
    ]
    return pairs


def shadowed(servers: Servers, given: Mapping[str, Given]) -> Iterator[str]:
    """Yield a sentence for each single setting that is given although there are tables of its kind."""
    for kind in servers.kinds_with_tables:
        for name, key in settings_of(kind).items():
            if key in given and is_decided(given[key].origin):
                yield (
                    f"{key} ({given[key].origin}) and the tables [[{kind}]] exclude each other. "
                    f"Take it out there, and write {name} in each table."
                )


def place(routes: Sequence[Planned], marks: Sequence[Mark], data_dir: Path) -> Placing:
    """Give each route its folder: the one that says that it is the route's, else a new one.

    The first route of all takes ``data_dir`` itself, so that who adds a second server loses nothing. A folder whose
    route has another name now, but the same two servers, stays theirs. Folders whose names were exchanged are refused:
    one library's scenes would be taken for the other's.
    """
    by_name = {mark.route: mark for mark in marks}
    names = {route.name for route in routes}
    orphans = {(mark.stash_url, mark.plex_url): mark for mark in marks if mark.route not in names}
    found = {route.name: by_name.get(route.name) or orphans.get((route.stash_url, route.plex_url)) for route in routes}
    taken = {mark.folder for mark in marks}
    first_server = routes[0].pair.stash.name if routes else ""
    folders: dict[str, Path] = {}
    servers: dict[str, str] = {}
    for route in routes:
        mark = found[route.name]
        folders[route.name] = mark.folder if mark else _free_folder(route.name, data_dir, taken)
        taken.add(folders[route.name])
        stash = route.pair.stash.name
        servers[route.name] = mark.server if mark else "" if stash == first_server else stash
    used = {mark.folder for mark in found.values() if mark}
    left_over = [mark for mark in marks if mark.folder not in used]
    return Placing(folders, servers, left_over, list(_exchanged(routes, found)))


def _free_folder(name: str, data_dir: Path, taken: set[Path]) -> Path:
    if data_dir not in taken:
        return data_dir
    folder, number = data_dir / ROUTES_FOLDER / name, 1
    while folder in taken:
        number += 1
        folder = data_dir / ROUTES_FOLDER / f"{name}-{number}"
    return folder


def _exchanged(routes: Sequence[Planned], found: Mapping[str, Mark | None]) -> Iterator[str]:
    names = {route.stash_url: route.pair.stash.name for route in routes}
    for route in routes:
        mark, name = found[route.name], route.pair.stash.name
        if mark is None or mark.stash_url == route.stash_url:
            continue
        other = names.get(mark.stash_url, name)
        if other != name:
            yield (
                f"The state in {mark.folder} was made for the Stash at {mark.stash_url}, which is [[stash]] {other} "
                f"now, and would be used for [[stash]] {name}. Give the tables their names back: a name belongs to one "
                "server for good."
            )


def places(routes: Sequence[Planned], placing: Placing, data_dir: Path, first_schema: str) -> Mapping[str, RoutePlace]:
    """Return for each route where it stands; the Stash that stands first in the file has its way with a shared item."""
    found: dict[str, RoutePlace] = {}
    folders = placing.folders
    for number, route in enumerate(routes):
        earlier = [other for other in routes[:number] if other.plex_url == route.plex_url]
        found[route.name] = RoutePlace(
            route.name,
            route.pair.stash.name,
            route.pair.plex.name,
            data_dir,
            placing.servers[route.name],
            tuple(
                Senior(
                    other.pair.stash.name,
                    folders[other.name],
                    schema_of(other.name, folders[other.name], data_dir, first_schema),
                )
                for other in earlier
                if other.pair.stash.name != route.pair.stash.name
            ),
            not route.pair.stash.is_short_form,
        )
    return found


def schema_of(route: str, folder: Path, data_dir: Path, first: str) -> str:
    """Return the schema in which PostgreSQL keeps a route's state, if it does; ``first`` is that of the first route."""
    return first if folder == data_dir else f"{first}_{route.replace('-', '_')}"


def dashboard_of(number: int, name: str, settings: Settings) -> dict[str, object]:
    """Return where the dashboard of a route is: the first's as the settings say, each further one's a port above."""
    if not number:
        return {}
    port, path = settings.http_port, settings.http_base_path
    free = port + number if port and port + number <= _LAST_PORT else 0
    return {"http_port": free, "http_base_path": f"{path}/{name}" if path else ""}
