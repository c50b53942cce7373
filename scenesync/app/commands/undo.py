"""Put back what Plex showed before SceneSync's edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console

from scenesync.app.choosing import SCENE_ID
from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE, LEFTOVERS
from scenesync.app.installation import open_installation
from scenesync.app.running.signals import stopping_on_signals
from scenesync.app.undo_run import undo_scenes
from scenesync.app.wording.times import parse_since
from scenesync.app.wording.undo import UndoTotals, undo_document, undo_lines
from scenesync.domain.journal import JournalFilter
from scenesync.store.journal import search_edits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@click.command()
@click.option(
    "--since",
    metavar="TIME",
    callback=parse_since,
    help="Edits made since then: an age (90s, 24h, 7d, 1w) or an ISO time.",
)
@click.option("--run", "run_id", metavar="ID", default="", help="Edits made by this run (`scenesync journal --runs`).")
@click.option(
    "--edit",
    "numbers",
    type=options.ROW,
    multiple=True,
    metavar="NUMBER",
    help="This edit, by its number in `scenesync journal`; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be put back, and what not.")
@click.option("--force", is_flag=True, help="Also over edits that were made since, by a person or a later run.")
@click.argument("scene_ids", type=SCENE_ID, nargs=-1)
@options.as_json
@on_routes.one_chosen_route
def undo(
    app: AppContext,
    *,
    since: datetime | None,
    run_id: str,
    numbers: Sequence[int],
    dry_run: bool,
    force: bool,
    scene_ids: Sequence[int],
    as_json: bool,
) -> int:
    """Put back what Plex showed before SceneSync's edits: texts, lists, locks and selected pictures.

    Choose edits by scene, time, run or number, or by several of them together; each field goes back to what it showed
    before the first chosen edit. What somebody edited in Plex since is left alone, and said. An undone scene is held:
    it is not synced again until its metadata changes in Stash, or you sync it by its id. An undo is a run itself, and
    can be undone. Exits 3 when something was left alone.
    """
    chosen = JournalFilter(tuple(scene_ids), since.timestamp() if since else None, run_id, tuple(numbers))
    if not chosen:
        raise click.UsageError("Say what to undo: scenes by id, --since TIME, --run ID or --edit NUMBER.")
    console = Console(highlight=False, soft_wrap=True)
    totals, documents = UndoTotals(), []
    with open_installation(app.load().settings) as installation, stopping_on_signals() as stop:
        if run_id and not search_edits(installation.database, JournalFilter(run_id=run_id), limit=1):
            raise click.UsageError(f"No edit of a run {run_id} is known; `scenesync journal --runs` lists the runs.")
        if numbers and not search_edits(installation.database, JournalFilter(numbers=chosen.numbers), limit=1):
            raise click.UsageError("The journal has no such edits; `scenesync journal` shows their numbers.")
        for scene, title in undo_scenes(installation, chosen, stop, force=force, dry_run=dry_run):
            totals.count(scene)
            if as_json:
                documents.append(undo_document(scene))
            else:
                for line in undo_lines(scene, title):
                    console.print(line)
        if stop.is_set():
            raise click.Abort
        run = "" if dry_run else installation.run_id
    if as_json:
        print_json({"run": run or None, "dry_run": dry_run, "totals": totals.as_document(), "scenes": documents})
    else:
        click.echo(totals.as_sentence())
        click.echo("Nothing was written: this was a dry run." if dry_run else _how_to_undo(totals, run))
    return DONE if totals.is_complete else LEFTOVERS


def _how_to_undo(totals: UndoTotals, run: str) -> str:
    if not (totals.fields or totals.pictures or totals.locks):
        return "Nothing was written."
    return f"To take this back: scenesync undo --run {run}"
