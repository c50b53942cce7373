"""The daemon."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from scenesync.app.commands import on_routes
from scenesync.app.routes.supervising import Supervisor, command_for
from scenesync.app.running.daemon import Daemon, SettingsSource, SettingsWatch
from scenesync.app.running.dashboard_switch import DashboardWhenWanted
from scenesync.stash.connection import PluginConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.app.context import AppContext
    from scenesync.app.settings import LoadedSettings

_STDIN: Final = 0
FIRST_RUN: Final = "scenesync.app.setup.first_run"
"""Named, not imported: with its framework it takes as long as everything else together, and is needed once."""


@click.command()
@click.option(
    "--from-stash",
    is_flag=True,
    help="Started by the Stash plugin: its document comes on stdin, and a second daemon ends quietly.",
)
@click.option("--supervised", is_flag=True, hidden=True, help="One of several routes: ends when stdin does.")
@on_routes.option
@click.pass_obj
def run(app: AppContext, *, from_stash: bool, supervised: bool, route_name: str) -> int:
    """Keep Plex in sync until stopped.

    Where nobody has said yet where Plex is, it serves a page to set it up, and prints its address and a code for it;
    `scenesync setup` asks the same in the terminal. With http_enabled = false it ends and says what is missing.

    Works the queue off as it fills, waits while Plex or Stash are down, re-reads scenesync.toml and secret files when
    they change. SIGTERM or SIGINT end it cleanly with status 0: jobs in hand finish or go back. Only one daemon runs
    per data directory; a second one says so and exits 1.

    With several servers it runs a process for each route, and begins one anew that dies; hooks' events go to the queues
    of all routes of their Stash. With --route it is that route alone.
    """
    document = _server_connection(sys.stdin.read()) if from_stash else None
    is_over = threading.Event()
    if supervised:
        document = json.loads(sys.stdin.readline() or "null")
        threading.Thread(target=_wait_for_end_of_stdin, args=(is_over,), name="stdin", daemon=True).start()
    connection = None if document is None else PluginConnection.from_document(document)
    # Under Stash the plugin's page is where things are set up, and nobody would see ours.
    first_run = None if connection is not None else partial(_serve_until_set_up, app)
    source = SettingsSource(replace(app, route=route_name), connection)
    source_of_all = SettingsSource(replace(app, is_for_all=True), connection)
    watch = partial(SettingsWatch, source_of_all)
    routes = Supervisor(watch, command_for(app.overrides), json.dumps(document), from_stash)
    daemon = Daemon(
        source,
        DashboardWhenWanted(),
        quiet_second=from_stash,
        first_run=first_run,
        several=routes.run,
        is_asked_to_end=is_over.is_set,
        is_supervised=supervised,
    )
    return daemon.run()


def _wait_for_end_of_stdin(is_over: threading.Event) -> None:
    """Set ``is_over`` when nobody holds the other end of stdin any more: who began us asks us to end, or is dead.

    Past ``sys.stdin``, whose lock a thread that waits would keep until Python itself ends, which fails for it.
    """
    while os.read(_STDIN, 1024):
        pass
    is_over.set()


def _serve_until_set_up(
    app: AppContext, loaded: LoadedSettings, reload: Callable[[], LoadedSettings | None], stop: threading.Event
) -> LoadedSettings | None:
    found: LoadedSettings | None = importlib.import_module(FIRST_RUN).serve_until_set_up(app, loaded, reload, stop)
    return found


def _server_connection(text: str) -> object:
    """Return the document, whether it stands alone or inside the whole that Stash gave the plugin."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise click.UsageError("--from-stash needs Stash's server_connection as JSON on stdin.") from error
    return document.get("server_connection", document) if isinstance(document, dict) else document
