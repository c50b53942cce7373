"""Automatic runs that were stopped before they changed too much: look at them, let them go on, or drop them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.data_directory import PLANS_FOLDER
from scenesync.app.exit_codes import DONE, LEFTOVERS
from scenesync.app.opening import look_into_state, open_queue, open_state
from scenesync.app.wording.plan import scene_lines
from scenesync.app.wording.times import moment
from scenesync.reconciliation import plan_file
from scenesync.reconciliation.automatic_run import forget_stopped, let_go_stopped, plan_path
from scenesync.store.automatic_runs import AutomaticRunStore, StoppedRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.settings import Settings


@click.group()
def stopped() -> None:
    """Automatic runs that were stopped because they would have changed too much."""


@stopped.command("list")
@options.as_json
@on_routes.each_route
def list_runs(app: AppContext, *, as_json: bool) -> int:
    """List the runs that wait for a decision. Exits 3 when there are any."""
    found = _stopped(app.load().settings)
    if as_json:
        print_json([run.as_document() for run in found])
    elif found:
        table = Table("run", "since", "caused by", "stopped because", box=None)
        for run in found:
            table.add_row(str(run.id), moment(run.began_at), run.cause, run.reason)
        Console().print(table)
        click.echo("`scenesync stopped show RUN` has the plan; `stopped continue RUN` or `stopped drop RUN` decides.")
    else:
        click.echo("No run was stopped.")
    return LEFTOVERS if found else DONE


@stopped.command()
@click.argument("run_id", metavar="RUN", type=int)
@options.as_json
@on_routes.one_chosen_route
def show(app: AppContext, *, run_id: int, as_json: bool) -> int:
    """Show what a stopped run would change, field by field (as of when it was stopped)."""
    settings = app.load().settings
    run = _one(settings, run_id)
    try:
        _, planned = plan_file.read(plan_path(settings.data_dir / PLANS_FOLDER, run_id))
    except (OSError, plan_file.PlanFileError) as error:
        raise click.ClickException(f"The plan of run {run_id} cannot be read: {error}") from error
    if as_json:
        print_json({**run.as_document(), "scenes": [plan_file.to_document(scene) for scene in planned]})
        return DONE
    console = Console(highlight=False, soft_wrap=True)
    for scene in planned:
        for line in scene_lines(scene):
            console.print(line)
    console.print(f"Run {run.id}, {run.cause}: stopped because {run.reason}.")
    return DONE


@stopped.command("continue")
@click.argument("run_id", metavar="RUN", type=int)
@options.as_json
@on_routes.one_chosen_route
def go_on(app: AppContext, *, run_id: int, as_json: bool) -> int:
    """Let a stopped run go on: its scenes are enqueued, and what then differs is written."""
    settings = app.load().settings
    run = _one(settings, run_id)
    with _writing(settings) as store, open_queue(settings) as queue:
        scenes = store.size(run_id)
        let_go_stopped(store, queue, run_id, settings.data_dir / PLANS_FOLDER)
    if as_json:
        print_json({"run": run.id, "scenes": scenes})
    else:
        click.echo(f"{scenes} scenes enqueued: the daemon or `scenesync drain` does the work.")
    return DONE


@stopped.command()
@click.argument("run_id", metavar="RUN", type=int)
@options.yes
@options.as_json
@on_routes.one_chosen_route
def drop(app: AppContext, *, run_id: int, yes: bool, as_json: bool) -> int:
    """Forget a stopped run: its changes do not reach Plex until their scenes are synced again."""
    settings = app.load().settings
    run = _one(settings, run_id)
    options.confirm(f"Forget run {run.id} ({run.cause})?", yes=yes)
    with _writing(settings) as store:
        is_dropped = forget_stopped(store, run_id, settings.data_dir / PLANS_FOLDER)
    if not is_dropped:
        raise click.ClickException(
            f"Run {run.id} is being gathered again, since {run.cause} came once more; if it is still too much, it will "
            "be stopped again."
        )
    if as_json:
        print_json({"run": run.id, "dropped": True})
    else:
        click.echo(f"Run {run.id} dropped.")
    return DONE


def _stopped(settings: Settings) -> tuple[StoppedRun, ...]:
    return look_into_state(settings, lambda database: AutomaticRunStore(database).stopped(), otherwise=())


def _one(settings: Settings, run_id: int) -> StoppedRun:
    found = next((run for run in _stopped(settings) if run.id == run_id), None)
    if found is None:
        raise click.UsageError(f"No stopped run has the number {run_id}. `scenesync stopped list` shows them.")
    return found


@contextmanager
def _writing(settings: Settings) -> Iterator[AutomaticRunStore]:
    with open_state(settings) as database:
        yield AutomaticRunStore(database)
