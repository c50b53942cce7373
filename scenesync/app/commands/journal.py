"""What SceneSync wrote to Plex, when, and in which run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scenesync.app.choosing import SCENE_ID
from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE
from scenesync.app.opening import look_into_state
from scenesync.app.wording.journal import edit_document, run_document
from scenesync.app.wording.times import moment, parse_since
from scenesync.app.wording.undo import value_change
from scenesync.domain.journal import JournalEntry, JournalFilter, Run
from scenesync.store.journal import search_edits, search_runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


MOST_SHOWN = 50


@click.command()
@click.option(
    "--since",
    metavar="TIME",
    callback=parse_since,
    help="Edits made since then: an age (90s, 24h, 7d, 1w) or an ISO time.",
)
@click.option("--run", "run_id", metavar="ID", default="", help="Edits made by this run.")
@click.option("--runs", is_flag=True, help="List the runs that made them instead, one line each.")
@click.option(
    "--limit", type=options.HOW_MANY, default=MOST_SHOWN, show_default=True, help="At most so many, the latest."
)
@click.argument("scene_ids", type=SCENE_ID, nargs=-1)
@options.as_json
@on_routes.each_route_of_scenes("scene_ids")
def journal(
    app: AppContext,
    *,
    since: datetime | None,
    run_id: str,
    runs: bool,
    limit: int,
    scene_ids: Sequence[int],
    as_json: bool,
) -> int:
    """List the edits made in Plex, newest first: of scenes, since a time, by a run; what each field showed before.

    `scenesync undo` takes the same selectors. Asks no server.
    """
    chosen = JournalFilter(tuple(scene_ids), since.timestamp() if since else None, run_id)
    settings = app.load().settings
    if runs:
        found = look_into_state(settings, lambda database: search_runs(database, chosen, limit=limit), otherwise=())
        return _show_runs(found, as_json=as_json)
    edits = look_into_state(settings, lambda database: search_edits(database, chosen, limit=limit), otherwise=())
    return _show_edits(edits, as_json=as_json)


def _show_edits(entries: Sequence[JournalEntry], *, as_json: bool) -> int:
    if as_json:
        print_json([edit_document(entry) for entry in entries])
        return DONE
    console = Console(highlight=False, soft_wrap=True)
    for run_id, at, scene_id, key, cause in dict.fromkeys(_edit_of(entry) for entry in entries):
        fields = [entry for entry in reversed(entries) if _edit_of(entry) == (run_id, at, scene_id, key, cause)]
        numbers = " ".join(str(entry.number) for entry in fields)
        about = f"{moment(at)}  scene {scene_id}  item {key}  {cause}  run {run_id or '-'}  edit {numbers}"
        console.print(Text(about, style="dim"))
        for entry in fields:
            console.print(value_change(entry.field, entry.before, entry.after))
    if not entries:
        click.echo("No edits.")
    return DONE


def _edit_of(entry: JournalEntry) -> tuple[str, float, int, str, str]:
    return entry.run_id, entry.at, entry.scene_id, entry.rating_key, entry.cause


def _show_runs(runs: Sequence[Run], *, as_json: bool) -> int:
    if as_json:
        print_json([run_document(run) for run in runs])
        return DONE
    table = Table("run", "cause", "first edit", "last edit", "scenes", "fields", box=None)
    for run in runs:
        times = (moment(run.began_at), moment(run.ended_at))
        table.add_row(run.run_id or "-", run.cause, *times, str(run.scenes), str(run.fields))
    Console().print(table)
    return DONE
