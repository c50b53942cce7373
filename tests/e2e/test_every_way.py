"""With and without the plugin, with and without websockets: Plex ends equal to Stash, and each change is written once.

The requests that it took are printed (``pytest -rP``).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from live_world import LiveWorld, eventually
from shown_fields import all_differences, needless_writes

if TYPE_CHECKING:
    from pathlib import Path

    from scenesync.simulators.stash.records import Scene

pytestmark = pytest.mark.e2e

CHANGED = 4 + 4 + 2 + 1
"""Items: of four scenes saved, of four that show a performer, two of a merged scene, and one that comes late."""
LATE = "Late train"


def household(folder: Path, *, plugin: bool, websockets: bool) -> LiveWorld:
    world = LiveWorld(folder, plugin=plugin)
    if not websockets:
        world.stash.subscriptions.refused_with = 404
    return world


def change_in_every_way(world: LiveWorld, scenes: list[Scene]) -> None:
    """Do what a hook tells of (saves, a rename), what none does (a merge), and let Plex find a file late."""
    stash = world.stash
    for scene in scenes[4:8]:
        stash.save(scene, details=f"{scene.title} at dusk.")
    stash.save_performer(1, name="Ada Sample")
    stash.merge([scenes[9]], scenes[8], title="Both takes")
    late = world.add_scene(LATE, in_plex=False)
    stash.save(late, details="It came in the end.")
    eventually(lambda: world.queue().waiting_by_error == {"PlexNotFound": 1}, "a job that waits for its file")
    world.add_item(LATE)


def wrong(world: LiveWorld, scenes: list[Scene]) -> list[str]:
    """Return what Plex does not show as Stash has it, item by item, worked out by nothing of the product."""
    items = [(scene, world.item_of(scene)) for scene in scenes]
    merged = {scenes[9].id: scenes[8].id}
    late = next(scene for scene in world.stash.scenes() if scene.title == LATE)
    pairs = [(world.stash.scene(merged.get(scene.id, scene.id)), item) for scene, item in items]
    return all_differences(world.stash, world.plex, [*pairs, (late, world.item_of(late))])


@pytest.mark.parametrize("websockets", [True, False], ids=["websockets on", "websockets off"])
@pytest.mark.parametrize("plugin", [True, False], ids=["plugin on", "plugin off"])
def test_plex_ends_equal_to_stash_and_each_change_is_written_once(
    tmp_path: Path, *, plugin: bool, websockets: bool
) -> None:
    with household(tmp_path, plugin=plugin, websockets=websockets) as world:
        ada = world.stash.add_performer("Ada")
        scenes = [world.add_scene(f"Film {number}", performers=[ada] if number < 4 else ()) for number in range(10)]
        daemon = world.daemon(poll_interval="1", plex_notifications=str(websockets).lower())
        daemon.wait_for_log("reconciliation ended")
        world.settle()
        eventually(lambda: (world.stash.subscriptions.active == 2) is websockets, "who is to listen does")
        time.sleep(2.5)  # what was synced within its own second is looked at once more
        world.settle()
        world.plex.clear_records()
        began = time.monotonic()

        change_in_every_way(world, scenes)
        eventually(lambda: wrong(world, scenes) == [], "all that Stash has")
        world.settle()
        time.sleep(3.0)  # further looks, which find nothing to do

        assert wrong(world, scenes) == []
        assert bool(world.stash.hook_runs) is plugin
        counts, lasted_s = world.plex.counts(), time.monotonic() - began
        print(f"{sum(counts.values())} requests to Plex within {lasted_s:.0f} s: {dict(counts)}")  # noqa: T201 - a figure of the test
        assert len({write.rating_key for write in world.plex.field_writes}) == CHANGED
        assert needless_writes(world.plex) == []
        assert counts["edit"] <= CHANGED
        looks_at_the_library = sum(counts.get(kind, 0) for kind in ("list", "sections", "identity"))
        assert sum(counts.values()) - looks_at_the_library <= 5 * CHANGED
        assert looks_at_the_library <= 10 + 4 * lasted_s
        assert daemon.stop() == 0
