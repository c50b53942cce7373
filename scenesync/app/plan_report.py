"""Make a plan and print it: what ``plan`` does, and every command with ``--dry-run``."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click
from rich.console import Console

from scenesync.app.choosing import chosen_scenes
from scenesync.app.context import print_json
from scenesync.app.exit_codes import DONE
from scenesync.app.installation import open_installation
from scenesync.app.wording.plan import scene_lines, summary
from scenesync.reconciliation import plan_file
from scenesync.reconciliation.planning import PlannedScene, Totals, Verdict, plan_scenes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from scenesync.app.installation import Installation
    from scenesync.app.settings import Settings
    from scenesync.domain.item import ServerIdentity


def show_plan(
    settings: Settings,
    scene_ids: Sequence[int] | None,
    *,
    since: datetime | None,
    include_held: bool = False,
    relying: bool = False,
    out_file: Path | None = None,
    as_json: bool,
) -> int:
    """Make a plan (for ``choosing.chosen_scenes``) and print it, while it is made; return the exit status.

    ``include_held``: a person asked for these scenes, so that holds do not count. With ``relying`` scenes
    are not looked at of which it is known that Plex shows them as wanted.
    """
    if out_file is not None and not out_file.parent.is_dir():
        raise click.UsageError(f"There is no folder {out_file.parent} for the plan.")
    console = Console(highlight=False, soft_wrap=True)
    totals, shown = Totals(), []
    unseen = set(scene_ids or ()) if include_held else set()
    with ExitStack() as stack:
        installation = stack.enter_context(open_installation(settings))
        identity = installation.plex.identity()
        writer = None
        if out_file is not None:
            header = plan_file.PlanHeader(identity.machine_identifier, time.time())
            writer = stack.enter_context(plan_file.writing(out_file, header))
        for planned in plans(installation, identity, scene_ids, since, include_held=include_held, relying=relying):
            totals.count(planned)
            unseen.discard(planned.scene_id)
            if writer is not None:
                writer.add(planned)
            if as_json:
                if planned.verdict is not Verdict.UNCHANGED or planned.items:
                    shown.append(plan_file.to_document(planned))
            else:
                for line in scene_lines(planned):
                    console.print(line)
    if as_json:
        print_json({"totals": totals.as_document(), "scenes": shown})
    else:
        console.print(summary(totals))
    for scene_id in sorted(unseen):
        click.echo(f"scenesync: Stash has no scene {scene_id}.", err=True)
    return DONE


def plans(
    installation: Installation,
    identity: ServerIdentity,
    scene_ids: Sequence[int] | None,
    since: datetime | None,
    *,
    include_held: bool,
    relying: bool = False,
) -> Iterator[PlannedScene]:
    """Yield the plan of each chosen scene. Raises what the requests to Plex and Stash raise."""
    relying_since = time.time() if relying else None
    session = installation.session(identity)
    session.index.refresh()
    scenes = chosen_scenes(installation.stash, scene_ids, since=since)
    return plan_scenes(session.scene_sync, scenes, include_held=include_held, relying_since=relying_since)
