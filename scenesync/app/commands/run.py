"""The daemon."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from scenesync.app.commands import on_routes
from scenesync.app.running.daemon import Daemon, SettingsSource
from scenesync.app.running.dashboard_switch import DashboardWhenWanted
from scenesync.stash.connection import PluginConnection

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from scenesync.app.context import AppContext
    from scenesync.app.settings import LoadedSettings

FIRST_RUN: Final = "scenesync.app.setup.first_run"
"""Named, not imported: with its framework it takes as long as everything else together, and is needed once."""


@click.command()
@click.option(
    "--from-stash",
    is_flag=True,
    help="Started by the Stash plugin: its document comes on stdin, and a second daemon ends quietly.",
)
@on_routes.option
@click.pass_obj
def run(app: AppContext, *, from_stash: bool, route_name: str) -> int:
    """Keep Plex in sync until stopped.

    Where nobody has said yet where Plex is, it serves a page to set it up, and prints its address and a code for it;
    `scenesync setup` asks the same in the terminal. With http_enabled = false it ends and says what is missing.

    Works the queue off as it fills, waits while Plex or Stash are down, re-reads scenesync.toml and secret files when
    they change. SIGTERM or SIGINT end it cleanly with status 0: jobs in hand finish or go back. Only one daemon runs
    per data directory; a second one says so and exits 1. With several servers there is one for each route.
    """
    connection = PluginConnection.from_document(_server_connection(sys.stdin.read())) if from_stash else None
    # Under Stash the plugin's page is where things are set up, and nobody would see ours.
    first_run = None if from_stash else partial(_serve_until_set_up, app)
    source = SettingsSource(replace(app, route=route_name), connection)
    daemon = Daemon(source, DashboardWhenWanted(), quiet_second=from_stash, first_run=first_run)
    return daemon.run()


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
