"""What the Stash plugin's tasks run; speaks Stash's plugin protocol on its pipes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from scenesync.app.plugin.tasks import run_task

if TYPE_CHECKING:
    from scenesync.app.context import AppContext


@click.command("stash-task", hidden=True)
@click.pass_obj
def stash_task(app: AppContext) -> int:
    """Run one task for Stash, whose document comes on stdin."""
    try:
        document = json.load(sys.stdin)
    except ValueError as error:
        raise click.UsageError("stash-task is started by Stash and needs its JSON document on stdin.") from error
    return run_task(app, document, sys.stdout.buffer, sys.stderr.buffer)
