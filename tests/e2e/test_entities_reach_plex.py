"""What a person does to performers, studios and tags in Stash reaches every item, by way of real hook processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from live_world import eventually

if TYPE_CHECKING:
    from live_world import LiveWorld

    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.e2e

SCENES = 8


def test_renames_merges_and_deletions_reach_all_scenes_though_the_daemon_is_killed(world: LiveWorld) -> None:
    stash = world.stash
    ada, pier = stash.add_performer("Ada"), stash.add_studio("Pier")
    live, concert, raw = (stash.add_tag(name) for name in ("Live", "Concert", "Raw"))
    scenes = [
        world.add_scene(f"Night {number}", performers=[ada], studio=pier, tags=[live, raw]) for number in range(SCENES)
    ]

    def items() -> list[PlexItem]:
        return [world.item_of(scene) for scene in scenes]

    daemon = world.daemon()
    world.scenesync("sync", "--all")
    eventually(lambda: all(item.actors == ("Ada",) for item in items()), "the first sync")

    daemon.kill()
    stash.save_performer(ada, name="Ada Sample")  # while nobody works
    stash.merge_tags([live], concert)
    stash.destroy_entities("tag", [raw])
    stash.destroy_entities("studio", [pier])
    daemon = world.daemon()
    world.settle()

    for item in items():
        assert (item.actors, item.genres, item.studio) == (("Ada Sample",), ("Concert",), "")
    assert {run.exit_status for run in stash.hook_runs} == {0}
    triggers = [run.trigger for run in stash.hook_runs]
    assert sorted(triggers) == [
        "Performer.Update.Post",
        "Studio.Destroy.Post",
        "Tag.Destroy.Post",
        "Tag.Merge.Post",
    ], "one hook each, however many scenes"
    assert daemon.stop() == 0
    status = world.scenesync("status", "--json").document()
    assert (status["pending"], status["dead_letters"]) == (0, 0)
