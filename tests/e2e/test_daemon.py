"""The daemon's life: one per data directory, a clean end, and changes that come while it is busy."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from live_world import eventually

from scenesync.simulators.plex import faults

if TYPE_CHECKING:
    from live_world import LiveWorld, Ran

pytestmark = pytest.mark.e2e


def test_a_second_daemon_says_that_there_is_one_and_ends(world: LiveWorld) -> None:
    first = world.daemon()
    second = world.scenesync("run")
    assert second.exit_code == 1
    assert second.stderr == f"scenesync: another SceneSync already works in {world.data_dir}.\n"
    assert first.is_running()


def test_a_second_daemon_that_stash_starts_ends_without_a_word(world: LiveWorld) -> None:
    first = world.daemon()
    connection = {"Scheme": "http", "Host": "127.0.0.1", "Port": world.stash.port, "PluginDir": str(world.plugin_dir)}
    second = world.scenesync("run", "--from-stash", stdin=json.dumps({"server_connection": connection}))
    assert (second.exit_code, second.stdout, second.stderr) == (0, "", "")
    assert first.is_running()


def test_a_daemon_that_was_killed_is_no_daemon(world: LiveWorld) -> None:
    world.daemon().kill()
    second = world.daemon()
    assert second.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_daemon_with_status_0(world: LiveWorld, number: signal.Signals) -> None:
    daemon = world.daemon()
    assert daemon.stop(number, within_s=10) == 0
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize("kind", ["edit", "read"])
def test_sigterm_ends_the_daemon_within_10_s_while_plex_says_nothing(world: LiveWorld, kind: str) -> None:
    scene = world.add_scene("Harbour at dawn")
    daemon = world.daemon()
    world.plex.fail_next(100, faults.hang(60), only=kind)
    world.stash.save(scene, title="Harbour at dusk")
    eventually(lambda: world.plex.counts().get(kind, 0) > 0, f"a {kind} under way")

    started = time.monotonic()
    assert daemon.stop(within_s=15) == 0
    assert time.monotonic() - started < 10
    assert world.queue().in_progress == 0
    assert world.jobs() == 1


def test_sigterm_ends_the_daemon_within_10_s_while_stash_says_nothing(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    daemon = world.daemon()
    world.stash.latency_s = 60
    world.stash.save(scene, title="Harbour at dusk")
    eventually(lambda: world.queue().in_progress > 0, "the scene being asked for")

    started = time.monotonic()
    assert daemon.stop(within_s=15) == 0
    assert time.monotonic() - started < 10
    world.stash.latency_s = 0
    world.daemon()
    world.settle()
    assert world.item_of(scene).title == "Harbour at dusk"


def test_a_scene_saved_while_it_is_being_written_runs_once_more(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    daemon = world.daemon()
    daemon.wait_for_log("reconciliation ended")
    world.settle()
    before = world.queue().completed_total
    with world.plex.paused_on_write() as pause:
        world.stash.save(scene, details="The first ferry.")
        assert pause.arrived.wait(30), "the daemon did not get to write"
        world.stash.save(scene, details="The last ferry.")
        queue = world.queue()
        assert (queue.in_progress, queue.pending) == (1, 1)
    world.settle()
    assert world.item_of(scene).summary == "The last ferry."
    assert [write.value for write in world.plex.field_writes if write.field == "summary"] == [
        "The first ferry.",
        "The last ferry.",
    ]
    assert world.queue().completed_total - before == 2
    assert daemon.stop() == 0


def test_a_job_that_waits_for_its_file_is_woken_when_plex_has_it(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn", in_plex=False)
    world.add_scene("Island ferries")  # so that Plex has a library
    world.daemon(poll_interval="1")
    world.stash.save(scene, details="Kept until Plex has scanned.")
    eventually(lambda: world.queue().waiting_by_error == {"PlexNotFound": 1}, "the job waits for its file")
    [waiting] = world.scenesync("explain", str(scene.id), "--json").document()["waiting"]
    assert "failed 1 times, last PlexNotFound, next try " in waiting

    world.plex.add_unscanned_file(world.library, file="/mnt/media/Films/Harbour at dawn.mp4", size_bytes=1_000_000)
    world.plex.scan()
    world.settle(15)  # the retry of its own would come after up to 30 s
    assert world.item_of(scene).summary == "Kept until Plex has scanned."


@pytest.mark.parametrize("command", [("sync", "--all", "--json"), ("drain", "--json")])
def test_a_command_beside_a_daemon_enqueues_and_watches(world: LiveWorld, command: tuple[str, ...]) -> None:
    scenes = [world.add_scene(f"Pier {number:02d}") for number in range(8)]
    world.daemon().wait_for_log("reconciliation ended")
    world.settle()
    before = world.queue().completed_total
    done: list[Ran] = []
    with world.plex.paused_on_write() as pause:
        for scene in scenes:
            if command[0] == "drain":
                world.stash.save(scene, details="Seen from the sea.")
            else:  # without a word
                world.stash.library.put_scene(replace(world.stash.scene(scene.id), details="Seen from the sea."))
        asking = threading.Thread(target=lambda: done.append(world.scenesync(*command)))
        asking.start()
        assert pause.arrived.wait(30), "the daemon did not get to write"
        assert asking.is_alive()
        assert done == []
    asking.join(30)
    assert done[0].exit_code == 0, done[0].stderr
    report = done[0].document()
    assert report["worked_by_daemon"] is True
    assert (report["synced"], report["pending"], report["in_progress"]) == (0, 0, 0)
    assert {world.item_of(scene).summary for scene in scenes} == {"Seen from the sea."}
    assert world.queue().completed_total - before == len(scenes)


def test_the_daemon_goes_on_with_what_a_killed_command_had_in_hand(world: LiveWorld) -> None:
    scenes = [world.add_scene(f"Pier {number:02d}") for number in range(6)]
    with world.plex.paused_on_write() as pause:
        command = world.start([sys.executable, "-m", "scenesync", "sync", "--all"])
        assert pause.arrived.wait(30), "the command did not get to write"
        command.kill()
    assert world.jobs() == len(scenes)
    world.daemon()
    world.settle()
    assert {world.item_of(scene).title for scene in scenes} == {scene.title for scene in scenes}
    assert world.queue().dead_letters == 0


def test_settings_that_become_wrong_are_reported_and_the_old_ones_stay(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    daemon = world.daemon()
    (world.data_dir / "scenesync.toml").write_text("workers = 900\n")
    daemon.wait_for_log("the changed settings are not used: workers = 900")
    world.stash.save(scene, details="Still at work.")
    world.settle()
    assert world.item_of(scene).summary == "Still at work."
    assert daemon.stop() == 0
