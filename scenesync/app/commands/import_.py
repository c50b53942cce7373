"""Take over from another tool of this kind."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from scenesync.app.clients import stash_client
from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE, FAILED, LEFTOVERS
from scenesync.app.opening import look_into_state, open_queue, open_state
from scenesync.app.wording.counting import counted
from scenesync.intake.foreign_links import Cleaned, remove_links, scenes_with_links
from scenesync.intake.stash2plex import FolderUnusable, OtherTool, read_folder
from scenesync.intake.taking_over import TOOL, Marks, News, fact_of, news, take_over
from scenesync.store.attempts import AttemptStore
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.settings import Settings

SHOWN: Final = 20


@click.group("import")
def import_() -> None:
    """Take over what another tool of this kind left."""


@import_.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option("--dry-run", is_flag=True, help="Show what would be taken over; change nothing.")
@click.option(
    "--clean-urls",
    is_flag=True,
    help="Also take the links that such tools left in scenes' URLs (plex/library/metadata/...) out of Stash.",
)
@options.yes
@options.as_json
@on_routes.one_chosen_route
def stash2plex(app: AppContext, *, folder: Path, dry_run: bool, clean_urls: bool, yes: bool, as_json: bool) -> int:
    """Take over waiting jobs, dead letters and sync times from Stash2Plex's data folder.

    DIR is that folder, or the plugin's own around it; stop the plugin first. Nothing in DIR is changed, and its pickles
    are read without being run: one that holds more than plain values is named and left. Run again, only what came since
    is taken over. Exits 3 when something was left there.
    """
    settings = app.load().settings
    try:
        found = read_folder(folder)
    except FolderUnusable as error:
        click.echo(f"scenesync: {error}", err=True)
        return FAILED
    with ExitStack() as stack:
        links = None
        if clean_urls:
            stash = stack.enter_context(stash_client(settings))
            links = sum(1 for _ in scenes_with_links(stash))
            if links and not dry_run:
                click.echo(f"{counted(links, 'scene')} in Stash with links of such tools.", err=True)
                options.confirm("Take these links off the scenes?", yes=yes)
        new = _planned(settings, found) if dry_run else _taken_over(settings, found)
        cleaned = remove_links(stash) if links and not dry_run else None
    report = Report(found, new, links, cleaned, dry_run=dry_run)
    if as_json:
        print_json(report.as_document())
    else:
        for line in report.lines():
            click.echo(line)
    return LEFTOVERS if found.left_there or (cleaned is not None and cleaned.refused) else DONE


def _planned(settings: Settings, found: OtherTool) -> News:
    before = look_into_state(settings, lambda database: _marks(Memory(database), found), otherwise=Marks())
    return news(found, before)


def _taken_over(settings: Settings, found: OtherTool) -> News:
    with open_queue(settings) as queue, open_state(settings) as database:
        facts = Memory(database)
        new = news(found, _marks(facts, found))
        take_over(found, new, queue, queue.dead_letters, AttemptStore(database), facts)
    return new


def _marks(facts: Memory, found: OtherTool) -> Marks:
    """Return what was taken over before."""
    return Marks.from_text(facts.recall(fact_of(found)))


@dataclass(frozen=True, slots=True)
class Report:
    """What was found and done; ``links`` counts the scenes with links, None if they were not asked for."""

    found: OtherTool
    new: News
    links: int | None
    cleaned: Cleaned | None
    dry_run: bool

    def as_document(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            "folder": str(self.found.folder),
            "dry_run": self.dry_run,
            "jobs": len(self.new.waiting),
            "dead_letters": len(self.new.given_up),
            "sync_times": len(self.new.synced_at),
            "left_there": [{"where": each.where, "reason": each.reason} for each in self.found.left_there],
            "scenes_with_links": self.links,
            "scenes_cleaned": None if self.cleaned is None else self.cleaned.scenes,
        }

    def lines(self) -> Iterator[str]:
        """Return it for people."""
        verb = "Would take over" if self.dry_run else "Taken over"
        yield f"{verb} from {TOOL} in {self.found.folder}:"
        yield f"  {counted(len(self.new.waiting), 'waiting job')}"
        yield f"  {counted(len(self.new.given_up), 'dead letter')}"
        yield f"  {counted(len(self.new.synced_at), 'time of a sync', 'times of syncs')}"
        for each in self.found.left_there[:SHOWN]:
            yield f"Left there: {each.where}: {each.reason}."
        if len(self.found.left_there) > SHOWN:
            yield f"... and {len(self.found.left_there) - SHOWN} more (--json lists all)."
        if self.links is not None and (self.dry_run or not self.links):
            yield f"{counted(self.links, 'scene')} in Stash with links of such tools."
        if self.cleaned is not None:
            yield f"Took links off {counted(self.cleaned.scenes, 'scene')} in Stash; the log names each."
        if self.new.waiting and not self.dry_run:
            yield "`scenesync drain` or a running daemon delivers the jobs."
