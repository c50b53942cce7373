"""Many scenes cost few reads, and what a person saves does not wait behind them."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.diff import Edit
from scenesync.domain.fields import Field
from scenesync.domain.job import PRIORITY_BULK, scene_job
from scenesync.domain.matching import Match
from scenesync.domain.outcome import Outcome
from scenesync.plex.exceptions import PlexNotFound
from scenesync.simulators.plex import faults
from scenesync.store.baselines import BaselineStore
from scenesync.store.journal import JournalStore
from scenesync.worker import preparing
from scenesync.worker.loop import JOBS_IN_HAND, LoopLimits
from scenesync.worker.preparing import decide_together
from scenesync.worker.proof import BATCH_ITEMS, Unproven
from scenesync.worker.sync_plan import Decided, SyncResult, WrittenItem

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


def test_what_is_about_to_be_written_is_noted_for_all_before_the_first_is_sent(world: SyncWorld) -> None:
    pairs = [world.pair(title=f"Film {number}", details="Waves.") for number in range(12)]
    with world.installed() as installation:
        session = world.session(installation)
        scenes = installation.stash.scenes([scene_id for scene_id, _ in pairs])
        decided = decide_together(session.scene_sync, list(scenes.values()))
        assert all(isinstance(each, Decided) and each.is_noted for each in decided)
        journal = JournalStore(installation.database, session.identity.machine_identifier)
        noted = [{edit.field: edit.after for edit in journal.history(item.rating_key)} for _, item in pairs]
        known = BaselineStore(installation.database, session.identity.machine_identifier).read(pairs[0][1].rating_key)
    assert [fields[Field.TITLE] for fields in noted] == [f"Film {number}" for number in range(12)]
    assert known[Field.SUMMARY].written == "Waves."
    assert (known[Field.SUMMARY].shown, known[Field.SUMMARY].replaced) == (None, "")
    assert world.plex.counts().get("edit", 0) == 0
    assert reads(world) == 1


def test_what_was_noted_and_never_sent_is_written_by_the_next_attempt(world: SyncWorld) -> None:
    pairs = [world.pair(title=f"Film {number}") for number in range(12)]
    with world.installed(conflict_policy="plex") as installation:
        session = world.session(installation)
        scenes = installation.stash.scenes([scene_id for scene_id, _ in pairs])
        decide_together(session.scene_sync, list(scenes.values()))
        enqueue(installation, [scene_id for scene_id, _ in pairs])
    attempts = world.drain(conflict_policy="plex")
    assert [attempt.outcome for attempt in attempts] == [Outcome.SYNCED] * 12
    assert [world.plex.item(item.rating_key).title for _, item in pairs] == [f"Film {number}" for number in range(12)]


def test_each_scene_that_cannot_be_decided_with_the_others_is_so_by_itself(world: SyncWorld) -> None:
    sound = [world.pair(title=f"Film {number}")[0] for number in range(9)]
    unknown, _, _ = world.scene(title="Not in Plex")
    first, path, size = world.scene("twice")
    item = world.item(path, size)
    twin = int(world.stash.add_scene(path=f"/elsewhere/{path}", size_bytes=size, duration_s=60.0, title="Twin").id)
    with world.installed() as installation:
        session = world.session(installation)
        wanted = [*sound, unknown, first, twin]
        scenes = installation.stash.scenes(wanted)
        found = decide_together(session.scene_sync, [scenes[scene_id] for scene_id in wanted])
        enqueue(installation, wanted)
    assert all(isinstance(each, Decided) for each in found[:9])
    assert isinstance(found[9], PlexNotFound)
    assert isinstance(found[10], Decided)
    assert found[11] is None, "the second scene of an item waits until the first has been noted"
    outcomes = {attempt.scene_id: attempt.outcome for attempt in world.drain()}
    assert outcomes[unknown] is Outcome.RETRY
    assert {outcomes[first], outcomes[twin]} <= {Outcome.DEAD, Outcome.SYNCED, Outcome.UNCHANGED}
    assert world.plex.item(item.rating_key).title in {"twice", "Twin"}
    assert all(outcomes[scene_id] is Outcome.SYNCED for scene_id in sound)


def test_what_was_read_too_long_ago_is_read_again_before_it_is_written(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "STALE_AFTER_S", -1.0)
    scenes = [world.pair(title=f"Film {number}")[0] for number in range(10)]
    with world.installed() as installation:
        enqueue(installation, scenes)
    assert [attempt.outcome for attempt in world.drain()] == [Outcome.SYNCED] * 10
    assert reads(world) >= 1 + 10 + 1
    assert world.plex.counts()["edit"] == 10


def test_many_unchanged_scenes_end_together_without_a_write(world: SyncWorld) -> None:
    scenes = [world.pair(title=f"Film {number}")[0] for number in range(30)]
    quiet = {"sync_poster": False, "sync_background": False}
    for outcome, writes in ((Outcome.SYNCED, 30), (Outcome.UNCHANGED, 30)):
        with world.installed(**quiet) as installation:
            enqueue(installation, scenes)
        attempts = world.drain(**quiet)
        assert [attempt.outcome for attempt in attempts] == [outcome] * 30
        assert {attempt.scene_id for attempt in attempts} == set(scenes)
        assert all(attempt.rule == "path" for attempt in attempts)
        assert world.plex.counts()["edit"] == writes


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


def test_hardly_a_write_waits_behind_another_where_plex_does_one_at_a_time(world: SyncWorld) -> None:
    scenes = [world.pair(title=f"Film {number}")[0] for number in range(80)]
    world.plex.write_latency_s = 0.03
    with world.installed(sync_poster=False, sync_background=False) as installation:
        enqueue(installation, scenes)
        installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=10).run(threading.Event())
    arrivals = sorted(record.at_monotonic for record in world.plex.requests if record.kind == "edit")
    beside = sum(later - earlier < 0.015 for earlier, later in pairwise(arrivals))
    assert len(arrivals) == 80
    assert world.plex.peak_writes_in_flight == 2, "asking whether two at a time are faster, and no more than that"
    assert beside <= 80 / 5


def test_proofs_take_the_turn_that_the_loop_takes(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Harbour")
    settled: list[Exception | None] = []
    with world.installed() as installation:
        session = world.session(installation)
        (scene,) = installation.stash.scenes([scene_id]).values()
        match = session.scene_sync.match(scene)
        assert isinstance(match, Match)
        written = WrittenItem(Edit(match.rating_keys[0], match.files[0].library_key, ()))
        session.proofs.add(Unproven(scene.id, SyncResult(match, (written,)), settled.append, lambda: True))
        proving = threading.Thread(target=session.proofs.check, args=(threading.Event(),))
        with installation.computing:
            proving.start()
            proving.join(0.3)
            assert settled == []
        proving.join(10)
    assert settled == [None]


def test_what_is_left_over_from_whole_batches_waits_for_others_to_be_proven_with(world: SyncWorld) -> None:
    scene_ids = [world.pair(title=f"Film {number}")[0] for number in range(BATCH_ITEMS + 10)]
    settled: list[Exception | None] = []
    with world.installed() as installation:
        session = world.session(installation)
        for scene in installation.stash.scenes(scene_ids).values():
            match = session.scene_sync.match(scene)
            assert isinstance(match, Match)
            written = WrittenItem(Edit(match.rating_keys[0], match.files[0].library_key, ()))
            session.proofs.add(Unproven(scene.id, SyncResult(match, (written,)), settled.append, lambda: True))
        assert session.proofs.has_whole_batch()
        session.proofs.check(threading.Event(), only_whole_batches=True)
        assert len(settled) == BATCH_ITEMS
        assert not session.proofs.has_whole_batch()
        assert reads(world) == 1
        session.proofs.check(threading.Event())
    assert settled == [None] * (BATCH_ITEMS + 10)
    assert reads(world) == 2
