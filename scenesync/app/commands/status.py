"""How things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from scenesync.app.commands import on_routes, options
from scenesync.app.context import print_json
from scenesync.app.overview import read_overview
from scenesync.app.routes.elders import left_to_elders
from scenesync.app.wording.counting import counted
from scenesync.app.wording.overview import overview_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.app.context import AppContext

_SUMMED: Final = ("pending", "due", "in_progress", "dead_letters", "completed_total", "failed_total")
_WORST_LAST: Final = {
    "circuit": ("closed", "half_open", "open"),
    "plex": ("up", "unknown", "down"),
    "stash": ("up", "unknown", "down"),
}


def totals(routes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the figures of all routes together; of states the worst, (if none is known too); of ages the greatest."""
    sums = {key: sum(route[key] for route in routes) for key in _SUMMED}
    states = {
        key: max((route[key] for route in routes), key=order.index, default=order[-1])
        for key, order in _WORST_LAST.items()
    }
    oldest = max((route["oldest_pending_s"] for route in routes), default=0)
    return {**sums, **states, "oldest_pending_s": oldest}


@click.command()
@options.as_json
@on_routes.each_route_in_sum(totals)
def status(app: AppContext, *, as_json: bool) -> int:
    """Show queue, dead letters, circuit breaker, outages, and how dependable both servers were over 30 days.

    Asks no server and changes nothing; without a data directory everything is zero and unknown.
    """
    settings = app.load().settings
    overview, left = read_overview(settings), left_to_elders(settings)
    if as_json:
        print_json({**overview.as_document(), **({} if left is None else {"left_to_other_stash": left})})
    else:
        for line in overview_lines(overview):
            click.echo(line)
        if left:
            click.echo(
                f"shared        {counted(left, 'scene')} left to a Stash that stands earlier: it shows their items"
            )
    return 0
