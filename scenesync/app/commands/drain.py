"""Work until nothing is due."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click
from rich.console import Console

from scenesync.app.commands import options
from scenesync.app.context import AppContext, print_json
from scenesync.app.one_shot import Report, work_off
from scenesync.app.progress import BarView, LineView

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from scenesync.app.progress import ProgressView


@click.command()
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), metavar="S", help="Stop after so many seconds.")
@options.wait
@options.as_json
@click.pass_obj
def drain(app: AppContext, *, timeout_s: float | None, wait_s: float, as_json: bool) -> int:
    """Work until nothing is due, then exit.

    While a daemon runs, its progress is shown instead. Exits 3 when jobs still wait (not found, in backoff, time-out
    reached) or dead letters are left.
    """
    settings = app.load().settings
    report = work_off(settings, view_for("syncing", as_json=as_json), timeout_s=timeout_s, unreachable_for_s=wait_s)
    return tell(report, as_json=as_json)


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
