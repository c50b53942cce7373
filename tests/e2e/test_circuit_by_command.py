"""The circuit as a person sees it beside a running daemon, and after that daemon was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from live_world import eventually

if TYPE_CHECKING:
    from live_world import LiveWorld

pytestmark = pytest.mark.e2e


def state(world: LiveWorld) -> str:
    shown: str = world.scenesync("circuit", "show", "plex", "--json").document()["plex"]["state"]
    return shown


def test_a_reset_is_seen_by_a_running_daemon_and_costs_no_job(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    world.plex.down()
    world.stash.save(scene, title="Harbour at dusk")
    daemon = world.daemon()
    daemon.wait_for_log("circuit of plex closed -> open")
    assert world.scenesync("circuit", "reset", "plex").exit_code == 0
    daemon.wait_for_log("circuit of plex open -> closed", within_s=5)
    daemon.wait_for_log("plex is not available")
    assert (world.queue().pending, world.queue().dead_letters) == (1, 0)
    world.plex.up()
    eventually(lambda: world.item_of(scene).title == "Harbour at dusk", "the title in Plex")
    world.settle()
    assert state(world) == "closed"
    assert daemon.stop() == 0


def test_an_open_circuit_outlives_a_killed_daemon(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    world.plex.starting_up()
    world.stash.save(scene, title="Harbour at dusk")
    daemon = world.daemon()
    daemon.wait_for_log("circuit of plex closed -> open")
    daemon.kill()
    assert state(world) == "open"
    world.plex.clear_records()
    second = world.daemon()
    second.wait_for_log("plex is not available")
    assert set(world.plex.counts()) - {"notifications"} == {"identity"}, "listening is no work"
    world.plex.starting_up(on=False)
    eventually(lambda: world.item_of(scene).title == "Harbour at dusk", "the title in Plex")
    world.settle()
    assert state(world) == "closed"
    document = world.scenesync("status", "--json").document()
    assert document["reliability"]["plex"]["outages_30d"] == 1
    assert second.stop() == 0
