"""What would change in Plex, and carrying out exactly that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scenesync.app.applying import OtherServer, moved_on_since
from scenesync.app.choosing import force, include_held, require_one, selectors
from scenesync.app.commands import on_routes, options
from scenesync.app.commands.drain import tell, view_for
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.app.holding import release_holds
from scenesync.app.installation import open_installation
from scenesync.app.one_shot import work_off
from scenesync.app.opening import open_queue
from scenesync.app.plan_report import show_plan
from scenesync.app.settings import require_plex
from scenesync.intake.selection import enqueue_ids
from scenesync.reconciliation import plan_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@click.command()
@selectors
@include_held
@force
@click.option(
    "--out",
    "out_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the plan in this file, for `scenesync apply`.",
)
@options.as_json
@on_routes.each_route_of_scenes("scene_ids", unless=("out_file",))
def plan(
    app: AppContext,
    *,
    scene_ids: Sequence[int],
    every: bool,
    since: datetime | None,
    include_held: bool,
    force: bool,
    out_file: Path | None,
    as_json: bool,
) -> int:
    """Show what would change in Plex, field by field; nothing is written there.

    Scenes that are held since they were undone are left out, unless they are named by id: then `sync` ends the hold.
    Exits 0 with or without changes.
    """
    require_one(scene_ids, every=every, since=since, include_held=include_held, force=force)
    return show_plan(
        app.load().settings,
        scene_ids or None,
        since=since,
        include_held=include_held or bool(scene_ids),
        relying=not (force or scene_ids),
        out_file=out_file,
        as_json=as_json,
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Only check whether the plan still holds.")
@options.wait
@options.as_json
@on_routes.one_chosen_route
def apply(app: AppContext, *, file: Path, dry_run: bool, wait_s: float, as_json: bool) -> int:
    """Carry out a plan that `scenesync plan --out FILE` made.

    Refuses, with status 1 and nothing written, if Plex or Stash have moved on since, so that something else would be
    done now than the plan says.
    """
    settings = app.load().settings
    require_plex(settings)
    try:
        header, planned = plan_file.read(file)
    except plan_file.PlanFileError as error:
        raise click.UsageError(str(error)) from error
    try:
        with open_installation(settings) as installation:
            changed = list(moved_on_since(installation, header, planned))
    except OtherServer as error:
        raise click.UsageError(str(error)) from error
    if changed:
        click.echo(
            f"scenesync: {len(changed)} of {len(planned)} scenes have moved on since the plan was made:", err=True
        )
        for scene, difference in changed[:20]:
            click.echo(f"  scene {scene.scene_id} {scene.title}: {difference}", err=True)
        click.echo("Nothing was written. Make a new plan.", err=True)
        return FAILED
    if dry_run:
        if as_json:
            print_json({"scenes": len(planned), "moved_on": 0})
        else:
            click.echo(f"The plan still holds for all of its {len(planned)} scenes.")
        return DONE
    chosen = [scene.scene_id for scene in planned]
    release_holds(settings, chosen, repairs=True)
    with open_queue(settings, repairs=True) as queue:
        enqueue_ids(queue, chosen)
    report = work_off(settings, view_for("applying", as_json=as_json), unreachable_for_s=wait_s)
    return tell(report, as_json=as_json)
