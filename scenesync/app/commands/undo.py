"""Put back what Plex showed before SceneSync's edits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console

from scenesync.app.choosing import SCENE_ID
from scenesync.app.commands import options
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE, LEFTOVERS
from scenesync.app.installation import Installation, open_installation
from scenesync.app.signals import stopping_on_signals
from scenesync.app.times import parse_since
from scenesync.app.undo_view import UndoTotals, undo_document, undo_lines
from scenesync.domain.batches import batched
from scenesync.domain.desired import shown_title
from scenesync.domain.errors import AttemptCut
from scenesync.domain.job import scene_key
from scenesync.domain.journal import JournalFilter
from scenesync.store.journal import search_edits

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from scenesync.worker.undo_work import UndoneScene

SCENES_AT_ONCE: Final = 50
BUSY_FOR_S: Final = 60.0
LOOK_EVERY_S: Final = 0.1


@click.command()
@click.option(
    "--since",
    metavar="TIME",
    callback=parse_since,
    help="Edits made since then: an age (90s, 24h, 7d, 1w) or an ISO time.",
)
@click.option("--run", "run_id", metavar="ID", default="", help="Edits made by this run (`scenesync journal --runs`).")
@click.option("--dry-run", is_flag=True, help="Only show what would be put back, and what not.")
@click.option("--force", is_flag=True, help="Also over edits that were made since, by a person or a later run.")
@click.argument("scene_ids", type=SCENE_ID, nargs=-1)
@options.as_json
@click.pass_obj
def undo(
    app: AppContext,
    *,
    since: datetime | None,
    run_id: str,
    dry_run: bool,
    force: bool,
    scene_ids: Sequence[int],
    as_json: bool,
) -> int:
    """Put back what Plex showed before SceneSync's edits: texts, lists, locks and selected pictures.

    Choose edits by scene, time or run, or by several of them together; each field goes back to what it showed before
    the first chosen edit. What somebody edited in Plex since is left alone, and said. An undone scene is held: it is
    not synced again until its metadata changes in Stash, or you sync it by its id. An undo is a run itself, and can be
    undone. Exits 3 when something was left alone.
    """
    chosen = JournalFilter(tuple(scene_ids), since.timestamp() if since else None, run_id)
    if not chosen:
        raise click.UsageError("Say what to undo: scenes by id, --since TIME or --run ID.")
    console = Console(highlight=False, soft_wrap=True)
    totals, documents = UndoTotals(), []
    with open_installation(app.load().settings) as installation, stopping_on_signals() as stop:
        if run_id and not search_edits(installation.database, JournalFilter(run_id=run_id), limit=1):
            raise click.UsageError(f"No edit of a run {run_id} is known; `scenesync journal --runs` lists the runs.")
        for scene, title in _undone(installation, chosen, stop, force=force, dry_run=dry_run):
            totals.count(scene)
            if as_json:
                documents.append(undo_document(scene))
            else:
                for line in undo_lines(scene, title):
                    console.print(line)
        run = "" if dry_run else installation.run_id
    if as_json:
        print_json({"run": run or None, "dry_run": dry_run, "totals": totals.as_document(), "scenes": documents})
    else:
        click.echo(totals.as_sentence())
        click.echo("Nothing was written: this was a dry run." if dry_run else _how_to_undo(totals, run))
    return DONE if totals.is_complete else LEFTOVERS


def _undone(
    installation: Installation, chosen: JournalFilter, stop: threading.Event, *, force: bool, dry_run: bool
) -> Iterator[tuple[UndoneScene, str]]:
    """Yield each scene with its title, batch by batch as they are done. Raises what Stash and Plex raise."""
    session = installation.session(installation.plex.identity())
    session.index.refresh()
    undoing = session.undoing
    for batch in batched(undoing.scenes(chosen), SCENES_AT_ONCE):
        scenes = installation.stash.scenes(batch)
        if dry_run:
            undone = undoing.plan(batch, scenes, chosen, force=force)
        else:
            undone = undoing.undo(
                batch,
                scenes,
                chosen,
                force=force,
                once_held=lambda ids: _wait_for_work_under_way(installation, ids, stop),
                stop=stop,
            )
        for each in undone:
            yield each, shown_title(scenes[each.scene_id]) if each.scene_id in scenes else ""
        if stop.is_set():
            raise click.Abort


def _wait_for_work_under_way(installation: Installation, scene_ids: Sequence[int], stop: threading.Event) -> None:
    """Wait until a daemon has ended what it had begun for these scenes; what it begins now, it leaves alone.

    Raises AttemptCut after a minute, or when ``stop`` is set; the scenes stay held.
    """
    deadline = time.monotonic() + BUSY_FOR_S
    for scene_id in scene_ids:
        while installation.queue.find(scene_key(scene_id)).running:
            if stop.wait(LOOK_EVERY_S) or time.monotonic() > deadline:
                raise AttemptCut(
                    f"Scene {scene_id} is being synced at this moment. It is held from now on; undo it again later."
                )


def _how_to_undo(totals: UndoTotals, run: str) -> str:
    if not (totals.fields or totals.pictures or totals.locks):
        return "Nothing was written."
    return f"To take this back: scenesync undo --run {run}"
