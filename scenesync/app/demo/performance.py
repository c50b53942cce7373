"""One performance from the first curtain to the last: stage, story, verdict; and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scenesync.app.demo.cluster_story import ClusterStory
from scenesync.app.demo.comparison import Value, shown_by_plex
from scenesync.app.demo.stash_page import SaveFailed, StashPage
from scenesync.app.demo.story import Facts, Story
from scenesync.app.demo.verdict import Check, Ending, judge
from scenesync.app.demo.watching import StoryBroken, Watcher
from scenesync.app.demo.worker_process import WorkerProcess
from scenesync.app.demo.world import DAEMON_LOG, SECOND_DATA, SECOND_LOG, DemoWorld, open_world
from scenesync.app.opening import look_into_queue
from scenesync.simulators.postgres import private_postgres

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

    from scenesync.app.demo.narration import Event, Narrator
    from scenesync.domain.dead_letter import DeadLetter

_PATIENCE_S: Final = 60.0
_PATIENCE_PER_SCENE_S: Final = 0.3
_COMMAND_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Showing:
    """One scene for the table: what Plex showed at first (None: it did not have the file), and what it shows now."""

    scene_id: int
    note: str
    before: Mapping[str, Value] | None
    now: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What a performance came to. ``broken`` says why the story ended early; there is no verdict then."""

    scenes: int
    seed: int
    events: Sequence[Event]
    elapsed_s: float
    facts: Facts
    saves: int = 0
    checks: Sequence[Check] = ()
    showings: Sequence[Showing] = ()
    letters: Sequence[DeadLetter] = ()
    status: Mapping[str, object] = field(default_factory=dict)
    broken: str = ""
    workers: int = 1

    @property
    def succeeded(self) -> bool:
        """Whether the story was told to its end and every claim holds."""
        return not self.broken and bool(self.checks) and all(check.holds for check in self.checks)


def perform(
    scenes: int,
    seed: int,
    narrator: Narrator,
    stop: threading.Event,
    *,
    keep: Path | None = None,
    cluster: bool = False,
) -> DemoResult:
    """Play the demo with real processes and real HTTP on this machine, and judge it.

    ``keep`` is a folder for everything it makes; without one, all is removed. ``stop`` ends it early. A ``cluster`` has
    two workers, and queue and state in a PostgreSQL that is started for it. Raises Interrupted, NoPostgresHere,
    RuntimeError (that PostgreSQL makes no database), OSError.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_folder(keep))
        url = stack.enter_context(private_postgres()).new_database("demo") if cluster else ""
        world = stack.enter_context(open_world(folder, scenes=scenes, seed=seed, database_url=url))
        workers = tuple(stack.enter_context(worker) for worker in _workers(world, folder))
        page = stack.enter_context(contextlib.closing(StashPage(world.stash.url, world.api_key)))
        watch = Watcher(world.places(), workers, narrator, stop, _PATIENCE_S + scenes * _PATIENCE_PER_SCENE_S)
        kind = ClusterStory if cluster else Story
        return _play(kind(world, page, workers, watch, narrator, random.Random(seed)), seed)  # noqa: S311 - invented edits


def _workers(world: DemoWorld, folder: Path) -> Iterator[WorkerProcess]:
    """Return the workers: one beside Stash, and with a database another one that has nothing but that."""
    yield WorkerProcess({**world.settings(), **_surroundings()}, folder / DAEMON_LOG)
    if world.database_url:
        yield WorkerProcess({**world.settings(folder / SECOND_DATA), **_surroundings()}, folder / SECOND_LOG)


def _play(story: Story, seed: int) -> DemoResult:
    world, watch, tell = story.world, story.watch, story.tell
    scenes = len(world.sample.scene_ids)
    chosen = _chosen_scenes(world, story)
    before = {scene_id: _shown(world, scene_id) for scene_id in chosen}
    result = DemoResult(scenes, seed, tell.events, 0.0, story.facts, workers=len(story.workers))
    try:
        story.perform()
    except (StoryBroken, SaveFailed) as error:
        tails = "".join(f"\nThe end of a worker's log:\n{tail}" for each in story.workers if (tail := each.log_tail()))
        return replace(result, elapsed_s=tell.elapsed_s, broken=f"{error}{tails}")
    story.facts.status_text = _command({**world.settings(), **_surroundings()}, "status")
    status = watch.overview().as_document()
    story.end()
    letters = look_into_queue(world.places(), lambda queue: queue.dead_letters.list())
    log = "".join(worker.log_text() for worker in story.workers)
    ending = Ending(world, story.facts, story.page.saved, watch.queue(), letters, log)
    return replace(
        result,
        elapsed_s=tell.elapsed_s,
        saves=len(story.page.saved),
        checks=judge(ending),
        showings=[
            Showing(scene_id, note, before[scene_id], _shown(world, scene_id) or {})
            for scene_id, note in chosen.items()
        ],
        letters=letters,
        status=status,
    )


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Give the folder to work in: ``keep``, or one that is removed afterwards."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="scenesync-demo-") as folder:
        yield Path(folder)


def _surroundings() -> Mapping[str, str]:
    """Return the rest of a child's environment: no variable of the person's own settings may reach it."""
    return {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _command(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command of SceneSync as a person would, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "scenesync", *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_TIMEOUT_S,
        check=False,
    )
    return (done.stdout + done.stderr).rstrip()


def _chosen_scenes(world: DemoWorld, story: Story) -> Mapping[int, str]:
    """Choose a few scenes for the table, each with a word about its fate."""
    cast = story.cast
    return {
        _first_plain(world, cast.calm): "saved while all was well",
        _first_plain(world, cast.outage_bulk): "part of a bulk edit while Plex was down",
        _first_plain(world, cast.killed): "saved while no worker ran",
        world.late_scene: "not scanned by Plex at first",
        world.ambiguous_scene: "fits two files: nothing written",
    }


def _first_plain(world: DemoWorld, scene_ids: Sequence[int]) -> int:
    """Return the first scene with much to show and a title whose width all terminals agree on."""
    for scene_id in scene_ids:
        scene = world.stash.scene(scene_id)
        if scene.title.isascii() and scene.title and scene.performer_ids and scene_id not in world.special:
            return scene_id
    return scene_ids[-1]


def _shown(world: DemoWorld, scene_id: int) -> Mapping[str, Value] | None:
    """Return what Plex shows for a scene's file now, for the ambiguous one at the first of its candidates."""
    try:
        if scene_id == world.ambiguous_scene:
            return shown_by_plex(world.plex.item(world.candidates[0]))
        return shown_by_plex(world.plex.item_by_file(world.plex_file(scene_id)))
    except KeyError:
        return None
