"""Find what Plex does not show as it should, whatever is the cause, and see to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from scenesync.app.commands import on_routes, options
from scenesync.app.commands.drain import view_for
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE, FAILED, LEFTOVERS
from scenesync.app.reconciling import Demand, reconcile_at_once
from scenesync.app.settings import require_plex
from scenesync.app.wording.findings import MEANING, example, summary
from scenesync.domain.gaps import GapKind
from scenesync.reconciliation.reconciling import Interrupted, Scope

if TYPE_CHECKING:
    from scenesync.app.one_shot import Report
    from scenesync.reconciliation.findings import Findings


@click.command()
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    help="Which scenes to look at: those that Stash changed within this time and those whose items changed in Plex, or "
    "all.  [default: reconcile_scope]",
)
@click.option("--dry-run", is_flag=True, help="Only show what is found; nothing is enqueued.")
@click.option("--no-wait", is_flag=True, help="Only enqueue; the daemon or a later drain does the work.")
@options.wait
@options.as_json
@on_routes.each_route
def reconcile(app: AppContext, *, scope: str | None, dry_run: bool, no_wait: bool, wait_s: float, as_json: bool) -> int:
    """Compare both libraries, enqueue every scene that Plex does not show as it should, and work until nothing is due.

    Always looks at Plex itself, whatever was written before. One that was interrupted is gone on with. Exits 3 when
    there are gaps and --dry-run or --no-wait leaves them, when jobs still wait, or when dead letters are left.
    """
    settings = app.load().settings
    require_plex(settings)
    demand = Demand(Scope(scope or settings.reconcile_scope.value), dry_run=dry_run)
    try:
        found, report = reconcile_at_once(
            settings,
            demand,
            lambda label: view_for(label, as_json=as_json),
            then_work=not no_wait,
            unreachable_for_s=wait_s,
        )
    except Interrupted:
        click.echo("scenesync: Interrupted; the next one of this scope goes on where this one was.", err=True)
        return FAILED
    if as_json:
        work = None if report is None else report.as_document()
        print_json({"scope": demand.scope.value, "dry_run": dry_run, **found.as_document(), "work": work})
    else:
        tell(found, report)
    return exit_code(found, report)


def exit_code(found: Findings, report: Report | None) -> int:
    """Return the exit status of a comparison and, if it was done, of the work after it."""
    if report is not None:
        return report.exit_code
    return LEFTOVERS if found.total else DONE


def tell(found: Findings, report: Report | None) -> None:
    """Print what was found and done."""
    if found.total:
        table = Table("gap", "scenes", "meaning", "examples", box=None)
        for kind in GapKind:
            if found.gaps[kind]:
                examples = "\n".join(example(gap) for gap in found.examples.get(kind, ()))
                table.add_row(kind.value, str(found.gaps[kind]), MEANING[kind], examples)
        Console(highlight=False).print(table)
    for line in summary(found):
        click.echo(line)
    if report is not None:
        click.echo(report.as_line())
