"""Choose scenes, enqueue them, work them off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scenesync.app.choosing import force, include_held, require_one, selectors
from scenesync.app.clients import stash_client
from scenesync.app.commands import on_routes, options
from scenesync.app.commands.drain import tell, view_for
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE
from scenesync.app.holding import release_holds
from scenesync.app.one_shot import work_off
from scenesync.app.opening import open_queue, open_state
from scenesync.app.plan_report import show_plan
from scenesync.app.settings import require_plex
from scenesync.intake.polling import enqueue_everything
from scenesync.intake.selection import enqueue_ids, enqueue_since
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scenesync.app.settings import Settings
    from scenesync.queue.records import BulkResult


@click.command()
@selectors
@include_held
@force
@click.option("--no-wait", is_flag=True, help="Only enqueue; the daemon or a later drain does the work.")
@click.option("--dry-run", is_flag=True, help="Only show what would change, like `scenesync plan`.")
@options.wait
@options.as_json
@on_routes.each_route_of_scenes("scene_ids")
def sync(
    app: AppContext,
    *,
    scene_ids: Sequence[int],
    every: bool,
    since: datetime | None,
    include_held: bool,
    force: bool,
    no_wait: bool,
    dry_run: bool,
    wait_s: float,
    as_json: bool,
) -> int:
    """Enqueue scenes (by id, --since, or --all) and work until nothing is due.

    Scenes that are held since they were undone are left alone, unless they are named by id or --include-held is given.
    Exits 3 when jobs still wait or dead letters are left.
    """
    require_one(scene_ids, every=every, since=since, include_held=include_held, force=force)
    settings = app.load().settings
    if dry_run:
        return show_plan(
            settings,
            scene_ids or None,
            since=since,
            include_held=include_held or bool(scene_ids),
            relying=not (force or scene_ids),
            as_json=as_json,
        )
    if not no_wait:
        require_plex(settings)
    if scene_ids or include_held:
        release_holds(settings, scene_ids or None, repairs=True)
    result = enqueue(settings, scene_ids, since=since, look=force)
    if no_wait:
        if as_json:
            print_json({"created": result.created, "merged": result.merged})
        else:
            click.echo(f"{result.created} scenes enqueued, {result.merged} were waiting already.")
        return DONE
    view = view_for("syncing", as_json=as_json)
    return tell(work_off(settings, view, unreachable_for_s=wait_s), as_json=as_json)


def enqueue(settings: Settings, scene_ids: Sequence[int], *, since: datetime | None, look: bool = False) -> BulkResult:
    """Enqueue these scenes, or those changed ``since``, or all; ``look`` as in ``scene_job``.

    Raises QueueError and Stash's errors.
    """
    with open_queue(settings, repairs=True) as queue, stash_client(settings) as stash:
        if scene_ids:
            return enqueue_ids(queue, scene_ids)
        if since is not None:
            return enqueue_since(stash, queue, since, look=look)
        with open_state(settings, repairs=True) as database:
            return enqueue_everything(stash, queue, Memory(database), look=look)
