"""The story that the demo tells, act by act. What it claims is judged afterwards, by ``verdict``."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from scenesync.app.demo.edits import invent_changes

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from scenesync.app.demo.narration import Narrator
    from scenesync.app.demo.stash_page import StashPage
    from scenesync.app.demo.watching import Watcher
    from scenesync.app.demo.worker_process import WorkerProcess
    from scenesync.app.demo.world import DemoWorld

_MOST_IN_A_BULK: Final = 50
_STARTUP_PROBES: Final = 2
_SAVED_AGAIN: Final = 8
# Shares of all scenes, in the order of the story; what is left is saved at the end.
_SHARES: Final = {"calm": 0.4, "outage_bulk": 0.2, "outage": 0.1, "killed_bulk": 0.15, "killed": 0.1}


@dataclass(frozen=True, slots=True)
class Cast:
    """Which scenes are saved when: ids in order."""

    calm: Sequence[int]
    outage_bulk: Sequence[int]
    outage: Sequence[int]
    killed_bulk: Sequence[int]
    killed: Sequence[int]
    rest: Sequence[int]


def cast_of(scene_ids: Sequence[int]) -> Cast:
    """Give every scene its part."""
    parts, start = {}, 0
    for name, share in _SHARES.items():
        end = start + round(share * len(scene_ids))
        parts[name], start = scene_ids[start:end], end
    return Cast(**parts, rest=scene_ids[start:])


@dataclass(slots=True)
class Facts:
    """What was measured on the way; times in seconds."""

    recovery_s: float = 0.0
    """From Plex's first true answer to the first edit."""
    requests_in_startup: dict[str, int] = field(default_factory=dict)
    """By kind: what Plex was asked while it showed its start-up page."""
    in_hand_when_killed: int = 0
    resumed_s: float = 0.0
    """From the start of the second worker to its first edit."""
    found_late_s: float = 0.0
    """From Plex's scan to the scene being done."""
    stop_status: int | None = None
    stop_s: float = 0.0
    status_text: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that happens between the first save and the last. Raises StoryBroken, Interrupted, SaveFailed."""

    world: DemoWorld
    page: StashPage
    workers: Sequence[WorkerProcess]
    """The first one is beside Stash; the demo of one machine has no other."""
    watch: Watcher
    tell: Narrator
    rng: random.Random
    facts: Facts = field(default_factory=Facts)

    @property
    def cast(self) -> Cast:
        """Which scenes are saved when."""
        return cast_of(self.world.sample.scene_ids)

    def perform(self) -> None:
        """Play all acts; the worker runs at the end."""
        cast = self.cast
        self.begin()
        self.calm_hours(cast.calm)
        self.outage(cast.outage_bulk, cast.outage)
        self.sudden_death(cast.killed_bulk, cast.killed)
        self.late_file(cast.rest, [each for each in cast.calm if each not in self.world.special][:_SAVED_AGAIN])

    def begin(self) -> None:
        """Start the worker."""
        self.introduce()
        [worker] = self.workers
        worker.start()
        took_s = self.watch.wait_for("the worker to reach Plex", lambda: self.watch.overview().plex == "up")
        self.tell.say(f"The worker runs (process {worker.pid}) and has read Plex's library after {took_s:.1f} s.")

    def end(self) -> None:
        """Stop every worker by SIGTERM; one that does not end well stands for all."""
        ends = [worker.stop() for worker in self.workers]
        self.facts.stop_status, self.facts.stop_s = next((end for end in ends if end[0] != 0), ends[0])

    def introduce(self) -> None:
        """Say what there is before anything happens."""
        self.tell.heading("SceneSync demo: all on this machine, with invented scenes; none of your settings is used")
        stash_root, plex_root = self.world.sample.path_map
        self.tell.say(
            f"Stash has {len(self.world.sample.scene_ids)} invented scenes below {stash_root}. "
            f"Plex has their files below {plex_root} and shows file names."
        )
        how = "hook.py and scenesync.yml" if self.world.own_hook else "a stand-in for hook.py (not part of a wheel)"
        self.tell.say(f"SceneSync lies in Stash's plugin folder: {how}.")

    def calm_hours(self, scenes: Sequence[int]) -> None:
        """Save one scene after another while everything works."""
        self.tell.heading("A person saves scenes in Stash")
        self._save(scenes)
        hooks = statistics.median(run.duration_s for run in self.world.stash.hook_runs)
        self.tell.say(
            f"{len(scenes)} scenes saved one by one. Each save starts a hook, which takes {hooks * 1000:.0f} ms."
        )
        self.tell.say(self._standing())

    def outage(self, bulk: Sequence[int], alone: Sequence[int]) -> None:
        """Take Plex away, let people save on, and bring Plex back in two steps."""
        plex = self.world.plex
        self.tell.heading("Plex goes down")
        plex.down()
        self.tell.say("Plex refuses connections. The person knows nothing of it and goes on.")
        self.save_all(bulk, alone)
        self.tell.say(f"{len(bulk)} scenes changed by bulk edit, {len(alone)} saved one by one.")
        self.watch.wait_for("the circuit to open", lambda: self.watch.overview().circuit != "closed")
        self.tell.say(f"The worker has noticed and waits; circuit {self.watch.overview().circuit}. {self._standing()}")
        before = len(plex.requests)
        plex.starting_up()
        plex.up()
        self.tell.say("Plex starts: it accepts connections, and answers 503 to everything.")
        self.watch.wait_for(
            "questions during Plex's start-up", lambda: self._refused_since(before)["identity"] >= _STARTUP_PROBES
        )
        healed_at = time.time()
        plex.heal()
        self.facts.requests_in_startup.update(self._refused_since(before))
        self.tell.say("Plex has started and answers.")
        self.facts.recovery_s = self.wait_for_edit("work to go on after the outage", healed_at)
        self.tell.say(f"Noticed by asking /identity: the first edit comes {self.facts.recovery_s:.1f} s later.")

    def sudden_death(self, bulk: Sequence[int], alone: Sequence[int]) -> None:
        """Kill the worker in the middle of its work, save on without one, and start another."""
        self.tell.heading("kill -9")
        [worker] = self.workers
        self.watch.wait_for("jobs in the worker's hands", lambda: self.watch.queue().in_progress > 0)
        worker.kill()
        queue = self.watch.queue()
        self.facts.in_hand_when_killed = queue.in_progress
        self.tell.say(f"The worker is killed with {queue.in_progress} scenes in hand and {queue.pending} waiting.")
        self.save_all(bulk, alone)
        self.tell.say(f"No worker runs, saving works: {len(bulk)} scenes by bulk edit, {len(alone)} one by one.")
        started_at = time.time()
        worker.start()
        self.facts.resumed_s = self.wait_for_edit("the new worker's first edit", started_at)
        self.tell.say(
            f"A new worker (process {worker.pid}) has taken over what the dead one held; "
            f"first edit after {self.facts.resumed_s:.1f} s."
        )

    def late_file(self, rest: Sequence[int], again: Sequence[int]) -> None:
        """Work everything off but the scene whose file Plex does not know; then let Plex scan it."""
        self.tell.heading("The rest, and a file that Plex finds late")
        self._save(rest)
        self._save(again)
        self.tell.say(f"{len(rest)} more scenes saved, and {len(again)} of the first ones once more.")
        self.watch.wait_for("all jobs but one to be done", self._only_late_scene_waits)
        self.tell.say(
            f"All is done but scene {self.world.late_scene}: Plex has not scanned its file, so its job waits."
        )
        self.tell.say(
            f"Scene {self.world.ambiguous_scene} is a dead letter: two files in Plex could be it, and SceneSync "
            "does not guess."
        )
        self.world.plex.scan()
        self.tell.say("Plex scans its folders and finds the missing file.")
        self.facts.found_late_s = self.watch.wait_for("the late scene", self._nothing_waits)
        self.tell.say(f"Scene {self.world.late_scene} is done {self.facts.found_late_s:.1f} s later.")

    def save_all(self, bulk: Sequence[int], alone: Sequence[int]) -> None:
        """Save some scenes by bulk edit, then others one by one."""
        self._save_in_bulk(bulk)
        self._save(alone)

    def _save(self, scenes: Sequence[int]) -> None:
        for scene_id in scenes:
            self.watch.check_stop()
            self.page.save(scene_id, invent_changes(self.world.stash.library, self.rng))

    def _save_in_bulk(self, scenes: Sequence[int]) -> None:
        for start in range(0, len(scenes), _MOST_IN_A_BULK):
            self.watch.check_stop()
            self.page.bulk_save(
                scenes[start : start + _MOST_IN_A_BULK],
                studio_id=self.rng.choice(self.world.sample.studio_ids),
                add_tag_id=self.rng.choice(self.world.sample.tag_ids),
            )

    def wait_for_edit(self, what: str, since: float) -> float:
        """Return how long after ``since`` (epoch seconds) the first edit came."""
        plex = self.world.plex
        self.watch.wait_for(what, lambda: bool(plex.field_writes) and plex.field_writes[-1].at > since)
        return next(write.at for write in plex.field_writes if write.at > since) - since

    def _refused_since(self, place: int) -> Counter[str]:
        """Count by kind what Plex answered with 503, from this place in its record of requests on."""
        requests = self.world.plex.requests[place:]
        return Counter(request.kind for request in requests if request.status == HTTPStatus.SERVICE_UNAVAILABLE)

    def _standing(self) -> str:
        queue = self.watch.queue()
        return f"{queue.completed_total} jobs done, {queue.in_progress} in work, {queue.pending} waiting."

    def _only_late_scene_waits(self) -> bool:
        queue = self.watch.queue()
        return queue.pending == 1 and queue.in_progress == 0 and queue.waiting_by_error == {"PlexNotFound": 1}

    def _nothing_waits(self) -> bool:
        queue = self.watch.queue()
        return queue.pending == 0 and queue.in_progress == 0
