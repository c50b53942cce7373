"""The queue itself: what waits, and how to empty it."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from scenesync.app.choosing import SCENE_ID
from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE, LEFTOVERS
from scenesync.app.opening import look_into_queue, open_queue
from scenesync.app.wording.counting import counted
from scenesync.app.wording.jobs import every_pending, job_document, lane, pending_of_scene
from scenesync.app.wording.times import moment, parse_age, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.queue.port import QueueView
    from scenesync.queue.records import PendingJob


@click.group()
def queue() -> None:
    """Look at the jobs that wait, or drop them."""


@queue.command("list")
@click.option("--scene", "scene_id", type=SCENE_ID, metavar="ID", help="Only jobs of this scene.")
@click.option("--error", help="Only jobs that wait after this error, e.g. PlexNotFound.")
@click.option("--limit", type=options.HOW_MANY, default=100, show_default=True, help="Show at most this many.")
@options.as_json
@on_routes.each_route
def list_jobs(app: AppContext, *, scene_id: int | None, error: str | None, limit: int, as_json: bool) -> int:
    """List the jobs that wait, the oldest first. Exits 3 when there are any. Changes nothing.

    Events that hooks had to leave beside the queue come last; they have no number yet.
    """

    def matching(waiting: QueueView) -> list[PendingJob]:
        jobs = every_pending(waiting) if scene_id is None else pending_of_scene(waiting, scene_id)
        return list(islice((job for job in jobs if error in {None, job.job.get("last_error_type")}), limit))

    found = look_into_queue(app.load().settings, matching)
    if as_json:
        print_json([job_document(pending) for pending in found])
    elif found:
        Console().print(_table(found))
    else:
        click.echo("No jobs wait.")
    return LEFTOVERS if found else DONE


@queue.command()
@click.option("--scene", "scene_id", type=SCENE_ID, metavar="ID", help="Only the job of this scene.")
@click.option("--older-than", metavar="AGE", callback=parse_age, help="Only jobs older than 90s, 2h, 7d, 1w.")
@click.option("--all", "every", is_flag=True, help="Every job that waits.")
@options.yes
@options.as_json
@on_routes.each_route
def clear(
    app: AppContext, *, scene_id: int | None, older_than: float | None, every: bool, yes: bool, as_json: bool
) -> int:
    """Drop jobs that wait: these changes will not reach Plex by themselves any more.

    Jobs in hand go on, dead letters stay. A later change in Stash or `scenesync sync` brings a scene back.
    """
    if every == (scene_id is not None or older_than is not None):
        raise click.UsageError("Say which jobs: --scene ID, --older-than AGE, or --all.")
    settings = app.load().settings
    options.confirm("Drop these jobs for good?", yes=yes)
    with open_queue(settings) as waiting:
        job_key = None if scene_id is None else f"scene_{scene_id}"
        count = waiting.drop_pending(job_key=job_key, older_than=older_than)
    if as_json:
        print_json({"dropped": count})
    else:
        click.echo(f"{counted(count, 'job')} dropped.")
    return DONE


def _table(found: Sequence[PendingJob]) -> Table:
    table = Table("job", "key", "lane", "waits for", "tries", "due", "last error", box=None)
    now = time.time()
    for pending in found:
        job = pending.job
        table.add_row(
            str(pending.row_id or "-"),
            str(job.get("job_key")),
            lane(pending),
            span(max(0.0, now - pending.enqueued_timestamp)),
            str(job.get("retry_count") or 0),
            "now" if pending.due_at <= now else moment(pending.due_at),
            str(job.get("last_error_type") or ""),
        )
    return table
