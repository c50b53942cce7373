"""The main job against simulated servers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from scenesync.app.context import print_json
from scenesync.app.distributed.loading import engines
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.app.running.signals import stopping_on_signals

EXTRA_PACKAGES: Final = frozenset({"graphql", "wsproto", "yaml"})
"""What scenesync[demo] installs beyond what SceneSync itself needs, as it is imported."""
_WIDTH_OF_FILES: Final = 100
_FEWEST, _MOST = 20, 2000


@click.command()
@click.option(
    "--scenes", type=click.IntRange(_FEWEST, _MOST), default=300, show_default=True, help="How many scenes to invent."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed invents the same scenes and edits.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep queue, database and the worker's log in this folder, which must be new or empty.",
)
@click.option("--cluster", is_flag=True, help="Two workers that share a PostgreSQL, which is started for the demo.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end, and nothing else.")
def demo(*, scenes: int, seed: int, keep: Path | None, cluster: bool, as_json: bool) -> int:
    """Show the main job against the built-in simulated Stash and Plex.

    Everything runs on this machine, with real processes and real HTTP, and none of your settings is used: scenes are
    saved in Stash, hooks fire, the worker brings Plex up to date. Plex goes down for a while, the worker is killed, one
    file is found late, and one scene fits two files. At the end every scene is compared with what Plex shows.

    With --cluster two workers share the work, and one of them is killed. That needs PostgreSQL's programs on this
    machine, and the extra packages of scenesync[postgres].

    Exits 1 if anything is not as it should be. Needs the extra packages of scenesync[demo].
    """
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise click.BadParameter(f"{keep} is not empty.", param_hint="'--keep'")
    try:
        # The simulated servers need packages that not everybody has, and take their time to load.
        from scenesync.app.demo import narration, performance, report, watching  # noqa: PLC0415
        from scenesync.simulators.postgres import NoPostgresHere  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_PACKAGES:
            raise
        raise click.ClickException("The demo needs a few more packages: pip install 'scenesync[demo]'") from error
    if cluster:
        engines()  # says what is not installed
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
    with stopping_on_signals() as stop:
        narrator = narration.Narrator(None if as_json else console)
        try:
            result = performance.perform(scenes, seed, narrator, stop, keep=keep, cluster=cluster)
        except NoPostgresHere as missing:
            raise click.ClickException(f"The demo of a cluster starts a PostgreSQL of its own. {missing}") from missing
        except watching.Interrupted as interrupted:
            raise click.Abort from interrupted
    if as_json:
        print_json(report.as_document(result))
    else:
        report.print_result(console, result)
    return DONE if result.succeeded else FAILED
