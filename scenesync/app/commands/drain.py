"""Work until nothing is due."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click
from rich.console import Console

from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.one_shot import Report, work_off
from scenesync.app.opening import look_into_queue
from scenesync.app.plan_report import show_plan
from scenesync.app.wording.jobs import every_pending
from scenesync.app.wording.progress import BarView, LineView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from scenesync.app.settings import Settings
    from scenesync.app.wording.progress import ProgressView
    from scenesync.queue.port import QueueView


@click.command()
@click.option("--timeout", "timeout_s", type=options.SECONDS, metavar="S", help="Stop after so many seconds.")
@click.option("--dry-run", is_flag=True, help="Only show what the jobs that wait would change in Plex.")
@options.wait
@options.as_json
@on_routes.each_route_once_delivered
def drain(app: AppContext, *, timeout_s: float | None, dry_run: bool, wait_s: float, as_json: bool) -> int:
    """Work until nothing is due, then exit.

    While a daemon runs, its progress is shown instead. Exits 3 when jobs still wait (not found, in backoff, time-out
    reached) or dead letters are left.
    """
    settings = app.load().settings
    if dry_run:
        return show_plan(settings, waiting_scenes(settings), since=None, as_json=as_json)
    report = work_off(settings, view_for("syncing", as_json=as_json), timeout_s=timeout_s, unreachable_for_s=wait_s)
    return tell(report, as_json=as_json)


def waiting_scenes(settings: Settings) -> Sequence[int]:
    """Return the scenes for which jobs wait, due or not. Raises QueueError."""

    def scenes(queue: QueueView) -> Sequence[int]:
        scene_ids = (pending.job.get("scene_id") for pending in every_pending(queue))
        return list(dict.fromkeys(scene_id for scene_id in scene_ids if isinstance(scene_id, int) and scene_id > 0))

    return look_into_queue(settings, scenes)


def view_for(label: str, *, as_json: bool) -> AbstractContextManager[ProgressView]:
    """Return a bar on a terminal, plain lines elsewhere; stdout stays free for the result."""
    console = Console(stderr=True)
    return BarView(console, label) if console.is_terminal and not as_json else nullcontext(LineView())


def tell(report: Report, *, as_json: bool) -> int:
    """Print the report and return the exit status."""
    if as_json:
        print_json(report.as_document())
    else:
        click.echo(report.as_line())
    return report.exit_code
