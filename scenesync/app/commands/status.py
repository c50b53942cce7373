"""How things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scenesync.app.commands import options
from scenesync.app.context import print_json
from scenesync.app.overview import read_overview
from scenesync.app.wording.overview import overview_lines

if TYPE_CHECKING:
    from scenesync.app.context import AppContext


@click.command()
@options.as_json
@click.pass_obj
def status(app: AppContext, *, as_json: bool) -> int:
    """Show queue, dead letters, circuit breaker, outages, and how dependable both servers were over 30 days.

    Asks no server and changes nothing; without a data directory everything is zero and unknown.
    """
    overview = read_overview(app.load().settings.data_dir)
    if as_json:
        print_json(overview.as_document())
    else:
        for line in overview_lines(overview):
            click.echo(line)
    return 0
