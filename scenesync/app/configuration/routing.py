"""From the tables of servers to the settings of each route, and to the folder of each. Pure: no file is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.route import (
    PLEX,
    SERVER_KINDS,
    STASH,
    ElderPlace,
    RoutePlace,
    route_name,
    server_in,
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What a route is called, and where the two servers are between which it leads."""

    name: str
    stash_url: str
    plex_url: str

    def url_of(self, kind: str) -> str:
        """Return the address of its Stash or its Plex."""
        return self.stash_url if kind == STASH else self.plex_url

    def name_of(self, kind: str) -> str:
        """Return what its Stash or its Plex is called, "" if nothing."""
        return server_in(self.name, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Ends):
    """What the folder of a route says about itself: whose state lies in it.

    ``name`` is "" where it was last used by the single settings, without tables.
    """

    folder: Path
    server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(Ends):
    """A route that is to have a folder."""

    pair: Pair


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
    found = _given_out(routes, marks)
    taken = {mark.folder for mark in marks}
    # Whose jobs are plain: those that were so, else those of the Stash that stands first.
    plain = next((each.pair.stash.name for each in routes if (mark := found[each.name]) and not mark.server), "")
    plain = plain or (routes[0].pair.stash.name if routes else "")
    folders: dict[str, Path] = {}
    servers: dict[str, str] = {}
    for route in routes:
        mark = found[route.name]
        folders[route.name] = mark.folder if mark else _free_folder(route.name, data_dir, taken)
        taken.add(folders[route.name])
        stash = route.pair.stash.name
        servers[route.name] = mark.server if mark else "" if stash == plain else stash
    used = {mark.folder for mark in found.values() if mark}
    left_over = [mark for mark in marks if mark.folder not in used]
    problems = [*_exchanged(routes, found, marks), *_unclaimed(routes, found, left_over)]
    return Placing(folders, servers, left_over, problems)


def _given_out(routes: Sequence[Planned], marks: Sequence[Mark]) -> Mapping[str, Mark | None]:
    """Return the mark of each route, None for a new one; none is given twice."""
    by_name = {mark.name: mark for mark in marks}
    found = {route.name: by_name.get(route.name) for route in routes}
    orphans = [mark for mark in marks if mark.name not in found]
    for fits in (_has_both_servers, _was_alone_with_the_stash):
        for route in routes:
            if found[route.name] is None:
                found[route.name] = mark = next((each for each in orphans if fits(each, route)), None)
                orphans = [each for each in orphans if each is not mark]
    return found


def _has_both_servers(mark: Mark, route: Planned) -> bool:
    return (mark.stash_url, mark.plex_url) == (route.stash_url, route.plex_url)


def _was_alone_with_the_stash(mark: Mark, route: Planned) -> bool:
    """Say whether it was the only Stash before there were tables; what is known of a Plex is kept by its identity."""
    return not mark.name and mark.stash_url == route.stash_url


def _free_folder(name: str, data_dir: Path, taken: set[Path]) -> Path:
    if data_dir not in taken:
        return data_dir
    folder, number = data_dir / ROUTES_FOLDER / name, 1
    while folder in taken:
        number += 1
        folder = data_dir / ROUTES_FOLDER / f"{name}-{number}"
    return folder


def _exchanged(routes: Sequence[Planned], found: Mapping[str, Mark | None], marks: Sequence[Mark]) -> Iterator[str]:
    """Yield what would mix two servers: a name that was another's, as far as addresses tell."""
    for kind in SERVER_KINDS:
        names = {route.url_of(kind): route.name_of(kind) for route in routes}
        for route in routes:
            mark, name, url = found[route.name], route.name_of(kind), route.url_of(kind)
            if mark is None or mark.url_of(kind) == url:
                continue
            other = names.get(mark.url_of(kind), name)
            elsewhere = next((each for each in marks if each.url_of(kind) == url and each.name_of(kind) != name), None)
            was_made_for = f"The state in {mark.folder} was made for the {kind.title()} at {mark.url_of(kind)}"
            if other != name:
                yield (
                    f"{was_made_for}, which is [[{kind}]] {other} now, and would be used for [[{kind}]] {name}. "
                    "Give the tables their names back: a name belongs to one server for good."
                )
            elif elsewhere is not None:
                yield (
                    f"{was_made_for}, and would be used for [[{kind}]] {name} at {url}, whose own state lies in "
                    f"{elsewhere.folder}. Give that table another name, or its old one back: a name belongs to one "
                    "server for good."
                )


def _unclaimed(routes: Sequence[Planned], found: Mapping[str, Mark | None], left_over: Sequence[Mark]) -> Iterator[str]:
    """Yield that nobody can tell whose the state is that was used without tables, if a new route may want it."""
    if all(found[route.name] for route in routes):
        return
    for mark in left_over:
        if not mark.name:
            yield (
                f"The state in {mark.folder} was made for the Stash at {mark.stash_url}, and no [[stash]] has this "
                "address. Write it in the table of that Stash; it can be changed once SceneSync was started with it. "
                "If that Stash is gone for good, delete route.json, scenesync.db and queue there."
            )


def refused_alone(marks: Sequence[Mark], data_dir: Path, stash_url: str, plex_url: str) -> Iterator[str]:
    """Yield why the single settings must not use the state in ``data_dir``: it is, or may be, another Stash's.

    ``stash_url`` is "" where no setting says where Stash is.
    """
    if not stash_url:
        if len({mark.stash_url for mark in marks}) > 1:
            yield (
                f"The states of several Stashes lie in {data_dir}, and no setting says which one is meant. Set "
                "stash_url to the address that it had in its table."
            )
        return
    home = next((mark for mark in marks if mark.folder == data_dir), None)
    if home is not None and (home.stash_url, home.plex_url, home.server) == (stash_url, plex_url, ""):
        return
    is_our_stash = home is not None and home.stash_url == stash_url
    others = [mark for mark in marks if mark.folder != data_dir and mark.stash_url == stash_url]
    better = next((mark for mark in others if mark.plex_url == plex_url or not is_our_stash), None)
    ours = home if is_our_stash and home is not None and home.server else better
    if ours is not None:
        yield (
            f"The state of the Stash at {stash_url} lies in {ours.folder}, where tables alone lead. Keep [[stash]] "
            f"{ours.name_of(STASH)} and [[plex]] {ours.name_of(PLEX)}: there may be one of each."
        )
    elif home is not None and home.name and not is_our_stash:
        yield (
            f"The state in {data_dir} was made for the Stash at {home.stash_url} (route {home.name}), and would be "
            f"used for the one at {stash_url}. If they are one and the same, set stash_url to the old address and "
            "start SceneSync; then it can be changed. If not, give SceneSync another data directory."
        )


def names_kept(routes: Sequence[Planned], marks: Sequence[Mark], folders: Mapping[str, Path]) -> Iterator[str]:
    """Yield which routes have new names although a database of several machines knows them by the old ones."""
    by_folder = {mark.folder: mark.name for mark in marks}
    for route in routes:
        before = by_folder.get(folders[route.name])
        if before and before != route.name:
            yield (
                f"With database_url a route keeps its name, by which all machines find its state: {route.name} was "
                f"{before}. Give the tables their names back."
            )


def places(routes: Sequence[Planned], placing: Placing, data_dir: Path, first_schema: str) -> Mapping[str, RoutePlace]:
    """Return for each route where it stands; the Stash that stands first in the file has its way with a shared item."""
    found: dict[str, RoutePlace] = {}
    folders = placing.folders
    for number, route in enumerate(routes):
        # By whatever address: an elder is asked about the Plex's own identity.
        found[route.name] = RoutePlace(
            route.name,
            route.pair.stash.name,
            route.pair.plex.name,
            data_dir,
            placing.servers[route.name],
            tuple(
                ElderPlace(
                    other.pair.stash.name,
                    folders[other.name],
                    schema_of(other.name, folders[other.name], data_dir, first_schema),
                )
                for other in routes[:number]
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
