"""What the commands do where there are several Stash or Plex servers: once for each route, or for the one chosen.

The decorators take the place of ``click.pass_obj``. With one Stash and one Plex they change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final

import click

from scenesync.app.context import AppContext, collecting_json, print_json
from scenesync.app.exit_codes import DONE, FAILED, LEFTOVERS, USAGE
from scenesync.app.failures import FAILURES, told
from scenesync.app.routes.outboxes import deliver_once
from scenesync.app.routes.selection import have_one_stash, matching_routes, one_route
from scenesync.app.running.signals import signals_noted

if TYPE_CHECKING:
    from scenesync.app.settings import LoadedSettings, Route

Command = Callable[..., int]
Overall = Callable[[Sequence[Mapping[str, Any]]], Mapping[str, Any]]
_WORST_FIRST: Final = (USAGE, FAILED, LEFTOVERS, DONE)

option: Final = click.option(
    "--route",
    "route_name",
    metavar="NAME",
    default="",
    help="With several servers: only this route, or those of the Stash or Plex of this name.",
)


def each_route(command: Command) -> Command:
    """Run the command for every route, or for those of ``--route``."""
    return _routed(command, lambda _given: False)


def one_chosen_route(command: Command) -> Command:
    """Run the command for one route, which has to be chosen where there are several."""
    return _routed(command, lambda _given: True)


def each_route_once_delivered(command: Command) -> Command:
    """Run the command for every route, once what hooks left in outboxes has reached the queues of all of them."""
    return _routed(command, lambda _given: False, first=deliver_once)


def each_route_unless(*names: str) -> Callable[[Command], Command]:
    """Run the command for every route, but for one chosen if one of these parameters is given: it means one route."""
    return lambda command: _routed(command, lambda given: any(given[name] for name in names))


def each_route_of_scenes(scenes: str, *, unless: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Run the command for every route, if the scenes that this parameter names are all of one Stash."""
    return lambda command: _routed(command, lambda given: any(given[name] for name in unless), scenes=scenes)


def each_route_in_sum(overall: Overall) -> Callable[[Command], Command]:
    """Run the command for every route; ``overall`` makes what stands above the routes in the JSON document."""
    return lambda command: _routed(command, lambda _given: False, overall=overall)


def _routed(
    command: Command,
    wants_one: Callable[[Mapping[str, Any]], bool],
    *,
    scenes: str = "",
    overall: Overall = lambda _documents: {},
    first: Callable[[LoadedSettings], object] = lambda _loaded: None,
) -> Command:
    def over_routes(*, route_name: str, **given: Any) -> int:  # noqa: ANN401 - the command's own
        app = click.get_current_context().ensure_object(AppContext)
        loaded = app.load()
        first(loaded)
        if not loaded.routes:
            matching_routes((), route_name)
            return command(AppContext(app.overrides, loaded), **given)
        if wants_one(given):
            chosen: Sequence[Route] = [one_route(loaded.routes, route_name)]
        else:
            chosen = matching_routes(loaded.routes, route_name)
        if scenes and given[scenes] and not have_one_stash(chosen):
            chosen = [one_route(chosen, "")]
        return _run(command, app, loaded, chosen, given, overall)

    return option(update_wrapper(over_routes, command))


def _run(
    command: Command,
    app: AppContext,
    loaded: LoadedSettings,
    routes: Sequence[Route],
    given: Mapping[str, Any],
    overall: Overall,
) -> int:
    as_json = bool(given.get("as_json"))
    is_alone, signals_before = len(routes) == 1, signals_noted()
    statuses: list[int] = []
    documents: list[Mapping[str, Any]] = []
    for number, route in enumerate(routes):
        if not as_json and not is_alone:
            click.echo(f"{'' if number == 0 else chr(10)}== {route.name} ==")
        one = AppContext(app.overrides, loaded.of_route(route))
        with collecting_json() as found:
            statuses.append(command(one, **given) if is_alone else _status(command, one, given))
        documents += [_tagged(route.name, document) for document in found]
        if signals_noted() > signals_before:
            break
    if as_json and is_alone:
        for document in documents:
            print_json(document)
    elif as_json:
        whole = [document for document in documents if "error" not in document]
        print_json({**(overall(whole) if whole else {}), "routes": documents})
    return min(statuses, key=_WORST_FIRST.index)


def _status(command: Command, app: AppContext, given: Mapping[str, Any]) -> int:
    """Run the command for one route of several: what stops it there keeps no other from its turn."""
    try:
        return command(app, **given)
    except FAILURES as error:
        return told(error)


def _tagged(route: str, document: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON
    if isinstance(document, Mapping):
        return {"route": route, **document}
    return {"route": route, "entries": document}
