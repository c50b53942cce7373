"""Options that several commands have, worded once."""

from __future__ import annotations

from typing import Final

import click

from scenesync.app.one_shot import UNREACHABLE_FOR_S

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

wait: Final = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    metavar="S",
    default=UNREACHABLE_FOR_S,
    show_default=True,
    help="Give up when Plex or Stash cannot be reached for so many seconds.",
)
