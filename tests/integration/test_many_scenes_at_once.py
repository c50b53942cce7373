"""Many scenes cost few reads, and what a person saves does not wait behind them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.job import PRIORITY_BULK, scene_job
from scenesync.domain.outcome import Outcome
from scenesync.simulators.plex import faults
from scenesync.worker.loop import JOBS_IN_HAND, LoopLimits

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.app.installation import Installation

pytestmark = pytest.mark.integration


def enqueue(installation: Installation, scene_ids: list[int]) -> None:
    installation.queue.put_many((scene_job(scene_id, time.time()) for scene_id in scene_ids), PRIORITY_BULK)


def reads(world: SyncWorld) -> int:
    return world.plex.counts().get("read", 0)


def test_two_hundred_changed_scenes_cost_one_write_each_and_few_reads(world: SyncWorld) -> None:
    scenes = [world.pair(title=f"Film {number}")[0] for number in range(200)]
    with world.installed() as installation:
        enqueue(installation, scenes)
        installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=10).run(threading.Event())
    assert world.plex.counts()["edit"] == 200
    assert reads(world) <= 200 / 5  # fifty at a time, and a proof for every second that it took


def test_one_scene_that_plex_cannot_read_takes_no_other_with_it(world: SyncWorld) -> None:
    scenes = [world.pair(title=f"Film {number}") for number in range(10)]
    world.plex.fail_next(1, faults.status(500), only="read")
    with world.installed() as installation:
        enqueue(installation, [scene_id for scene_id, _ in scenes])
    attempts = world.drain()
    assert sum(attempt.outcome is Outcome.SYNCED for attempt in attempts) >= 9
    assert all(attempt.outcome in {Outcome.SYNCED, Outcome.RETRY} for attempt in attempts)


def test_a_save_is_worked_on_before_the_bulk_that_is_in_hand_already(world: SyncWorld) -> None:
    bulk = [world.pair(title=f"Film {number}")[0] for number in range(2 * JOBS_IN_HAND)]
    saved, item = world.pair(title="Harbour")
    world.plex.latency_s = 0.05
    with world.working(workers=1) as installation:
        enqueue(installation, bulk)
        while world.plex.counts().get("edit", 0) < 3:
            time.sleep(0.01)
        begun = world.plex.counts()["edit"]
        installation.queue.put_job(scene_job(saved, time.time()))
        while world.plex.item(item.rating_key).title != "Harbour":
            time.sleep(0.01)
        assert world.plex.counts()["edit"] - begun < 20
