"""Make a backup of state and queue, go back to one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scenesync.app.backup.check import server_side
from scenesync.app.backup.keeping import folder_of_route
from scenesync.app.backup.making import back_up
from scenesync.app.backup.restoring import inspect
from scenesync.app.backup.restoring import restore as restore_backup
from scenesync.app.commands import on_routes, options
from scenesync.app.context import print_json
from scenesync.app.exit_codes import DONE
from scenesync.app.wording.times import moment

if TYPE_CHECKING:
    from scenesync.app.context import AppContext


@click.command()
@click.option(
    "--to",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Put it there; nothing is deleted for it. Without: into backup_dir, of which backup_keep are kept.",
)
@options.as_json
@on_routes.each_route
def backup(app: AppContext, *, to: Path | None, as_json: bool) -> int:
    """Back up state store and queue into one file, while the daemon works or not.

    The copies are each of one moment and checked; the file appears under its name (time in UTC, version of the state
    store) only when it is whole and on the disk. It holds no tokens and no scenesync.toml, but titles and paths. The
    daemon makes such backups by itself (backup_interval), as does every SceneSync before it changes the state store of
    an older one. Where database_url is set, pg_dump backs up both; here is then only what hooks left on this machine.
    With several servers there is one for each route, in a folder of its name.
    """
    settings = app.load().settings
    made = back_up(settings, to=to and folder_of_route(settings, to))
    if as_json:
        print_json(made.as_document())
    else:
        click.echo(made.as_line())
    if settings.database_url is not None:
        click.echo(f"Only what waits on this machine is in it: {server_side(settings)}.", err=True)
    return DONE


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@options.yes
@options.as_json
@on_routes.one_chosen_route
def restore(app: AppContext, *, file: Path, yes: bool, as_json: bool) -> int:
    """Go back to a backup. The daemon must not run.

    The state store of the backup takes the place of today's, which is kept beside it. The queue is not replaced, so no
    event that waits now is lost: what waited in the backup, or was given up, is added to it. Whatever happened since
    then is found again, since the next start compares both libraries in full. A file that is no backup, damaged or of
    a newer SceneSync changes nothing.
    """
    settings = app.load().settings
    contents = inspect(file)
    options.confirm(f"Replace the state in {settings.data_dir} by that of {moment(contents.made_at)}?", yes=yes)
    restored = restore_backup(settings, file)
    if as_json:
        print_json(restored.as_document())
    else:
        for line in restored.as_lines():
            click.echo(line)
    return DONE
