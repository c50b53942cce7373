"""The daemon."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from scenesync.app.daemon import Daemon, SettingsSource
from scenesync.app.dashboard_switch import DashboardWhenWanted
from scenesync.stash.connection import PluginConnection

if TYPE_CHECKING:
    from scenesync.app.context import AppContext


@click.command()
@click.option(
    "--from-stash",
    is_flag=True,
    help="Started by the Stash plugin: its document comes on stdin, and a second daemon ends quietly.",
)
@click.pass_obj
def run(app: AppContext, *, from_stash: bool) -> int:
    """Keep Plex in sync until stopped.

    Works the queue off as it fills, waits while Plex or Stash are down, re-reads scenesync.toml and secret files when
    they change. SIGTERM or SIGINT end it cleanly with status 0: jobs in hand finish or go back. Only one daemon runs
    per data directory; a second one says so and exits 1.
    """
    connection = PluginConnection.from_document(_server_connection(sys.stdin.read())) if from_stash else None
    return Daemon(SettingsSource(app, connection), DashboardWhenWanted(), quiet_second=from_stash).run()


def _server_connection(text: str) -> object:
    """Return the document, whether it stands alone or inside the whole that Stash gave the plugin."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise click.UsageError("--from-stash needs Stash's server_connection as JSON on stdin.") from error
    return document.get("server_connection", document) if isinstance(document, dict) else document
