"""The console script: the commands, the options that all share, and how an error becomes a message and a status."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from scenesync.app.context import AppContext, await_json, print_failure
from scenesync.app.exit_codes import FAILED
from scenesync.app.failures import FAILURES, say, told
from scenesync.app.lazy_group import LazyGroup
from scenesync.app.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

IN_MODULES_OF_THEIR_NAME: Final = (
    "run",
    "drain",
    "sync",
    "plan",
    "reconcile",
    "status",
    "circuit",
    "queue",
    "dlq",
    "stopped",
    "explain",
    "undo",
    "journal",
    "holds",
    "pin",
    "coverage",
    "setup",
    "doctor",
    "db",
    "migrate",
    "health",
    "backup",
    "notify",
    "demo",
)
COMMANDS: Final = {
    **{name: f"scenesync.app.commands.{name}" for name in IN_MODULES_OF_THEIR_NAME},
    "apply": "scenesync.app.commands.plan",
    "restore": "scenesync.app.commands.backup",
    "unpin": "scenesync.app.commands.pin",
    "import": "scenesync.app.commands.import_",
    "support-bundle": "scenesync.app.commands.support_bundle",
    "stash-task": "scenesync.app.commands.stash_task",
}
"""In which module each command is found."""


@click.group(
    cls=LazyGroup, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(VERSION, prog_name="scenesync")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where queue, index and journal are kept (SCENESYNC_DATA_DIR).",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least important level that is logged.",
)
@click.pass_context
def cli(context: click.Context, data_dir: Path | None, log_level: str | None) -> None:
    """Carry every change from Stash to Plex.

    Settings come from scenesync.toml in the data directory, from SCENESYNC_... variables and from Stash's plugin
    settings; docs/SETTINGS.md lists them. Start with `scenesync setup`, or see it work with `scenesync demo`.

    Exit status: 0 done, 1 failed, 2 wrong usage or settings, 3 done but dead letters or waiting jobs are left.
    """
    overrides = {"data_dir": str(data_dir) if data_dir else None, "log_level": log_level}
    context.obj = AppContext(overrides={key: value for key, value in overrides.items() if value is not None})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    sys.exit(run_cli(arguments))


def run_cli(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    await_json(wanted="--json" in (sys.argv[1:] if arguments is None else arguments))
    try:
        result = cli.main(args=arguments, prog_name="scenesync", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        print_failure(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("Interrupted.")
        print_failure("Interrupted.")
        return FAILED
    except FAILURES as error:
        return told(error)
    return result if isinstance(result, int) else 0
