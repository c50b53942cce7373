"""The main job: what people save in Stash is what Plex shows, whatever happens on the way."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from live_world import eventually
from shown_fields import differences, needless_writes

from scenesync.simulators.sample_world import random_edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from live_world import LiveWorld

    from scenesync.simulators.sample_world import World

pytestmark = pytest.mark.e2e

SCENES = 200
REPLAYED_SEED: int | None = None
"""Set to the seed that a failed run printed, to have the same edits again."""


class People:
    """Save scenes in Stash, two at a time, so that real hook processes fire."""

    def __init__(self, world: LiveWorld, scene_ids: Sequence[int], seed: int) -> None:
        self._stash = world.stash
        self._random = random.Random(seed)  # noqa: S311 - invented edits
        self._new = self._random.sample(scene_ids, len(scene_ids))
        self._saved: list[int] = []

    def save(self, new: int, again: int = 0) -> None:
        """Change so many scenes for the first time, and so many of the earlier ones once more."""
        batch = [self._new.pop() for _ in range(new)]
        batch += self._random.sample(self._saved, again)
        seeds = [self._random.random() for _ in batch]
        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(self._save_one, batch, seeds):
                pass  # an exception of a save is raised here
        self._saved += batch[:new]

    def save_in_bulk(self, new: int, **fields: object) -> None:
        batch = [self._new.pop() for _ in range(new)]
        self._stash.bulk_save(batch, **fields)
        self._saved += batch

    def _save_one(self, scene_id: int, seed: float) -> None:
        random_edit(self._stash, scene_id, random.Random(seed))  # noqa: S311 - invented edits


def assert_plex_shows_stash(world: LiveWorld, content: World, scene_ids: Sequence[int], seed: int) -> None:
    stash, plex = world.stash, world.plex
    found = [
        line
        for scene_id in scene_ids
        for line in differences(stash, plex, stash.scene(scene_id), plex.item(content.rating_key_of[scene_id]))
    ]
    assert found == [], f"seed {seed}"


@pytest.mark.timeout(240)
def test_200_changed_scenes_survive_two_kills_and_an_outage_of_plex(world: LiveWorld) -> None:
    seed = REPLAYED_SEED or random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    content = world.fill(SCENES, seed=seed)
    people = People(world, content.scene_ids, seed)
    plex = world.plex
    plex.write_latency_s = 0.005

    people.save(20)  # before SceneSync ever ran: the hook keeps the events
    daemon = world.daemon()
    people.save(20, again=5)

    with plex.paused_on_write() as pause:
        people.save(20, again=5)
        assert pause.arrived.wait(30), "the daemon did not get to write"
        daemon.kill()
    people.save(20, again=5)  # while nobody works
    daemon = world.daemon()
    eventually(lambda: plex.counts().get("edit", 0) > 20, "the second daemon goes on")

    plex.down()
    people.save(20, again=5)
    daemon.wait_for_log("plex is not available")
    assert world.queue().pending + world.queue().in_progress >= 20
    plex.starting_up()
    plex.up()
    people.save(20, again=5)
    assert world.queue().dead_letters == 0
    plex.starting_up(on=False)

    before = plex.counts().get("edit", 0)
    people.save_in_bulk(20, tags=[content.tag_ids[0], content.tag_ids[5]], organized=True)
    eventually(lambda: plex.counts().get("edit", 0) > before, "writing goes on after the outage")
    daemon.kill()
    people.save(20, again=5)
    daemon = world.daemon()
    people.save(40, again=10)

    world.settle(60)
    assert daemon.stop() == 0
    status = world.scenesync("status", "--json").document()
    assert (status["pending"], status["in_progress"], status["dead_letters"]) == (0, 0, 0)
    assert status["plex"] == "up"
    assert_plex_shows_stash(world, content, content.scene_ids, seed)
    assert needless_writes(plex) == [], f"seed {seed}"
    assert plex.whole_library_edits == []
    assert plex.deleted_media == []
    assert plex.simulator_failures == ()
    assert {run.exit_status for run in world.stash.hook_runs} == {0}
