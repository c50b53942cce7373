"""Why a scene is, or is not, in sync."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.table import Table

from scenesync.app.choosing import SCENE_ID
from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.explanation import Explanation, explain_scene
from scenesync.app.installation import open_installation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.domain.fields import FieldValue

LONGEST_SHOWN: Final = 60


@click.command()
@click.argument("scene_id", type=SCENE_ID)
@options.as_json
@on_routes.each_route_of_scenes("scene_id")
def explain(app: AppContext, *, scene_id: int, as_json: bool) -> int:
    """Say why a scene is or is not in sync.

    Shows whether a filter leaves it out, the rule that matched, the candidates and why others were refused, what Plex
    would be changed to, the last attempts and the next one. Nothing is written.
    """
    with open_installation(app.load().settings) as installation:
        explanation = explain_scene(installation, scene_id)
    if as_json:
        print_json(explanation.as_document())
        return 0
    for line in _lines(explanation):
        click.echo(line)
    if explanation.changes:
        Console().print(_changes(explanation))
    return 0


def _lines(explanation: Explanation) -> Iterator[str]:
    yield f"Scene {explanation.scene_id}: {explanation.verdict}"
    for path in explanation.paths:
        yield f"  file       {path}"
    if explanation.rule:
        yield f"  match      {explanation.rule}: {', '.join(explanation.rating_keys)}"
    for candidate in explanation.candidates:
        yield f"  candidate  {candidate}"
    for refused in explanation.refused:
        yield f"  refused    {refused}"
    for conflict in explanation.conflicts:
        yield f"  conflict   {conflict}"
    for waiting in explanation.waiting:
        yield f"  waiting    {waiting}"
    for letter in explanation.dead_letters:
        yield f"  dead       {letter}"
    for attempt in explanation.attempts:
        yield f"  attempt    {attempt}"


def _changes(explanation: Explanation) -> Table:
    table = Table("item", "field", "in Plex", "wanted", box=None)
    for key, change in explanation.changes:
        table.add_row(key, change.field.value, _short(change.before), _short(change.after))
    return table


def _short(value: FieldValue) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else ", ".join(value) or "(none)"
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
