"""Undo beside a running daemon and real hooks: what was undone stays so, whoever starts again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from live_world import eventually

if TYPE_CHECKING:
    from live_world import LiveWorld

pytestmark = pytest.mark.e2e


def test_an_undone_scene_stays_undone_through_hooks_a_kill_and_a_restart_until_its_title_changes(
    world: LiveWorld,
) -> None:
    scene = world.add_scene("Harbour at dawn")
    item = world.item_of(scene)
    before = (item.title, item.title_sort, item.summary, item.locked)
    daemon = world.daemon()
    world.stash.save(scene, details="Calm.")
    eventually(lambda: item.summary == "Calm.", "the scene in Plex")
    world.settle()

    undone = world.scenesync("undo", str(scene.id), "--json")
    assert (undone.exit_code, undone.document()["totals"]["held"]) == (0, 1)
    assert (item.title, item.title_sort, item.summary, item.locked) == before
    assert world.scenesync("status", "--json").document()["held"] == 1

    def event_changes_nothing() -> None:
        done = world.queue().completed_total
        world.stash.save(scene, organized=False)  # an event, and nothing new in it
        eventually(lambda: world.queue().completed_total > done, "the event worked off")
        assert (item.title, item.title_sort, item.summary, item.locked) == before

    event_changes_nothing()
    daemon.kill()
    world.daemon()
    event_changes_nothing()
    assert world.queue().dead_letters == 0

    world.stash.save(scene, title="Harbour at dusk")
    eventually(lambda: item.title == "Harbour at dusk", "the changed scene in Plex")
    assert item.summary == "Calm."
    world.settle()
    assert world.scenesync("status", "--json").document()["held"] == 0
