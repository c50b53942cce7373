"""Options that several commands have, worded once."""

from __future__ import annotations

import math
import sys
from typing import Any, Final

import click

from scenesync.app.patience import UNREACHABLE_FOR_S


class Seconds(click.FloatRange):
    """A span of time from 0 on. ``nan`` is refused: compared with it, no time-out is ever over."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own
        """Return it as a number. Raises BadParameter for what is none."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


SECONDS: Final = Seconds(min=0)
HOW_MANY: Final = click.IntRange(1, 1_000_000)
ROW: Final = click.IntRange(1, 2**63 - 1)
"""The number of a row in the queue: no larger than SQLite can hold."""

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

yes: Final = click.option("--yes", is_flag=True, help="Do not ask.")

wait: Final = click.option(
    "--wait",
    "wait_s",
    type=SECONDS,
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
