"""Whether the daemon is at work, as an exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scenesync.app.commands import on_routes, options
from scenesync.app.context import print_json
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.app.running.health_check import look

if TYPE_CHECKING:
    from scenesync.app.context import AppContext


@click.command()
@options.as_json
@on_routes.each_route
def health(app: AppContext, *, as_json: bool) -> int:
    """Say whether the daemon is at work: exit 0 if it is, else 1.

    It is if its loop turns and queue and state can be read. A Plex or Stash that is down is no reason to restart
    SceneSync, so no server is asked; `status` and `doctor` tell about those. For container health checks and monitors.
    """
    found = look(app.load().settings)
    if as_json:
        print_json(found.as_document())
    else:
        click.echo(f"{'healthy' if found.healthy else 'not healthy'}: {found.finding}")
    return DONE if found.healthy else FAILED
