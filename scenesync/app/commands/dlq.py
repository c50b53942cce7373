"""Dead letters: look at them, give them another try, or drop them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Console
from rich.table import Table

from scenesync.app.choosing import SCENE_ID
from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE, FAILED, LEFTOVERS
from scenesync.app.opening import look_into_queue, open_queue
from scenesync.app.wording.counting import counted
from scenesync.app.wording.times import moment, parse_age
from scenesync.domain.job import subject
from scenesync.queue.dead_letters import LetterFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.queue.dead_letters import DeadLetter
    from scenesync.queue.port import LetterReader

Command = TypeVar("Command", bound="Callable[..., object]")
Answer = TypeVar("Answer")


@click.group()
def dlq() -> None:
    """Look at jobs that were given up, replay or discard them."""


def _filters(command: Command) -> Command:
    """Add the options that choose letters."""
    for option in (
        click.option("--text", help="Only letters whose message or job contains this text."),
        click.option(
            "--older-than", metavar="AGE", callback=parse_age, help="Only letters older than 90s, 2h, 7d, 1w."
        ),
        click.option("--scene", "scene_id", type=SCENE_ID, metavar="ID", help="Only letters of this scene."),
        click.option("--error", help="Only letters with this error class, e.g. PlexNotFound."),
    ):
        command = option(command)
    return command


@dlq.command("list")
@_filters
@click.option("--limit", type=options.HOW_MANY, default=100, show_default=True, help="Show at most this many.")
@options.as_json
@on_routes.each_route
def list_letters(
    app: AppContext,
    *,
    error: str | None,
    scene_id: int | None,
    older_than: float | None,
    text: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """List dead letters, the newest first. Exits 3 when there are any. Changes nothing."""
    which = LetterFilter(error, scene_id, older_than, text)
    letters = _read(app, lambda found: found.list(which, limit=limit))
    if as_json:
        print_json([_document(letter) for letter in letters])
    elif letters:
        Console().print(_table(letters))
    else:
        click.echo("No dead letters.")
    return LEFTOVERS if letters else DONE


@dlq.command("show")
@click.argument("letter_id", type=options.ROW)
@options.as_json
@on_routes.one_chosen_route
def show_letter(app: AppContext, *, letter_id: int, as_json: bool) -> int:
    """Show one dead letter whole, with its attempts, its traceback and what would help."""
    letter = _read(app, lambda found: found.get(letter_id))
    if letter is None:
        click.echo(f"There is no dead letter {letter_id}; `scenesync dlq list` shows them.", err=True)
        return FAILED
    if as_json:
        print_json(_document(letter))
        return DONE
    click.echo(f"Dead letter {letter.id}, {subject(letter.job)}, failed {moment(letter.failed_at)}")
    click.echo(f"{letter.error_type} after {letter.attempts} attempts: {letter.message}")
    if letter.advice:
        click.echo(f"What would help: {letter.advice}")
    for refused in letter.details.get("refused", ()):
        click.echo(f"Refused: {refused['rating_key']} ({refused['path']}): {refused['text']}")
    for attempt in letter.details.get("attempts", ()):
        click.echo(f"Attempt {moment(attempt['at'])}: {attempt['outcome']} {attempt['error']}".rstrip())
    click.echo(f"Job: {letter.job}")
    if letter.traceback:
        click.echo("\n" + letter.traceback.rstrip())
    return DONE


@dlq.command()
@click.argument("letter_ids", type=options.ROW, nargs=-1)
@_filters
@click.option("--all", "every", is_flag=True, help="Every letter.")
@options.as_json
@on_routes.each_route_unless("letter_ids")
def replay(
    app: AppContext,
    *,
    letter_ids: Sequence[int],
    error: str | None,
    scene_id: int | None,
    older_than: float | None,
    text: str | None,
    every: bool,
    as_json: bool,
) -> int:
    """Put jobs back into the queue, as if they had never failed."""
    which = _chosen(letter_ids, LetterFilter(error, scene_id, older_than, text), every=every)
    with open_queue(app.load().settings) as queue:
        count = queue.dead_letters.replay(which)
    _say_count("replayed", count, as_json=as_json)
    return _status_of(letter_ids, count)


@dlq.command()
@click.argument("letter_ids", type=options.ROW, nargs=-1)
@_filters
@click.option("--all", "every", is_flag=True, help="Every letter.")
@options.yes
@options.as_json
@on_routes.each_route_unless("letter_ids")
def discard(
    app: AppContext,
    *,
    letter_ids: Sequence[int],
    error: str | None,
    scene_id: int | None,
    older_than: float | None,
    text: str | None,
    every: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Delete dead letters for good. Several at once need a yes."""
    which = _chosen(letter_ids, LetterFilter(error, scene_id, older_than, text), every=every)
    options.confirm("Delete these dead letters for good?", yes=yes or len(letter_ids) == 1)
    with open_queue(app.load().settings) as queue:
        count = queue.dead_letters.discard(which)
    _say_count("discarded", count, as_json=as_json)
    return _status_of(letter_ids, count)


@dlq.command()
@click.option(
    "--older-than",
    required=True,
    metavar="AGE",
    callback=parse_age,
    help="Letters that failed before then: 90s, 2h, 7d, 1w.",
)
@options.yes
@options.as_json
@on_routes.each_route
def purge(app: AppContext, *, older_than: float, yes: bool, as_json: bool) -> int:
    """Delete old dead letters for good.

    The daemon does that by itself with those older than the setting dead_letter_days.
    """
    settings = app.load().settings
    options.confirm(f"Delete all dead letters from before {moment(older_than)} for good?", yes=yes)
    with open_queue(settings) as queue:
        count = queue.dead_letters.purge(older_than)
    _say_count("purged", count, as_json=as_json)
    return DONE


def _read(app: AppContext, question: Callable[[LetterReader], Answer]) -> Answer:
    return look_into_queue(app.load().settings, lambda queue: question(queue.dead_letters))


def _chosen(letter_ids: Sequence[int], letters: LetterFilter, *, every: bool) -> Sequence[int] | LetterFilter:
    chosen_ways = [bool(letter_ids), letters != LetterFilter(), every]
    if chosen_ways.count(True) != 1:
        raise click.UsageError("Name letters by id, or by filter options, or all of them with --all.")
    return letter_ids or letters


def _status_of(letter_ids: Sequence[int], count: int) -> int:
    return FAILED if count < len(set(letter_ids)) else DONE


def _say_count(verb: str, count: int, *, as_json: bool) -> None:
    if as_json:
        print_json({verb: count})
    else:
        click.echo(f"{counted(count, 'dead letter')} {verb}.")


def _document(letter: DeadLetter) -> dict[str, object]:
    return asdict(letter)


def _table(letters: Sequence[DeadLetter]) -> Table:
    table = Table("id", "scene", "failed", "tries", "error", "message", box=None)
    for letter in letters:
        table.add_row(
            str(letter.id),
            str(letter.job.get("scene_id") or letter.job.get("job_key")),
            moment(letter.failed_at),
            str(letter.attempts),
            letter.error_type,
            letter.message,
        )
    return table
