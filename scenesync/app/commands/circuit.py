"""The circuit breakers of Plex and Stash: look at them, close them by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from scenesync.app.circuits import circuit_document, circuit_now, close_circuits, closed_document
from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.data_directory import database_file
from scenesync.app.exit_codes import DONE
from scenesync.app.opening import look_into_state, open_state
from scenesync.app.wording.times import moment
from scenesync.domain.circuit import Circuit, CircuitState
from scenesync.worker.availability.health import SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.app.settings import Settings

Command = TypeVar("Command", bound="Callable[..., object]")


@click.group()
def circuit() -> None:
    """Look at the circuit breakers of Plex and Stash, or close them.

    A circuit opens when its server fails several times in a row. While it is open no job is tried, and the server is
    asked about twice a second whether it is back: then the circuit closes by itself.
    """


def _which(command: Command) -> Command:
    return click.argument("services", metavar="[plex|stash]", nargs=-1, type=click.Choice(SERVICES))(command)


@circuit.command()
@_which
@options.as_json
@on_routes.each_route
def show(app: AppContext, *, services: Sequence[str], as_json: bool) -> int:
    """Show the state of both circuits, or of one.

    closed: jobs flow; open: jobs wait; half_open: one request decides. Asks no server and changes nothing.
    """
    known = _read(app.load().settings, services or SERVICES)
    if as_json:
        print_json({service: circuit_document(kept) for service, kept in known.items()})
    else:
        for service, kept in known.items():
            click.echo(f"{service:<7}{_line(kept)}")
    return DONE


@circuit.command()
@_which
@options.as_json
@on_routes.each_route
def reset(app: AppContext, *, services: Sequence[str], as_json: bool) -> int:
    """Close both circuits, or one, and forget the failures counted.

    A running daemon sees it within a second and asks the server at once. If that still fails, jobs wait as before: none
    is lost or spent by a reset.
    """
    settings = app.load().settings
    before = _read(settings, services or SERVICES)
    if settings.database_url is not None or database_file(settings.data_dir).is_file():
        with open_state(settings) as database:
            close_circuits(database, list(before))
    if as_json:
        print_json({service: closed_document(kept) for service, kept in before.items()})
    else:
        for service, kept in before.items():
            click.echo(f"{service:<7}closed (was {kept.state.value})")
    return DONE


def _read(settings: Settings, services: Sequence[str]) -> Mapping[str, Circuit]:
    """Return the circuits as they are now; closed where nothing was noted yet."""
    return look_into_state(
        settings,
        lambda database: {service: circuit_now(database, service) for service in services},
        otherwise=dict.fromkeys(services, Circuit()),
    )


def _line(kept: Circuit) -> str:
    match kept.state:
        case CircuitState.CLOSED:
            return f"closed, {kept.failures} failures in a row" if kept.failures else "closed"
        case CircuitState.OPEN:
            return f"open since {moment(kept.opened_at)}"
        case CircuitState.HALF_OPEN:
            return "half_open, " + ("a probe is under way" if kept.probe else "the next request decides")
