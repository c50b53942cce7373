"""Move an installation into a database server that several machines share, or back into its data directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from scenesync.app.commands import on_routes, options
from scenesync.app.configuration.addresses import database_address
from scenesync.app.configuration.values import Refused
from scenesync.app.context import print_json
from scenesync.app.distributed.loading import engines
from scenesync.app.exit_codes import DONE
from scenesync.app.settings import SettingsError

if TYPE_CHECKING:
    from scenesync.app.context import AppContext
    from scenesync.app.distributed.moved import Moved
    from scenesync.app.settings import Settings

EMBEDDED: Final = "embedded"
FROM_STDIN: Final = "-"
NO_SOURCE: Final = "database_url is not set, so there is no database to move back from."
THEN_DATABASE: Final = (
    "Now set database_url to this address for every machine (scenesync.toml, SCENESYNC_DATABASE_URL, or better "
    "SCENESYNC_DATABASE_URL_FILE), and start the daemon. The state store in the data directory stays as it is; it is "
    "not read any more."
)
THEN_EMBEDDED: Final = (
    "Now take database_url out of the settings and start the daemon, on this machine alone. The database stays as it "
    "is; it is not read any more."
)


@click.command()
@click.option(
    "--to",
    "target",
    required=True,
    metavar="ADDRESS",
    help="postgresql://user@host:5432/name, or `embedded` for back into the data directory. `-` asks for the address "
    "(or reads a line), which keeps a password out of the list of processes.",
)
@click.option("--replace", is_flag=True, help="Delete what the database holds of SceneSync before.")
@options.yes
@options.as_json
@on_routes.each_route
def migrate(app: AppContext, *, target: str, replace: bool, yes: bool, as_json: bool) -> int:
    """Move state and queue into a PostgreSQL database, or back. Nobody may work on either side meanwhile.

    Everything goes: what waits, with its lane, due time and tries, dead letters, totals, and every table of the state
    store. What was written is read again and compared, table by table, by count and checksum, in the one transaction
    that writes it; so it is all there or nothing is. Run again, it finds that and changes nothing.
    """
    settings = app.load().settings
    if target == EMBEDDED:
        if settings.database_url is None:
            raise SettingsError([NO_SOURCE])
        options.confirm(f"Replace the state in {settings.data_dir} by that of the database?", yes=yes)
        moved = engines().move_into_directory(settings, settings.database_url.get_secret_value())
    else:
        if replace:
            options.confirm("Delete what the database holds of SceneSync?", yes=yes)
        moved = engines().move_into_database(settings, _address(target), replace=replace)
    return _tell(moved, settings, back=target == EMBEDDED, as_json=as_json)


def _address(target: str) -> str:
    address = click.prompt("Address of the database", hide_input=True, err=True) if target == FROM_STDIN else target
    try:
        return _checked(address.strip())
    except Refused as error:
        raise click.UsageError(f"The address of the database: {error}.") from None


def _checked(address: str) -> str:
    database_address(SecretStr(address))
    return address


def _tell(moved: Moved, settings: Settings, *, back: bool, as_json: bool) -> int:
    if as_json:
        print_json({**moved.as_document(), "schema": settings.database_schema})
        return DONE
    table = Table("table", "rows", "checksum", box=None)
    for each in moved.tables:
        table.add_row(each.name, str(each.rows), each.checksum)
    Console().print(table)
    rows = sum(each.rows for each in moved.tables)
    if moved.changed:
        click.echo(f"{rows} rows moved to {moved.target} in {moved.seconds:.1f} s; both sides are the same.")
    else:
        click.echo(f"{moved.target} has all {rows} rows already; nothing was changed.")
    if moved.kept is not None:
        click.echo(f"The former state store is {moved.kept}.")
    click.echo(THEN_EMBEDDED if back else THEN_DATABASE)
    return DONE
