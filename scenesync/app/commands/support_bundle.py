"""Put together what helps to help."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scenesync.app.commands import on_routes, options
from scenesync.app.context import print_json
from scenesync.app.doctor.checks import run_checks
from scenesync.app.exit_codes import DONE
from scenesync.app.support.bundle import support_bundle as make_bundle
from scenesync.disk.drafts import drafted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.context import AppContext
    from scenesync.app.settings import LoadedSettings


@click.command("support-bundle")
@click.option(
    "--to",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it there. Without: scenesync-support-TIME.zip in the current folder.",
)
@click.option("--with-names", is_flag=True, help="Keep titles, names, files and hosts.")
@click.option("--offline", is_flag=True, help="Ask no server: leave the doctor's findings out.")
@options.as_json
@on_routes.one_chosen_route
def support_bundle(app: AppContext, *, to: Path | None, with_names: bool, offline: bool, as_json: bool) -> int:
    """Put together what helps to help: versions, settings, status, the doctor's findings, the latest events and errors.

    No token, key, password or cookie is in it. Titles, names, files, folders and hosts get pseudonyms, the same one
    each time, unless --with-names keeps them. It is a zip of readable text: look through it before you send it.
    Nothing is sent anywhere.
    """
    loaded = app.load()
    made = make_bundle(loaded, with_names=with_names, checks=lambda: [] if offline else _findings(loaded))
    path = to or Path(f"scenesync-support-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(time.time()))}.zip")
    _write(path, made)
    if as_json:
        print_json({"file": str(path.absolute()), "size_bytes": len(made), "with_names": with_names})
    else:
        click.echo(f"Written to {path} ({len(made) / 1024:.0f} KiB). Look through it before you send it.")
    return DONE


def _findings(loaded: LoadedSettings) -> Sequence[dict[str, object]]:
    return [check.as_document() for check in run_checks(loaded)]


def _write(path: Path, data: bytes) -> None:
    """Write a new file for its owner alone; an older one of that name is replaced."""
    with drafted(path) as draft:
        draft.write_bytes(data)
