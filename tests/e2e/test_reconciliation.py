"""Both libraries end equal whatever happened to one of them, at a cost that is counted; real processes do it."""

from __future__ import annotations

import copy
import shutil
import signal
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from live_world import LiveWorld, eventually
from shown_fields import fields_in_plex, fields_in_stash

from scenesync.simulators.sample_world import png

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.simulators.plex.model import PlexItem
    from scenesync.simulators.sample_world import World

pytestmark = pytest.mark.e2e

IN_SMALL_STEPS = """
from scenesync.reconciliation import reconciling
reconciling.SCENES_PER_PAGE = reconciling.SCENES_PER_STEP = 20
from scenesync.app.cli import main
main()
"""


def differences(world: LiveWorld, there: World) -> list[str]:
    """Return the scenes that Plex does not show as Stash has them, worked out by nothing of the product."""
    found = []
    for scene_id, rating_key in there.rating_key_of.items():
        wanted = fields_in_stash(world.stash, world.stash.scene(scene_id))
        shown = fields_in_plex(world.plex.item(rating_key))
        found += [f"{scene_id} {name}: {shown[name]!r}" for name, value in wanted.items() if shown[name] != value]
    return found


def cost(world: LiveWorld, what: str) -> dict[str, int]:
    """Return how many requests Plex got since they were last counted, by kind, and print them."""
    counts = dict(world.plex.counts())
    print(f"{what}: {sum(counts.values())} requests to Plex {counts}")  # noqa: T201 - shown by pytest -rP
    world.plex.clear_records()
    return counts


def writes(world: LiveWorld) -> int:
    return sum(record.method != "GET" for record in world.plex.requests)


def synced(world: LiveWorld, scenes: int) -> World:
    there = world.fill(scenes)
    assert world.scenesync("sync", "--all", "--json").exit_code == 0
    assert differences(world, there) == []
    world.plex.clear_records()
    return there


def reconcile(world: LiveWorld, *options: str, status: int = 0) -> Any:
    done = world.scenesync("reconcile", "--scope", "all", "--json", *options)
    assert done.exit_code == status, done.stderr
    return done.document()


def gaps(document: Any) -> dict[str, int]:
    return {kind: told["count"] for kind, told in document["gaps"].items() if told["count"]}


def test_one_that_was_killed_goes_on_where_it_was(world: LiveWorld) -> None:
    world.fill(200)
    world.stash.latency_s = 0.2
    child = world.start([sys.executable, "-c", IN_SMALL_STEPS, "reconcile", "--scope", "all", "--no-wait"])
    eventually(lambda: world.queue().pending >= 60, "jobs of some steps")
    child.kill()
    world.stash.latency_s = 0.0
    done_up_to = _last_scene(world)
    assert 0 < done_up_to < 200
    asked_before = len(_pages_asked(world))

    found = reconcile(world, "--no-wait", status=3)
    assert (found["scenes"], found["enqueued"]) == (200, 200)
    assert _pages_asked(world)[asked_before] == done_up_to, "it went on, and did not begin anew"
    assert world.queue().pending == 200
    assert reconcile(world, "--no-wait", status=3)["scenes"] == 200  # the next one begins anew


def test_after_the_data_directory_was_lost_one_comparison_brings_all_back_and_writes_nothing(world: LiveWorld) -> None:
    there = synced(world, 40)
    for begin_again in (lambda: reconcile(world), lambda: _run_until_settled(world)):
        shutil.rmtree(world.data_dir)
        before = {item.rating_key: (fields_in_plex(item), item.locked, item.updated_at) for item in world.plex.items()}
        begin_again()
        assert writes(world) == 0
        counts = cost(world, "rebuilt, 40 scenes with 2 pictures each")
        assert counts.get("edit", 0) == counts.get("image", 0) == 0
        after = {item.rating_key: (fields_in_plex(item), item.locked, item.updated_at) for item in world.plex.items()}
        assert after == before
    again = reconcile(world, "--dry-run")
    assert (again["right"], again["to_look_at"], gaps(again)) == (40, 0, {})
    # and what is saved from now on is written, once
    scene = world.stash.scene(there.scene_ids[0])
    world.stash.save(scene, title="Harbour at dusk")
    assert world.scenesync("drain", "--json").document()["synced"] == 1


def test_a_plex_that_was_restored_to_an_older_state_ends_equal_to_stash(world: LiveWorld) -> None:
    there = synced(world, 60)
    backup = {item.rating_key: copy.deepcopy(item) for item in world.plex.items()}
    _edit(world, there.scene_ids[:25])
    assert world.scenesync("sync", "--all", "--json").exit_code == 0
    _restore(world, there, backup)
    assert len(differences(world, there)) >= 25
    world.plex.clear_records()

    found = reconcile(world)
    assert gaps(found) == {"drifted": 25}
    assert differences(world, there) == []
    counts = cost(world, "Plex restored, 25 of 60 items behind")
    assert counts["edit"] == 25
    assert sum(counts.values()) <= 25 + 15
    assert gaps(reconcile(world)) == {}
    assert cost(world, "and once more").get("edit", 0) == 0


def test_a_stash_that_was_restored_to_an_older_state_is_what_plex_shows_in_the_end(world: LiveWorld) -> None:
    there = synced(world, 60)
    backup = dict(world.stash.library.scenes)
    _edit(world, there.scene_ids[:25])
    world.stash.save(there.scene_ids[30], cover=png(999))
    assert world.scenesync("sync", "--all", "--json").exit_code == 0
    for scene in backup.values():
        world.stash.library.put_scene(replace(scene, updated_at="2020-01-01T00:00:00Z"), bump=False)
    assert {line.split()[1] for line in differences(world, there)} >= {"title:", "summary:", "poster:"}
    world.plex.clear_records()

    found = reconcile(world)
    assert gaps(found) == {"stale": 25}
    assert found["to_look_at"] == 35, "their covers may be others"
    assert differences(world, there) == []
    counts = cost(world, "Stash restored, 25 of 60 scenes behind")
    assert counts["edit"] <= 26
    assert sum(counts.values()) <= 26 + 30


def test_the_daemon_compares_by_itself_when_it_is_time(world: LiveWorld) -> None:
    there = world.fill(10)
    daemon = world.daemon(reconcile_interval="hourly", reconcile_scope="all", plex_notifications="false")
    daemon.wait_for_log("reconciliation ended")
    world.settle()
    assert differences(world, there) == []
    item = world.plex.item(there.rating_key_of[there.scene_ids[0]])
    world.plex.edit_by_hand(item, summary="Somebody else's words")
    with closing(sqlite3.connect(world.data_dir / "scenesync.db")) as store, store:
        store.execute("UPDATE reconciliation SET began_at = began_at - 3601")
    daemon.wait_for_log("cause=reconciliation")
    eventually(lambda: differences(world, there) == [], "the drifted field put right")
    last = world.scenesync("status", "--json").document()["reconciliation"]
    assert (last["scope"], last["cause"], gaps(last)) == ("all", "reconciliation", {"drifted": 1})
    assert daemon.stop() == 0


def test_the_daemon_notices_by_itself_that_stash_was_restored(world: LiveWorld) -> None:
    there = world.fill(10)
    backup = {
        scene.id: replace(scene, updated_at="2020-01-01T00:00:00Z") for scene in world.stash.library.scenes.values()
    }
    daemon = world.daemon(poll_interval="1")
    daemon.wait_for_log("reconciliation ended")
    world.settle()
    _edit(world, there.scene_ids[:3])
    eventually(lambda: differences(world, there) == [], "the edits in Plex")
    time.sleep(5)  # until a poll is done with them
    for scene in backup.values():
        world.stash.library.put_scene(scene, bump=False)
    daemon.wait_for_log("went back to an earlier state")
    eventually(lambda: differences(world, there) == [], "what Stash has again")


@pytest.mark.parametrize("websocket", ["true", "false"], ids=["websocket on", "websocket off"])
def test_the_daemon_mends_by_itself_a_plex_that_was_restored(world: LiveWorld, websocket: str) -> None:
    there = world.fill(20)
    daemon = world.daemon(
        reconcile_interval="hourly", reconcile_scope="24h", poll_interval="1", plex_notifications=websocket
    )
    daemon.wait_for_log("reconciliation ended")
    world.settle()
    backup = {item.rating_key: copy.deepcopy(item) for item in world.plex.items()}
    for scene_id in there.scene_ids[:8]:
        world.stash.save(scene_id, details="Across the bay, against the wind.")
    eventually(lambda: differences(world, there) == [], "the edits in Plex")
    world.settle()
    world.plex.down()  # for the backup to be put back
    _restore(world, there, backup)
    world.plex.up()
    assert len(differences(world, there)) >= 8
    world.plex.clear_records()
    began = time.monotonic()
    with closing(sqlite3.connect(world.data_dir / "scenesync.db")) as store, store:
        store.execute("UPDATE reconciliation SET began_at = began_at - 3601")  # an hour later
    eventually(lambda: differences(world, there) == [], "what Stash has")
    world.settle()
    lasted_s = time.monotonic() - began
    counts = cost(world, f"Plex restored under the daemon, 8 of 20 items behind, {lasted_s:.0f} s")
    assert counts["edit"] <= 8
    assert sum(counts.values()) <= 8 + 40 + 4 * lasted_s
    assert daemon.stop() == 0


def test_beside_a_daemon_the_command_enqueues_and_watches(world: LiveWorld) -> None:
    there = world.fill(10)
    world.daemon(plex_notifications="false").wait_for_log("reconciliation ended")
    world.settle()
    for scene_id in there.scene_ids[:3]:
        item = world.plex.item(there.rating_key_of[scene_id])
        world.plex.edit_by_hand(item, summary="Somebody else's words")
    found = reconcile(world)
    assert (gaps(found), found["work"]["worked_by_daemon"]) == ({"drifted": 3}, True)
    assert differences(world, there) == []
    again = world.scenesync("reconcile", "--scope", "all")
    assert (again.exit_code, again.stdout.splitlines()[-1]) == (0, "nothing was to be done")


def test_a_signal_ends_it_and_the_next_one_goes_on(world: LiveWorld) -> None:
    world.fill(60)
    world.stash.latency_s = 0.3
    child = world.start([sys.executable, "-c", IN_SMALL_STEPS, "reconcile", "--scope", "all", "--no-wait"])
    eventually(lambda: world.queue().pending > 0, "the jobs of a step")
    assert child.stop(signal.SIGTERM) == 1
    assert "goes on where this one was" in child.log
    world.stash.latency_s = 0.0
    assert reconcile(world, "--no-wait", status=3)["scenes"] == 60


def _edit(world: LiveWorld, scene_ids: Sequence[int]) -> None:
    for scene_id in scene_ids:
        world.stash.library.put_scene(
            replace(world.stash.scene(scene_id), title=f"Ferry {scene_id}", details="Across the bay, against the wind.")
        )


def _restore(world: LiveWorld, there: World, backup: dict[str, PlexItem]) -> None:
    """Put every item back as it was, its times of change too."""
    for item in world.plex.items():
        old = copy.deepcopy(backup[item.rating_key])
        for each in fields(item):
            setattr(item, each.name, getattr(old, each.name))
        item.fragments.clear()
    world.plex.library(there.library_title).revision += 1


def _run_until_settled(world: LiveWorld) -> None:
    daemon = world.daemon()
    daemon.wait_for_log("reconciliation ended")
    world.settle()
    assert daemon.stop() == 0


def _last_scene(world: LiveWorld) -> int:
    with closing(sqlite3.connect(world.data_dir / "scenesync.db")) as store:
        ((last,),) = store.execute("SELECT last_scene_id FROM reconciliation WHERE ended_at IS NULL")
    return int(last)


def _pages_asked(world: LiveWorld) -> list[int]:
    """Return after which scene each page of scenes was asked for."""
    calls = [record.graphql for record in world.stash.requests if record.graphql]
    return [int(call.variables["last"]) for call in calls if "ScenesAfter" in call.names]
