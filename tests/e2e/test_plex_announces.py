"""What Plex announces reaches the daemon at once; without its websocket everything arrives a little later."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from live_world import LiveWorld, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from live_world import Daemon

    from scenesync.simulators.stash.records import Scene

pytestmark = pytest.mark.e2e

NEVER_S = "600"
"""As poll_interval: in the time of a test nothing is found by looking now and then."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    with LiveWorld(tmp_path) as world:
        world.library  # noqa: B018 - makes it: a Plex without any library is no Plex to work with
        yield world


def at_rest(world: LiveWorld, **settings: str | None) -> Daemon:
    """Start the daemon and wait until it has compared both libraries, as it does at its very first start."""
    daemon = world.daemon(**settings)
    daemon.wait_for_log("reconciliation ended")
    return daemon


def listening(world: LiveWorld, **settings: str | None) -> Daemon:
    daemon = at_rest(world, **settings)
    daemon.wait_for_log("listening to what plex announces")
    eventually(lambda: len(world.plex.notifications.listeners) == 1, "a listener in Plex")
    return daemon


def waiting_for_its_file(world: LiveWorld, title: str) -> Scene:
    """Save a scene whose file Plex does not have, and wait until its job waits for that."""
    scene = world.add_scene(title, in_plex=False)
    world.stash.save(scene, details="Boats leave early.")
    eventually(lambda: world.queue().waiting_by_error == {"PlexNotFound": 1}, "a job that waits for its file")
    return scene


def seconds_until_delivered(world: LiveWorld, scene: Scene) -> float:
    world.plex.clear_records()
    began = time.monotonic()
    item = world.add_item("Harbour at dawn")
    eventually(lambda: item.summary == "Boats leave early.", "the summary in Plex")
    world.settle()
    assert world.item_of(scene) is item
    return time.monotonic() - began


def test_a_file_that_appears_in_plex_is_delivered_within_seconds_and_few_requests(
    world: LiveWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = listening(world, poll_interval=NEVER_S)
    scene = waiting_for_its_file(world, "Harbour at dawn")
    took_s = seconds_until_delivered(world, scene)
    with capsys.disabled():
        print(f"\nwebsocket on: delivered after {took_s:.1f} s, requests {world.plex.counts()}")  # noqa: T201 - a figure of the test
    assert "new_files=1" in daemon.log
    assert took_s < 8
    assert world.plex.counts().get("list", 0) <= 1
    assert world.plex.counts()["read"] <= 5
    status = world.scenesync("status", "--json").document()
    assert status["plex_notifications"] == "up"
    assert "the websocket opens" in world.scenesync("doctor").stdout
    assert world.plex.token not in daemon.log


def test_without_the_websocket_it_is_delivered_after_the_next_refresh(
    world: LiveWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    at_rest(world, poll_interval="2", plex_notifications="false")
    scene = waiting_for_its_file(world, "Harbour at dawn")
    took_s = seconds_until_delivered(world, scene)
    with capsys.disabled():
        print(f"\nwebsocket off: delivered after {took_s:.1f} s, requests {world.plex.counts()}")  # noqa: T201 - a figure of the test
    assert world.plex.counts().get("notifications", 0) == 0
    assert world.scenesync("status", "--json").document()["plex_notifications"] == "off"


def test_a_persons_edit_in_plex_is_put_back_once_and_plex_may_cut_the_line(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    daemon = listening(world, poll_interval=NEVER_S)
    world.stash.save(scene, details="Boats leave early.")
    item = world.item_of(scene)
    eventually(lambda: item.summary == "Boats leave early.", "the summary in Plex")
    world.settle()

    world.plex.notifications.cut()
    eventually(lambda: daemon.log.count("listening to what plex announces") == 2, "a second connection")
    world.plex.clear_records()
    world.plex.edit_by_hand(item, summary="Boats!")
    eventually(lambda: item.summary == "Boats leave early.", "Stash's summary again")
    world.settle()
    time.sleep(3)  # long enough for the announcement of that very edit to be looked at
    edits = [record for record in world.plex.requests if record.kind == "edit"]
    assert len(edits) == 1
    assert daemon.log.count("changed in plex item=") == 1
    assert daemon.stop() == 0
    assert world.scenesync("status", "--json").document()["plex_notifications"] == "unknown"


def test_a_missing_file_is_scanned_for_heard_of_and_delivered(world: LiveWorld) -> None:
    daemon = listening(world, poll_interval=NEVER_S, trigger_plex_scan="true")
    scene = world.add_scene("Harbour at dawn", in_plex=False, details="Boats leave early.")
    world.plex.add_unscanned_file(world.library, file="/mnt/media/Films/Harbour at dawn.mp4", size_bytes=1_000_000)
    world.stash.save(scene, organized=True)
    eventually(lambda: len(world.plex.items()) == 1, "the item that the scan makes")
    eventually(lambda: world.item_of(scene).summary == "Boats leave early.", "the summary in Plex")
    assert world.plex.counts()["scan"] == 1
    assert "asked plex to scan a folder" in daemon.log
