"""A command starts without what only others need."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from scenesync.app.cli import COMMANDS, cli

HEAVY = ("scenesync.worker.loop", "scenesync.plex.client", "scenesync.simulators", "PIL")


@pytest.mark.parametrize("arguments", [["--version"], ["status", "--help"], ["queue", "list", "--help"]])
def test_looking_commands_import_neither_worker_nor_clients(arguments: list[str]) -> None:
    script = (
        "import sys; from scenesync.app.cli import run_cli; "
        f"status = run_cli({arguments!r}); print([m for m in {HEAVY!r} if m in sys.modules], status)"
    )

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ended.stdout.splitlines()[-1] == "[] 0"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_where_the_table_says(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    assert command.name == name
