"""Who is told what goes wrong, and whether that works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scenesync.app.commands import on_routes, options
from scenesync.app.context import print_json
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.app.opening import look_into_state
from scenesync.app.settings import SettingsError
from scenesync.app.telling.memo import FACT, Memo
from scenesync.app.telling.ways import try_ways, wanted_of, ways_of
from scenesync.app.wording.counting import counted
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.context import AppContext
    from scenesync.app.settings import Settings
    from scenesync.app.telling.ways import Tried
    from scenesync.notify.ways import Way

NO_WAY = (
    "Nobody is told anything: neither notify_urls (Apprise) nor notify_webhook_url is set; docs/OPERATIONS.md has "
    "examples."
)


@click.command()
@click.option("--test", "is_test", is_flag=True, help="Send a test message by every way and say what became of it.")
@options.as_json
@on_routes.each_route
def notify(app: AppContext, *, is_test: bool, as_json: bool) -> int:
    """Show who is told what goes wrong, and what still waits to be sent; or send a test message.

    The daemon tells: one message when something goes wrong and one when it is over. With --test exits 1 if one did not
    arrive. Addresses are secrets and never shown.
    """
    settings = app.load().settings
    ways = ways_of(settings)
    if is_test:
        if not ways:
            raise SettingsError([NO_WAY])
        return _show_tried(try_ways(ways), as_json=as_json)
    return _show(settings, ways, _memo(settings), as_json=as_json)


def _memo(settings: Settings) -> Memo:
    return look_into_state(settings, lambda database: Memo.from_text(Memory(database).recall(FACT)), otherwise=Memo())


def _show_tried(tried: Sequence[Tried], *, as_json: bool) -> int:
    if as_json:
        print_json({"ways": [each.as_document() for each in tried]})
    else:
        for each in tried:
            click.echo(f"{each.way}: {'sent' if each.arrived else f'NOT SENT, {each.reason}'}")
    return DONE if all(each.arrived for each in tried) else FAILED


def _show(settings: Settings, ways: Sequence[Way], memo: Memo, *, as_json: bool) -> int:
    about = sorted(kind.value for kind in wanted_of(settings).kinds)
    lasting = [
        *(f"outage of {name}" for name in memo.told.outages),
        *(f"refusal by {name}" for name in memo.told.refusals),
    ]
    if as_json:
        document = {
            "ways": [way.name for way in ways],
            "about": about,
            "lasting": lasting,
            "waiting": len(memo.waiting),
        }
        print_json(document)
        return DONE
    if not ways:
        click.echo(NO_WAY)
        return DONE
    click.echo(f"Ways: {', '.join(way.name for way in ways)}")
    click.echo(f"About: {', '.join(about) or 'nothing'}")
    click.echo(f"Told and not over yet: {', '.join(lasting) or 'nothing'}")
    click.echo(f"{counted(len(memo.waiting), 'message')} still to be sent")
    return DONE
