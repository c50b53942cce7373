"""The database server that several machines share: how its tables stand, and bringing them up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scenesync.app.commands import on_routes, options
from scenesync.app.context import print_json
from scenesync.app.distributed.loading import engines, shared_address
from scenesync.app.exit_codes import DONE, LEFTOVERS
from scenesync.app.settings import SettingsError
from scenesync.app.wording.counting import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.app.context import AppContext
    from scenesync.app.distributed.standing import DatabaseStanding
    from scenesync.app.settings import Settings

NO_DATABASE = (
    "database_url is not set: this installation keeps its state in the data directory, and upgrades it by itself."
)

PROCRASTINATES = "procrastinate "
"""How the names of its steps begin."""


@click.group()
def db() -> None:
    """Look at the tables in the database of database_url, or bring them up to date."""


@db.command()
@options.as_json
@on_routes.each_route
def status(app: AppContext, *, as_json: bool) -> int:
    """Say which version the tables have, and what an upgrade would do. Exits 3 if it would. Changes nothing."""
    return _show(app.load().settings, as_json=as_json)


@db.command()
@click.option("--check", "is_check", is_flag=True, help="Only say what would be done, as `db status` does.")
@options.as_json
@on_routes.each_route
def upgrade(app: AppContext, *, is_check: bool, as_json: bool) -> int:
    """Make the schema and its tables, or bring them up to date: SceneSync's own and Procrastinate's.

    Run it on one machine, before the first that has the new version is started. Machines of the version before go on
    meanwhile and afterwards, unless `db status` says otherwise (works from). It waits for no one else's, is safe to run
    twice or on two machines at once, and each step happens as a whole or not at all.
    """
    settings = app.load().settings
    if is_check:
        return _show(settings, as_json=as_json)
    url, schema = _address(settings)
    ran = engines().upgrade(url, schema)
    if as_json:
        print_json({**engines().standing(url, schema).as_document(), "ran": list(ran)})
        return DONE
    for step in _worded(ran):
        click.echo(f"done: {step}")
    click.echo(f"{counted(len(ran), 'step')} run; {_line(engines().standing(url, schema))}")
    return DONE


def _show(settings: Settings, *, as_json: bool) -> int:
    found = engines().standing(*_address(settings))
    if as_json:
        print_json(found.as_document())
    else:
        click.echo(_line(found))
        for step in _worded([*found.missing_state, *found.missing_queue]):
            click.echo(f"would run: {step}")
    return DONE if found.is_current else LEFTOVERS


def _worded(steps: Sequence[str]) -> Iterator[str]:
    """Yield the steps of ours by name, and how many are Procrastinate's, of which a new database has dozens."""
    theirs = [step for step in steps if step.startswith(PROCRASTINATES)]
    for step in steps:
        if step not in theirs:
            yield step
        elif step == theirs[0]:
            yield f"{counted(len(theirs), 'step')} of Procrastinate's own tables"


def _address(settings: Settings) -> tuple[str, str]:
    if (address := shared_address(settings)) is None:
        raise SettingsError([NO_DATABASE])
    return address


def _line(found: DatabaseStanding) -> str:
    if found.version is None:
        return f"{found.name}, schema {found.schema}: no state store yet; this SceneSync makes version {found.needs}."
    return (
        f"{found.name}, schema {found.schema}: state store version {found.version} (works from {found.works_from}, "
        f"this SceneSync needs {found.needs})."
    )
