"""Work lost or doubled: what real tools of this kind get wrong, each as a test that such a defect would fail.

``test_lessons_map.py`` says which test stands for which lesson.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from faulty_household import shorten_pauses

from scenesync.app.data_directory import queue_folder, worker_lock
from scenesync.domain.job import scene_job
from scenesync.domain.outcome import Outcome
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.simulators.plex import faults
from tests.e2e.live_world import LiveWorld
from tests.e2e.live_world import eventually as eventually_so
from tests.integration.sync_world import SyncWorld, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.installation import Installation
    from scenesync.simulators.plex.model import PlexItem
    from scenesync.simulators.stash.jobs import JobControl

pytestmark = pytest.mark.reliability

AN_HOUR_S = 3600.0


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncWorld]:
    with SyncWorld(tmp_path_factory.mktemp("world") / "data") as built:
        yield built


def event(installation: Installation, scene_id: int, at: float | None = None) -> None:
    """Tell the queue that a person saved the scene."""
    installation.queue.put_job(scene_job(scene_id, time.time() if at is None else at))


def titles_written(world: SyncWorld, item: PlexItem) -> list[object]:
    return [w.value for w in world.plex.field_writes if (w.rating_key, w.field) == (item.rating_key, "title")]


class TestANewerEdit:
    def test_of_a_scene_that_waits_for_its_retry_goes_at_once_and_the_old_state_is_never_written(
        self, world: SyncWorld
    ) -> None:
        scene_id, item = world.pair(title="Harbour at dawn")
        world.plex.fail_next(1, faults.status(500), only="read")
        assert [attempt.outcome for attempt in world.drain(scene_id)] == [Outcome.RETRY]
        world.stash.save(scene_id, title="Harbour at dusk")
        assert [attempt.outcome for attempt in world.drain(scene_id)] == [Outcome.SYNCED]
        assert titles_written(world, item) == ["Harbour at dusk"]

    def test_whose_event_was_lost_is_still_what_the_retry_writes(
        self, world: SyncWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shorten_pauses(monkeypatch)
        scene_id, item = world.pair(title="Harbour at dawn")
        world.plex.fail_next(1, faults.status(500), only="read")
        with world.working() as installation:
            world.stash.latency_s = 0.2  # so that the edit comes before the retry has asked for the scene
            event(installation, scene_id)
            eventually(lambda: bool(world.attempts))
            world.stash.save(scene_id, title="Harbour at dusk")
            eventually(lambda: installation.queue.totals()[0] == 1)
        assert titles_written(world, item) == ["Harbour at dusk"]

    def test_while_the_scene_is_written_runs_once_more_whatever_the_clocks_say(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Harbour at dawn")
        with world.working() as installation:
            with world.plex.paused_on_write() as pause:
                event(installation, scene_id)
                assert pause.arrived.wait(10)
                # Stash's clock and the hook's are an hour behind: to both this edit is older than what is written.
                world.stash.library._clock = lambda: time.time() - AN_HOUR_S
                world.stash.save(scene_id, title="Harbour at dusk")
                event(installation, scene_id, time.time() - AN_HOUR_S)
            eventually(lambda: item.title == "Harbour at dusk")
            eventually(lambda: installation.queue.totals()[0] == 2)
        assert titles_written(world, item) == ["Harbour at dawn", "Harbour at dusk"]

    def test_of_a_scene_that_this_run_has_done_already_is_done_again(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="First")
        titles = ["First", "Second", "Third", "Second"]
        with world.working() as installation:
            for number, title in enumerate(titles, start=1):
                world.stash.save(scene_id, title=title)
                event(installation, scene_id)
                eventually(lambda number=number: installation.queue.totals()[0] == number)  # type: ignore[misc]
        assert titles_written(world, item) == titles

    def test_of_a_scene_that_was_completed_a_moment_ago_is_not_refused_by_the_next_run(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="First")
        for title in ("First", "Second"):
            world.stash.save(scene_id, title=title)
            assert [attempt.outcome for attempt in world.drain(scene_id)] == [Outcome.SYNCED]
        # Nothing new, and still nobody refuses to look.
        assert [attempt.outcome for attempt in world.drain(scene_id)] == [Outcome.UNCHANGED]
        assert item.title == "Second"


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 503},
        {"reset": True},
        {"graphql_error": "database is locked"},
        {"graphql_error": "SQLITE_BUSY: database is locked (5)"},
    ],
    ids=["503", "reset", "locked", "busy"],
)
def test_a_stash_that_cannot_answer_while_jobs_are_hydrated_makes_them_wait(
    world: SyncWorld, failure: dict[str, Any]
) -> None:
    pairs = [world.pair(title=f"Film {number}") for number in range(30)]
    world.stash.fail_next(3, **failure)
    attempts = world.drain(*(scene_id for scene_id, _ in pairs))
    assert {attempt.error_type for attempt in attempts} == {"StashUnavailable", ""}
    assert {attempt.outcome for attempt in attempts} == {Outcome.DEFERRED, Outcome.SYNCED}
    assert [item.title for _, item in pairs] == [f"Film {number}" for number in range(30)]
    with world.installed() as installation:
        assert DeadLetterStore(installation.queue).count() == 0


# -- real hooks --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    """Stash with the plugin, Plex, and a daemon at work between them; each test has scenes of its own."""
    with LiveWorld(tmp_path_factory.mktemp("household")) as world:
        world.add_scene("Island ferries")  # so that Plex has a library
        world.daemon(poll_interval="1")
        yield world


def test_hooks_that_run_all_at_once_each_keep_their_event(tmp_path_factory: pytest.TempPathFactory) -> None:
    with LiveWorld(tmp_path_factory.mktemp("storm")) as world:
        scenes = [world.add_scene(f"Pier {number:02d}") for number in range(32)]
        world.stash.save(scenes[0], details="Makes the queue.")
        with closing(sqlite3.connect(queue_folder(world.data_dir) / "data.db", isolation_level=None)) as bulk:
            bulk.execute("BEGIN IMMEDIATE")  # so busy is the queue that hooks cannot wait for it
            with ThreadPoolExecutor(16) as people:
                for _ in people.map(lambda scene: world.stash.save(scene, details="Saved by many."), scenes):
                    pass
            bulk.execute("ROLLBACK")
        assert {run.exit_status for run in world.stash.hook_runs} == {0}
        assert {run.error for run in world.stash.hook_runs} == {None}
        assert world.queue().spooled > 0
        assert world.scenesync("drain").exit_code == 0
        assert {world.item_of(scene).summary for scene in scenes} == {"Saved by many."}


def test_the_last_event_of_a_burst_needs_no_other_after_it(household: LiveWorld) -> None:
    scene = household.add_scene("Lighthouse")
    for number in range(12):
        household.stash.save(scene, details=f"Draft {number}")
    eventually_so(lambda: household.item_of(scene).summary == "Draft 11", "the last draft in Plex", within_s=10)


def test_scenes_of_a_bulk_edit_reach_plex_although_its_input_has_another_shape(household: LiveWorld) -> None:
    scenes = [household.add_scene(f"Valley {number}", details="Kept.") for number in range(5)]
    tag = household.stash.add_tag("Outdoor")
    household.stash.bulk_save(scenes, tags=[tag], director="Ada Sample")
    eventually_so(lambda: all(household.item_of(scene).genres == ("Outdoor",) for scene in scenes), "tags in Plex")
    assert {household.item_of(scene).directors for scene in scenes} == {("Ada Sample",)}
    assert {household.item_of(scene).summary for scene in scenes} == {"Kept."}


def test_scenes_of_one_request_for_several_reach_plex_each_with_its_own_values(household: LiveWorld) -> None:
    scenes = [household.add_scene(f"Station {number}") for number in range(3)]
    changes = [{"id": str(scene.id), "details": f"Platform {scene.id}"} for scene in scenes]
    with urllib3.PoolManager() as pool:
        pool.request(
            "POST",
            f"{household.stash.url}/graphql",
            json={
                "query": "mutation($input: [SceneUpdateInput!]!) { scenesUpdate(input: $input) { id } }",
                "variables": {"input": changes},
            },
        )
    for scene in scenes:
        eventually_so(
            lambda scene=scene: household.item_of(scene).summary == f"Platform {scene.id}", "its own words in Plex"
        )


def test_events_while_stash_runs_a_job_are_delivered_before_it_ends(household: LiveWorld) -> None:
    scene = household.add_scene("Garden")
    ended = threading.Event()

    def scan(control: JobControl) -> None:
        while not ended.wait(0.02):
            control.cancellation.check()

    job = household.stash.engine.jobs.add("Scanning...", scan)
    try:
        household.stash.save(scene, details="Saved during a scan.")
        eventually_so(lambda: household.item_of(scene).summary == "Saved during a scan.", "the summary in Plex")
        assert [each.id for each in household.stash.engine.jobs.unfinished()] == [job]
    finally:
        ended.set()
        household.stash.job(job)


def test_a_daemon_that_ends_keeps_its_lock_until_it_asks_plex_nothing_more(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with LiveWorld(tmp_path_factory.mktemp("ending")) as world:
        scenes = [world.add_scene(f"Pier {number:02d}") for number in range(12)]
        daemon = world.daemon(poll_interval="1")
        world.plex.fail_next(100, faults.hang(60), only="edit")
        world.stash.bulk_save(scenes, organized=True)
        eventually_so(lambda: world.plex.counts().get("edit", 0) > 0, "an edit under way")
        stopping = threading.Thread(target=daemon.stop)
        stopping.start()
        lock = worker_lock(world.data_dir)
        try:
            eventually_so(lock.acquire, "the end of the daemon's work", within_s=20)
            free_at = time.monotonic()
            world.plex.heal()
            daemon.wait(10)
            # Its process is gone with the lock or right after it; whoever works next never works beside it.
            assert time.monotonic() - free_at < 3.0
            assert [request for request in world.plex.requests if request.at_monotonic > free_at] == []
        finally:
            lock.release()
            stopping.join()
        assert world.jobs() == len(scenes)
