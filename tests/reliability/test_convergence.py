"""Whatever both libraries were like and whatever went wrong: once it ends, Plex shows what Stash says, soon.

The daemon is a real process between two real servers; the history of faults and changes follows from the seed.
"""

from __future__ import annotations

import copy
import random
import shutil
import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final

import pytest

from scenesync.simulators.sample_world import build_world, random_edit
from tests.e2e.live_world import PLEX_ROOT, STASH_ROOT, Daemon, LiveWorld, eventually
from tests.e2e.shown_fields import all_differences

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proofs import Bounds, Figures

    from scenesync.simulators.plex.model import PlexItem
    from scenesync.simulators.stash.records import Scene

pytestmark = pytest.mark.reliability

SCENES: Final = 24
HAPPENINGS: Final = 24
WITHIN_S: Final = 90.0
SETTINGS: Final = {
    "poll_interval": "1",
    "recovery_ramp": "1",
    "connect_timeout": "1",
    "read_timeout": "2",
    "max_change_percent": "100",  # everything may change at once here, on purpose
    "max_change_items": "100000",
    "max_cleared_fields": "100000",
}


class History:
    """Two libraries that begin in any state, and what happens to them and to the daemon between them."""

    def __init__(self, world: LiveWorld, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)  # noqa: S311 - invented happenings
        self.told: list[str] = []
        self._daemon: Daemon | None = None
        self._not_scanned: list[str] = []
        self._begin(seed)
        self._plex_backup = self._items()
        self._stash_backup: dict[int, Scene] = dict(world.stash.library.scenes)

    def _begin(self, seed: int) -> None:
        world, chance = self.world, self.chance
        there = build_world(world.stash, world.plex, SCENES, seed=seed, stash_root=STASH_ROOT, plex_root=PLEX_ROOT)
        for scene_id, rating_key in there.rating_key_of.items():
            fate = chance.random()
            if fate < 0.2:
                world.plex.remove_item(rating_key)
                self._not_scanned.append(world.stash.scene(scene_id).path)
            elif fate < 0.5:
                self._write_over(world.plex.item(rating_key))

    # -- the happenings, one method each

    def save(self) -> None:
        """A person saves a scene, and its hook runs."""
        random_edit(self.world.stash, self._scene(), self.chance)

    def change_unseen(self) -> None:
        """Another program changes a scene; no hook tells."""
        scene = self.world.stash.scene(self._scene())
        self.world.stash.library.put_scene(replace(scene, title=f"Quiet harbour {self.chance.randrange(10**6)}"))

    def rename_performer(self) -> None:
        performer = self.chance.choice(sorted(self.world.stash.library.performers))
        self.world.stash.save_performer(performer, name=f"Ada Lindqvist {self.chance.randrange(10**6)}")

    def destroy(self) -> None:
        if len(self.world.stash.library.scenes) > SCENES // 2:
            self.world.stash.destroy(self._scene())

    def scan(self) -> None:
        """Plex finds a file that it did not have."""
        if self._not_scanned:
            path = self._not_scanned.pop(self.chance.randrange(len(self._not_scanned)))
            self._add_item(path)

    def new_scene(self) -> None:
        number = self.chance.randrange(10**9)
        path = f"{STASH_ROOT}/Travel/evening tram {number}.mp4"
        self.world.stash.add_scene(
            title=f"Evening tram {number}", path=path, size_bytes=10**6 + number, duration_s=60.0
        )
        self._not_scanned.append(path)

    def person_edits_plex(self) -> None:
        self._write_over(self.chance.choice(self.world.plex.items()))

    def plex_backup(self) -> None:
        self._plex_backup = self._items()

    def plex_restored(self) -> None:
        for item in self.world.plex.items():
            if (then := self._plex_backup.get(item.rating_key)) is not None:
                for each in fields(then):
                    if each.name not in {"media", "rating_key", "library"}:
                        setattr(item, each.name, copy.deepcopy(getattr(then, each.name)))

    def stash_restored(self) -> None:
        for scene_id, then in self._stash_backup.items():
            if scene_id in self.world.stash.library.scenes:
                now = self.world.stash.scene(scene_id)
                old = replace(then, performer_ids=now.performer_ids, studio_id=now.studio_id, tag_ids=now.tag_ids)
                self.world.stash.library.put_scene(old, bump=False)

    def plex_down(self) -> None:
        self.world.plex.down()

    def plex_starting(self) -> None:
        self.world.plex.up()
        self.world.plex.starting_up()

    def plex_up(self) -> None:
        self.world.plex.up()
        self.world.plex.heal()

    def plex_flaky(self) -> None:
        self.world.plex.fail_at_random(0.2, seed=self.chance.randrange(10**6))

    def stash_down(self) -> None:
        self.world.stash.down()

    def stash_up(self) -> None:
        self.world.stash.up()

    def kill(self) -> None:
        if self._daemon is not None:
            self._daemon.kill()
        self._daemon = None

    def start(self) -> None:
        if self._daemon is None or not self._daemon.is_running():
            self._daemon = self.world.daemon(wait=False, **SETTINGS)

    def lose_data(self) -> None:
        self.kill()
        shutil.rmtree(self.world.data_dir, ignore_errors=True)

    # -- the course of it

    def play(self) -> None:
        """Let it all happen, with a start of the daemon now and then."""
        often: list[Callable[[], None]] = [self.save, self.change_unseen, self.person_edits_plex, self.scan, self.start]
        rare: list[Callable[[], None]] = [
            self.rename_performer, self.destroy, self.new_scene, self.plex_backup, self.plex_restored,
            self.stash_restored, self.plex_down, self.plex_starting, self.plex_up, self.plex_flaky, self.stash_down,
            self.stash_up, self.kill, self.lose_data,
        ]  # fmt: skip
        self.start()
        for _each in range(HAPPENINGS):
            happening = self.chance.choice(often if self.chance.random() < 0.5 else rare)
            self.told.append(happening.__name__)
            happening()
            time.sleep(self.chance.random() * 0.4)

    def end_faults(self) -> None:
        """Let both servers be well again, Plex know every file, and the daemon run."""
        self.world.stash.up()
        self.world.stash.forget_failures()
        self.world.plex.up()
        self.world.plex.starting_up(on=False)
        self.world.plex.heal()
        while self._not_scanned:
            self.scan()
        self.start()

    def wrong(self) -> list[str]:
        """Return one line for each field in which Plex does not show what Stash says."""
        stash, plex = self.world.stash, self.world.plex
        pairs = [(each, plex.item_by_file(PLEX_ROOT + each.path.removeprefix(STASH_ROOT))) for each in stash.scenes()]
        return all_differences(stash, plex, pairs)

    # -- helpers of the happenings

    def _scene(self) -> int:
        return self.chance.choice(sorted(self.world.stash.library.scenes))

    def _items(self) -> dict[str, PlexItem]:
        return {item.rating_key: copy.deepcopy(item) for item in self.world.plex.items()}

    def _write_over(self, item: PlexItem) -> None:
        number = self.chance.randrange(10**6)
        self.world.plex.edit_by_hand(
            item,
            locked=self.chance.random() < 0.5,
            title=f"By hand {number}",
            summary=f"What a person wrote, {number}",
            genres=["Concerts", f"Trains {number}"],
        )

    def _add_item(self, path: str) -> None:
        scenes = [scene for scene in self.world.stash.scenes() if scene.path == path]
        for scene in scenes:
            file = scene.files[0]
            self.world.plex.add_item(
                self.world.plex.library("Scenes"),
                file=PLEX_ROOT + path.removeprefix(STASH_ROOT),
                size_bytes=file.size_bytes,
                duration_ms=round(file.duration_s * 1000),
            )


@pytest.mark.timeout(7200)
def test_from_any_state_and_through_any_faults_plex_ends_equal_to_stash(
    tmp_path: Path, bounds: Bounds, figures: Figures
) -> None:
    histories = bounds.pick(2, 60)
    slowest_s, requests = 0.0, 0
    for seed in range(bounds.first_seed, bounds.first_seed + histories):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with LiveWorld(folder) as world:
            history = History(world, seed)
            history.play()
            history.end_faults()
            world.plex.clear_records()
            ended_at = time.monotonic()
            asked = world.scenesync("reconcile", "--scope", "all", "--wait", "40", "--json", **SETTINGS)
            told = f"seed {seed}: {' '.join(history.told)}; reconcile ended {asked.exit_code}: {asked.stderr}"
            try:
                eventually(lambda history=history: history.wrong() == [], told, WITHIN_S)  # type: ignore[misc]
            except AssertionError as error:
                error.add_note("\n".join(history.wrong()))
                raise
            slowest_s = max(slowest_s, time.monotonic() - ended_at)
            requests = max(requests, len(world.plex.requests))
            assert world.plex.whole_library_edits == []
            assert world.plex.simulator_failures == ()
    figures(
        "convergence",
        f"{histories} histories of {HAPPENINGS} happenings, {SCENES} scenes",
        jobs=histories * SCENES,
        lost=0,
        doubled=0,
        remarks=f"slowest {slowest_s:.0f} s, at most {requests} requests to Plex after the faults",
    )
    assert requests <= 40 * SCENES
