"""Options that several commands have, worded once."""

from __future__ import annotations

import sys
from typing import Final

import click

from scenesync.app.patience import UNREACHABLE_FOR_S

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

yes: Final = click.option("--yes", is_flag=True, help="Do not ask.")

wait: Final = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    metavar="S",
    default=UNREACHABLE_FOR_S,
    show_default=True,
    help="Give up when Plex or Stash cannot be reached for so many seconds.",
)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is deleted, unless ``yes``. Raises UsageError where nobody can answer, Abort on a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Without a terminal this needs --yes.")
    click.confirm(question, abort=True)
