"""The selectors that several commands share: scenes by id, changed since, or all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import click

from scenesync.app.wording.times import parse_since
from scenesync.domain.batches import batched
from scenesync.intake.selection import all_scenes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from scenesync.domain.scene import Scene
    from scenesync.stash.client import StashClient

Command = TypeVar("Command", bound="Callable[..., object]")

PAGE_SIZE: Final = 100

_LARGEST_ID: Final = 2**63 - 1
"""The largest that SQLite can hold, here and in Stash."""


class SceneId(click.IntRange):
    """The id of a scene, as a person types it."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return it as a number. Raises BadParameter for what can be none."""
        try:
            number = int(str(value))
        except ValueError:
            number = 0
        if not 1 <= number <= _LARGEST_ID:
            self.fail(f"{value!r} is no id of a scene: a whole number from 1 on.", param, ctx)
        return number


SCENE_ID: Final = SceneId(min=1)


def selectors(command: Command) -> Command:
    """Add the arguments ``scene_ids``, ``every`` and ``since``."""
    for option in (
        click.option(
            "--since",
            metavar="TIME",
            callback=parse_since,
            help="Scenes changed in Stash since then: an age (90s, 24h, 7d, 1w) or an ISO time.",
        ),
        click.option("--all", "every", is_flag=True, help="Every scene that Stash has."),
        click.argument("scene_ids", type=SCENE_ID, nargs=-1),
    ):
        command = option(command)
    return command


include_held: Final = click.option(
    "--include-held", is_flag=True, help="With --all: also the scenes that are held since they were undone."
)


force: Final = click.option(
    "--force",
    is_flag=True,
    help="With --all or --since: look at every scene in Plex, also where nothing is known to have changed since the "
    "last look. Scenes named by id are always looked at.",
)


def require_one(
    scene_ids: Sequence[int],
    *,
    every: bool,
    since: datetime | None,
    include_held: bool = False,
    force: bool = False,
) -> None:
    """Raise UsageError unless scenes were chosen in exactly one way, and what else was said goes with it."""
    if [bool(scene_ids), every, since is not None].count(True) != 1:
        raise click.UsageError("Name scenes by id, or choose them with --since TIME, or take --all.")
    if force and scene_ids:
        raise click.UsageError("--force goes with --all or --since; a scene named by its id is always looked at.")
    if include_held and not every:
        raise click.UsageError("--include-held goes with --all; a scene that is named by its id is synced in any case.")


def chosen_scenes(stash: StashClient, scene_ids: Sequence[int] | None, *, since: datetime | None) -> Iterator[Scene]:
    """Yield the scenes with these ids, else those changed ``since``, else all, in full, page by page.

    Those that Stash does not have are left out.
    """
    for page in batched(_ids(stash, scene_ids, since), PAGE_SIZE):
        scenes = stash.scenes(page)
        yield from (scenes[scene_id] for scene_id in page if scene_id in scenes)


def _ids(stash: StashClient, scene_ids: Sequence[int] | None, since: datetime | None) -> Iterable[int]:
    if scene_ids is not None:
        return dict.fromkeys(scene_ids)
    if since is not None:
        return (scene.id for scene in stash.scenes_updated_since(since, overlap_s=0))
    return (scene.id for scene in all_scenes(stash))
