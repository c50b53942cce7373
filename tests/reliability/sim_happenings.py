"""What can happen to a household: people edit, processes die, servers fail, files move, clocks jump."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from sim_household import Household
from sim_plex import REFUSED, STARTING, UNAUTHORIZED, UP

from scenesync.domain.job import scene_job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sim_process import WorkerProcess
    from sim_stash import StashScene

EVENTS: Final = {
    "save": 30,
    "save_in_spool": 5,
    "save_in_bulk": 4,
    "save_once_read": 6,
    "announce": 6,
    "enqueue_all": 4,
    "crash": 12,
    "restart": 6,
    "second_process": 3,
    "lose_lock": 2,
    "plex_down": 10,
    "stash_down": 6,
    "unauthorized": 2,
    "plex_flaky": 8,
    "plex_ails": 2,
    "ignore_an_edit": 3,
    "appear": 5,
    "move_item": 5,
    "swap_files": 3,
    "rebuild": 2,
    "destroy": 3,
    "jump_clock": 5,
    "replay": 4,
}
"""How often each is drawn; an event is the method of that name with an underscore before it."""


class Happenings(Household):
    """The events, each drawing its details from the plan."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._episodes: Counter[str] = Counter()
        super().__init__(seed, folder)

    # -- what happens: people

    def _some_scene(self) -> StashScene | None:
        scenes = list(self.stash.scenes.values())
        return self.plan.choice(scenes) if scenes else None

    def _change(self, way: str) -> None:
        scene = self._some_scene()
        if scene is None:
            return
        self.stash.save(scene)
        delay_s = self.plan.choice((0.0, 0.02, 0.5, 2.0))
        self._at(delay_s, lambda: self.put(scene, way) if scene.id in self.stash.scenes else None)

    def _save(self) -> None:
        self._change("hook")

    def _save_in_spool(self) -> None:
        self._change("spool")

    def _save_in_bulk(self) -> None:
        self._change("bulk")

    def _save_once_read(self) -> None:
        """A person saves a scene at the very moment at which SceneSync has read it."""

        def save(scene: StashScene) -> None:
            if scene.id in self.stash.scenes:
                self.stash.save(scene)
                self.put(scene, "hook")

        def react(scene_ids: Sequence[int]) -> None:
            scene = self.stash.scenes[self.plan.choice(scene_ids)]
            self._reactions.append(partial(save, scene))

        self.stash.when_read = react

    def _announce(self) -> None:
        scene = self._some_scene()
        if scene is not None:
            self.put(scene, "hook")

    def _enqueue_all(self) -> None:
        self.enqueue_all()

    def _destroy(self) -> None:
        scene = self._some_scene()
        if scene is None or len(self.stash.scenes) < 3:
            return
        self.stash.destroy(scene.id)
        job = scene_job(scene.id, self.kernel.wall(), update_type="destroy")
        self.put_by_person(job)

    def _replay(self) -> None:
        self.replay()

    # -- what happens: processes

    def _crash(self) -> None:
        running = self.running()
        if not running:
            return
        process = self.plan.choice(running)
        process.crash_at = self.plan.choice(("", "", "settling", "settling", "plex", "store", "spool", "spool"))
        process.crash_in = self.plan.choice((0, 3, 10, 30)) + self.plan.randint(0, 12)
        if process.crash_at == "settling":
            process.crash_in = self.plan.randint(0, 6)
        elif process.crash_at == "spool":
            process.crash_in = self.plan.randint(0, 3)
            self._save_in_spool()
        at_last_s = self.plan.uniform(0.2, 3.0) + (3.0 if process.crash_at == "spool" else 0.0)
        self._at(at_last_s, lambda: self._crashed(process))

    def _crashed(self, process: WorkerProcess) -> None:
        if process.is_running:
            self.kernel.note(f"KILL {process.name}")
            self.kernel.kill(process)
        self.promises.look_at_the_queue()
        self._at(self.plan.uniform(0.5, 4.0), self._ensure_process)

    def _ensure_process(self) -> None:
        if not self.running():
            self.start_process()

    def _restart(self) -> None:
        running = self.running()
        if running:
            self.end_process(self.plan.choice(running))
        self._at(self.plan.choice((0.0, 0.5, 3.0)), self._ensure_process)

    def _second_process(self) -> None:
        if len(self.running()) < 2:
            self.start_process()

    def _start_another(self) -> None:
        self.start_process()

    def _lose_lock(self) -> None:
        """The proof of life vanishes under a process that lives; the next opener takes its jobs over."""
        for process in self.running()[:1]:
            if process.queue is not None and process.queue._is_open:
                process.queue.lose_lock()
                self.account.happened["locks lost"] += 1
                self._at(self.plan.uniform(0.0, 1.0), self._start_another)
                self._at(self.plan.uniform(1.0, 6.0), partial(self._stopped, process))

    def _stopped(self, process: WorkerProcess) -> None:
        if process.is_running and not process.stop.is_set():
            self.end_process(process)
        self._ensure_process()

    # -- what happens: servers

    def _episode(self, state: str, lasts_s: float) -> None:
        self._episodes[state] += 1
        self.set_states()
        self.kernel.at(self.kernel.now + lasts_s, lambda: self._over(state))

    def _over(self, state: str) -> None:
        self._episodes[state] = max(0, self._episodes[state] - 1)
        self.set_states()

    def set_states(self) -> None:
        episodes = self._episodes
        state = next((name for name in (REFUSED, STARTING, UNAUTHORIZED) if episodes[name]), UP)
        if state != self.plex.state:
            self.plex.become(state)
            if state == UP:
                self.promises.watch_the_recovery()
        if self.stash.is_up == bool(episodes["stash"]):
            self.stash.is_up = not episodes["stash"]
            self.kernel.note(f"STASH {'up' if self.stash.is_up else 'down'}")

    def _plex_down(self) -> None:
        refused_s = self.plan.choice((0.3, 2.0, 10.0, 40.0))
        self._episode(REFUSED, refused_s)
        self._episode(STARTING, refused_s + self.plan.choice((0.0, 3.0)))

    def _stash_down(self) -> None:
        self._episode("stash", self.plan.choice((0.2, 3.0, 20.0)))

    def _unauthorized(self) -> None:
        self._episode(UNAUTHORIZED, self.plan.choice((0.5, 30.0)))

    def _plex_flaky(self) -> None:
        name = self.plan.choice(("answer_lost", "answer_lost", "not_applied", "busy", "read_fails", "ignored"))
        likely = self.plan.choice((0.2, 0.5, 1.0)) if name != "ignored" else 0.2
        setattr(self.plex.faults, name, likely)
        self.kernel.note(f"plex: {name} {likely}")
        lasts_s = self.plan.choice((1.0, 5.0, 15.0))
        self.kernel.at(self.kernel.now + lasts_s, partial(setattr, self.plex.faults, name, 0.0))

    def _plex_ails(self) -> None:
        """Requests fail for so long that some jobs come to their last retry."""
        name, likely = self.plan.choice((("read_fails", 0.6), ("busy", 0.9), ("not_applied", 0.9)))
        setattr(self.plex.faults, name, likely)
        self.kernel.note(f"plex: {name} {likely} for long")
        self.kernel.longest_idle_jump_s = 20.0
        self._at(self.plan.choice((90.0, 300.0, 1_500.0)), partial(setattr, self.plex.faults, name, 0.0))

    def _ignore_an_edit(self) -> None:
        if self.plex.items:
            self.plex.ignore_next[self.plan.choice(sorted(self.plex.items))] = self.plan.choice((1, 1, 2))

    def _appear(self) -> None:
        if self.late:
            scene = self.late.pop()
            self.plex.add_item(scene.path, size=scene.size)
            self.promises.moved(scene.path)

    def _move_item(self) -> None:
        """An item is dropped, and found again under another key; somebody notices and enqueues its scene."""
        scene = self._some_scene()
        items = [] if scene is None else self.plex.items_of(scene.path)
        # Only where it is the one copy: a second one that comes later than the first is found by reconciliation alone.
        if scene is None or len(items) != 1:
            return
        self.plex.remove_item(items[0])
        self.promises.moved(scene.path)

        def found_again() -> None:
            self.plex.add_item(scene.path, library=items[0].library_key, size=scene.size)
            self.promises.moved(scene.path)

        gone_s = self.plan.choice((0.5, 5.0, 30.0))
        self._at(gone_s, found_again)
        self._at(gone_s + self.plan.uniform(0, 5), lambda: self.put(scene, "bulk"))

    def _swap_files(self, tries: int = 50) -> None:
        """Two items exchange their files: the path index is wrong, and nothing but a look at an item says so.

        Only while no job is in hand: Plex knows no edit on the condition that an item still plays its file.
        """
        scenes = [scene for scene in self.stash.scenes.values() if len(self.plex.items_of(scene.path)) == 1]
        if len(scenes) < 2 or self.account.happened["locks lost"]:
            return
        if self.promises.jobs_in_hand():
            if tries:
                self._at(0.1, lambda: self._swap_files(tries - 1))
            return
        pair = self.plan.sample(scenes, 2)
        self.plex.swap_files(*(self.plex.items_of(scene.path)[0] for scene in pair))
        for scene in pair:
            self.promises.moved(scene.path)
            self._at(self.plan.uniform(0, 2), partial(self.put, scene, "bulk"))

    def _rebuild(self) -> None:
        """Plex goes down and comes back with a new database: the same files, other keys, nothing of what was written.

        The outage outlasts every request that is under way: no edit can be based on the database before it.
        """
        self._episode(REFUSED, 4.0)
        self._at(2.0, self._rebuilt)
        self._at(self.plan.uniform(4.0, 9.0), self.enqueue_all)

    def _rebuilt(self) -> None:
        self.plex.rebuild()
        self.plex.forbidden_keys = {
            item.rating_key
            for item in self.plex.items.values()
            if any(
                item.has_file(f"/media/{folder}/scene-{n}.mp4") for n in self.ambiguous for folder in ("north", "south")
            )
        }
        for scene in self.stash.scenes.values():
            self.promises.moved(scene.path)

    def _jump_clock(self) -> None:
        jump_s = self.plan.choice((-86_400.0, -3_600.0, -400.0, -20.0, 20.0, 400.0, 3_600.0, 86_400.0 * 2))
        self.kernel.wall_offset_s += jump_s
        self.kernel.note(f"the clock jumps by {jump_s:.0f} s")
