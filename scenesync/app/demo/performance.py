"""One performance from the first curtain to the last: stage, story, verdict; and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scenesync.app.data_directory import queue_folder
from scenesync.app.demo.comparison import Value, shown_by_plex
from scenesync.app.demo.stash_page import SaveFailed, StashPage
from scenesync.app.demo.story import Facts, Story
from scenesync.app.demo.verdict import Check, Ending, judge
from scenesync.app.demo.watching import StoryBroken, Watcher
from scenesync.app.demo.worker_process import WorkerProcess
from scenesync.app.demo.world import DAEMON_LOG, DemoWorld, open_world
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue

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

    @property
    def succeeded(self) -> bool:
        """Whether the story was told to its end and every claim holds."""
        return not self.broken and bool(self.checks) and all(check.holds for check in self.checks)


def perform(
    scenes: int, seed: int, narrator: Narrator, stop: threading.Event, *, keep: Path | None = None
) -> DemoResult:
    """Play the demo with real processes and real HTTP on this machine, and judge it.

    ``keep`` is a folder for everything it makes; without one, all is removed. ``stop`` ends it early.
    Raises Interrupted, OSError.
    """
    with _folder(keep) as folder, open_world(folder, scenes=scenes, seed=seed) as world:
        environment = {**world.settings(), **_surroundings()}
        with (
            WorkerProcess(environment, folder / DAEMON_LOG) as worker,
            contextlib.closing(StashPage(world.stash.url, world.api_key)) as page,
        ):
            watch = Watcher(world.data_dir, worker, narrator, stop, _PATIENCE_S + scenes * _PATIENCE_PER_SCENE_S)
            story = Story(world, page, worker, watch, narrator, random.Random(seed))  # noqa: S311 - invented edits
            chosen = _chosen_scenes(world, story)
            before = {scene_id: _shown(world, scene_id) for scene_id in chosen}
            try:
                story.perform()
            except (StoryBroken, SaveFailed) as error:
                tail = worker.log_tail()
                broken = f"{error}\nThe end of the worker's log:\n{tail}" if tail else str(error)
                return DemoResult(scenes, seed, narrator.events, narrator.elapsed_s, story.facts, broken=broken)
            story.facts.status_text = _command(environment, "status")
            status = watch.overview().as_document()
            story.facts.stop_status, story.facts.stop_s = worker.stop()
            letters = _dead_letters(world.data_dir)
            ending = Ending(world, story.facts, page.saved, watch.queue(), letters, worker.log_text())
            return DemoResult(
                scenes,
                seed,
                narrator.events,
                narrator.elapsed_s,
                story.facts,
                saves=len(page.saved),
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


def _dead_letters(data_dir: Path) -> Sequence[DeadLetter]:
    with contextlib.closing(EmbeddedQueue(queue_folder(data_dir), auto_resume=False)) as queue:
        return DeadLetterStore(queue).list()


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
