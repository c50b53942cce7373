"""What a seed draws before anything happens: scenes, files, servers and their ways, and the means to act on them."""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim_kernel import Kernel
from sim_plex import PlexWorld
from sim_process import LONGEST_GOODBYE_S, WorkerProcess, settings_for
from sim_promises import Promises
from sim_retries import RetryAccount
from sim_stash import StashScene, StashWorld

from scenesync.domain.job import Job, scene_job
from scenesync.queue import spool
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sim_promises import Broken

    from scenesync.queue.dead_letters import DeadLetterStore
    from scenesync.queue.embedded import EmbeddedQueue


@dataclass
class Account:
    """What a history came to."""

    seed: int
    jobs: int = 0
    attempts: int = 0
    requests: int = 0
    writes: int = 0
    lost: int = 0
    doubled: int = 0
    points: int = 0
    virtual_s: float = 0.0
    digest: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    broken: list[Broken] = field(default_factory=list)
    trace: list[tuple[float, str, str]] = field(default_factory=list)

    def story(self, lines: int = 80) -> str:
        """Return the findings and the last lines of the history."""
        findings = "\n".join(f"  {finding.promise}: {finding.text}" for finding in self.broken)
        told = "\n".join(f"  {when:10.3f} {who:12} {text}" for when, who, text in self.trace[-lines:])
        return f"seed {self.seed} breaks a promise:\n{findings}\nthe history before that:\n{told}"


class Household:
    """The world of one seed in ``folder``, a data directory with an empty queue and state store."""

    hand: EmbeddedQueue
    letters: DeadLetterStore

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.plan = random.Random(f"{seed} plan")  # noqa: S311
        self.kernel = Kernel(random.Random(f"{seed} turns"), stay=self.plan.choice((0.3, 0.7, 0.95)))  # noqa: S311
        self.account = Account(seed)
        self.processes: list[WorkerProcess] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._entries = itertools.count()
        self._reactions: list[Callable[[], None]] = []
        self.promises = Promises(self)
        self.retries = RetryAccount(self.kernel, self.promises.violate)
        self._furnish()

    # -- the household

    def _furnish(self) -> None:
        plan, kernel = self.plan, self.kernel
        self.plex = PlexWorld(kernel, random.Random(f"{self.seed} plex"), self.promises.violate)  # noqa: S311
        self.plex.may_write = self.promises.require_held
        self.plex.latency_s = plan.choice((0.005, 0.02, 0.02, 0.2))
        self.plex.tags_lag = plan.random() < 0.3
        self.plex.keeps_removed_tags = plan.random() < 0.15
        self.stash = StashWorld(kernel, random.Random(f"{self.seed} stash"))  # noqa: S311
        if plan.random() < 0.5:
            for name in ("answer_lost", "not_applied", "busy", "read_fails"):
                setattr(self.plex.faults, name, plan.choice((0.0, 0.05, 0.2)))
        pictures = plan.random() < 0.4
        self.workers = plan.choice((1, 2, 2, 4))
        self.settings = settings_for(self.folder, workers=self.workers, pictures=pictures)
        self.refresh_s = plan.choice((10.0, 30.0, 300.0))
        self.pictures = pictures
        self.ambiguous: set[int] = set()
        self.late: list[StashScene] = []
        self.never: set[int] = set()
        for scene_id in range(1, plan.randint(3, 8) + 1):
            self._add_scene(scene_id)

    def _add_scene(self, scene_id: int) -> None:
        plan = self.plan
        path = f"/media/films/scene-{scene_id}.mp4"
        scene = self.stash.add(scene_id, with_cover=self.pictures and plan.random() < 0.7, path=path)
        kind = plan.random()
        if kind < 0.15:
            self.late.append(scene)
        elif kind < 0.19:
            self.never.add(scene_id)
        elif kind < 0.25:
            self.ambiguous.add(scene_id)
            scene.path = f"/media/incoming/scene-{scene_id}.mp4"
            for folder in ("north", "south"):
                item = self.plex.add_item(f"/media/{folder}/scene-{scene_id}.mp4", size=scene.size)
                self.plex.forbidden_keys.add(item.rating_key)
        else:
            self.plex.add_item(path, size=scene.size)
            if kind > 0.92:
                self.plex.add_item(path, library="2", size=scene.size)

    # -- time

    def _at(self, after_s: float, action: Callable[[], None], name: str = "") -> None:
        """Plan something for the director, seconds from now."""

        def act() -> None:
            if name:
                self.account.happened[name] += 1
                self.kernel.note(f"-- {name}")
            action()

        heapq.heappush(self._agenda, (self.kernel.now + after_s, next(self._entries), act))

    def sleep(self, seconds: float) -> None:
        """Let time pass, unless a promise breaks."""
        end = self.kernel.now + seconds
        while (left_s := end - self.kernel.now) > 0 and not self.account.broken:
            self.kernel.wait(lambda: bool(self.account.broken or self._reactions), left_s)
            while self._reactions:
                self._reactions.pop(0)()

    def until(self, reached: Callable[[], bool], within_s: float) -> bool:
        """Let time pass until something is so; say whether it is."""
        end = self.kernel.now + within_s
        while not reached():
            if self.kernel.now >= end or self.account.broken:
                return False
            self.sleep(min(0.1 if self.kernel.now < end - within_s + 10 else 2.0, end - self.kernel.now))
        return True

    # -- processes

    def start_process(self) -> WorkerProcess:
        """Start a daemon."""
        process = WorkerProcess(
            f"p{len(self.processes) + 1}",
            self.kernel,
            self.plex,
            self.stash,
            self.settings,
            limits=LoopLimits(workers=self.workers, refresh_index_every_s=self.refresh_s),
            violate=self.promises.violate,
            observe=self.promises.observe,
            holds=self.promises.holds,
            require_letter=self.promises.require_letter,
            retries=self.retries,
        )
        self.processes.append(process)
        return process

    def running(self) -> list[WorkerProcess]:
        """Return the daemons at work."""
        return [process for process in self.processes if process.is_running and not process.stop.is_set()]

    def end_process(self, process: WorkerProcess) -> None:
        """Stop a daemon as a signal does: it ends, or after eight seconds it is left no choice."""
        process.stop.set()
        if not self.until(lambda: not process.is_running, LONGEST_GOODBYE_S):
            self.account.happened["goodbye cut short"] += 1
        if self.plan.random() < 0.7:
            self.kernel.kill(process)
        else:  # as when settings change: the next round begins while threads of the last one may still hang
            self._at(self.plan.uniform(1, 40), lambda: self.kernel.kill(process))
        self.promises.look_after_a_stop(process)

    # -- people

    def job_of(self, scene: StashScene) -> Job:
        return scene_job(scene.id, self.kernel.wall(), data={"path": scene.path, "title": f"take {scene.version}"})

    def put(self, scene: StashScene, way: str) -> None:
        job = self.job_of(scene)
        self.account.jobs += 1
        if way == "spool":
            self.retries.person_comes_later(job["job_key"])
            spool.write_event(str(self.folder / "queue"), json.dumps(job).encode())
        elif way == "bulk":
            self.hand.put_many([job])
        else:
            self.put_by_person(job)
        self.kernel.note(f"enqueued scene {scene.id} by {way}")

    def put_by_person(self, job: Job) -> None:
        """Enqueue a job as the hook does."""
        self.retries.person_came(job["job_key"])
        self.hand.put_job(job)
        self.retries.person_came(job["job_key"])  # also for what began to wait again while this was being put

    def replay(self) -> None:
        """Let the jobs of all dead letters wait again."""
        self.retries.person_replayed()
        self.kernel.note(f"replayed {self.letters.replay()} letters")
        self.retries.person_replayed()

    def enqueue_all(self) -> None:
        """Enqueue every scene once more."""
        scenes = list(self.stash.scenes.values())
        self.hand.put_many([self.job_of(scene) for scene in scenes])
        self.account.jobs += len(scenes)
