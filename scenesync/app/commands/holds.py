"""The scenes that are left alone since they were undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from scenesync.app.choosing import SCENE_ID
from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE
from scenesync.app.holding import held_scenes, release_holds
from scenesync.app.wording.counting import counted
from scenesync.app.wording.times import moment

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group()
def holds() -> None:
    """Scenes that are left alone since they were undone.

    A hold ends by itself when the scene's metadata changes in Stash (a new cover alone does not count), or when a
    person syncs the scene by its id.
    """


@holds.command("list")
@options.as_json
@on_routes.each_route
def list_holds(app: AppContext, *, as_json: bool) -> int:
    """List the held scenes. Asks no server."""
    found = held_scenes(app.load().settings)
    if as_json:
        print_json([{"scene_id": hold.scene_id, "since": hold.since, "run": hold.run_id} for hold in found])
    elif found:
        table = Table("scene", "held since", "undone by run", box=None)
        for hold in found:
            table.add_row(str(hold.scene_id), moment(hold.since), hold.run_id)
        Console().print(table)
        click.echo("`scenesync sync SCENE_ID` syncs one all the same; `holds release` only ends the hold.")
    else:
        click.echo("No scene is held.")
    return DONE


@holds.command()
@click.option("--all", "every", is_flag=True, help="Every held scene.")
@click.argument("scene_ids", type=SCENE_ID, nargs=-1)
@options.as_json
@on_routes.each_route_of_scenes("scene_ids")
def release(app: AppContext, *, scene_ids: Sequence[int], every: bool, as_json: bool) -> int:
    """Let scenes be synced again: by the next event, poll, reconcile or `sync --all`; nothing is written now."""
    if bool(scene_ids) is every:
        raise click.UsageError("Name scenes by id, or take --all.")
    released = release_holds(app.load().settings, scene_ids or None)
    if as_json:
        print_json({"released": released})
    else:
        click.echo(f"{counted(released, 'hold')} ended.")
    return DONE
