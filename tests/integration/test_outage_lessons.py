"""Outages taken for something else, and something else taken for an outage: what goes wrong in tools of this kind.

Each test is one such defect, tried on the whole worker between two simulated servers.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from sync_world import SyncWorld
from sync_world import eventually as eventually_within

from scenesync.app.data_directory import queue_folder
from scenesync.domain.job import scene_job
from scenesync.domain.outcome import Outcome
from scenesync.domain.paths import name_key
from scenesync.plex.exceptions import PlexNotFound, PlexServerDown
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.snapshot import read_snapshot
from scenesync.simulators.stash.server import StashSimulator
from scenesync.store.circuits import CircuitStore
from scenesync.worker.availability import gate
from scenesync.worker.circuit_breaker import CircuitState
from scenesync.worker.error_rules import rule_for
from scenesync.worker.finding import library_index
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scenesync.app.installation import Installation
    from scenesync.domain.job import ClaimedJob
    from scenesync.simulators.plex.model import PlexItem

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

STASH_KEY = "fake-stash-api-key"


@pytest.fixture
def asking_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a scene that is not found ask Plex again however short the time since the last look."""
    monkeypatch.setattr(library_index, "MISS_REFRESH_EVERY_S", 0.0)


@pytest.fixture
def locked_world(tmp_path: Path) -> Iterator[SyncWorld]:
    """A world whose Stash wants an API key."""
    world = SyncWorld(tmp_path / "data")
    world.stash = StashSimulator(api_key=STASH_KEY, username="harbourmaster", password="fake-password")
    with world:
        yield world


def eventually(condition: Callable[[], bool]) -> None:
    eventually_within(condition, within_s=60)


def enqueue(installation: Installation, *scene_ids: int) -> None:
    for scene_id in scene_ids:
        installation.queue.put_job(scene_job(scene_id, time.time()))


def idle(installation: Installation) -> bool:
    queue = read_snapshot(queue_folder(installation.settings.data_dir))
    return queue.pending == 0 and queue.in_progress == 0


def pending_jobs(installation: Installation) -> list[Any]:
    return [pending.job for pending in installation.queue.list_pending()]


def letters(installation: Installation) -> list[str]:
    return [letter.error_type for letter in DeadLetterStore(installation.queue).list()]


def titles(world: SyncWorld, items: list[PlexItem]) -> list[str]:
    return [world.plex.item(item.rating_key).title for item in items]


class TestALookupThatCannotConnect:
    """A library lookup that swallows the connection error says "not found": retries are spent, the job is discarded."""

    @pytest.mark.usefixtures("asking_at_once")
    @pytest.mark.parametrize("how", ["refused", "maintenance", "still-starting"])
    def test_of_a_file_that_the_index_does_not_know_is_an_outage(self, world: SyncWorld, how: str) -> None:
        scene_id, _, _ = world.scene(title="Not in the index")
        with world.installed() as installation:
            session = world.session(installation)
            scene = installation.stash.scenes([scene_id])[scene_id]
            go_down(world, how)
            with pytest.raises(PlexServerDown):
                session.scene_sync.sync(scene, lambda: True)

    @pytest.mark.parametrize("how", ["refused", "maintenance", "still-starting"])
    def test_of_the_item_that_matched_is_an_outage_too(self, world: SyncWorld, how: str) -> None:
        scene_id, _ = world.pair(title="Harbour")
        with world.installed() as installation:
            session = world.session(installation)
            scene = installation.stash.scenes([scene_id])[scene_id]
            go_down(world, how)
            with pytest.raises(PlexServerDown):
                session.scene_sync.sync(scene, lambda: True)

    def test_of_a_library_by_its_name_does_not_say_that_there_is_no_such_library(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Harbour")
        world.plex.down()
        with world.working(plex_libraries=("Scenes",)) as installation:
            enqueue(installation, scene_id)
            eventually(lambda: installation.services.read("plex").reachability == "down")
            time.sleep(1.0)
            assert letters(installation) == []
            assert "retry_count" not in pending_jobs(installation)[0]
            world.plex.up()
            eventually(lambda: idle(installation))
        assert titles(world, [item]) == ["Harbour"]

    @pytest.mark.usefixtures("asking_at_once")
    def test_costs_no_retry_and_discards_nothing_even_with_skip_not_found(self, world: SyncWorld) -> None:
        known, item = world.pair(title="Known")
        late, path, size = world.scene(title="Late")
        with world.working(skip_not_found=True) as installation:
            enqueue(installation, known)
            eventually(lambda: idle(installation))
            world.plex.down()
            job = {**scene_job(late, time.time()), "retry_count": 11, "last_error_type": "PlexNotFound"}
            installation.queue.put(job)  # one failure more would be its last
            world.stash.save(known, title="Known, second cut")
            enqueue(installation, known)
            eventually(lambda: CircuitStore(installation.database, "plex").read().state is CircuitState.OPEN)
            time.sleep(1.0)
            assert sorted(job.get("retry_count", 0) for job in pending_jobs(installation)) == [0, 11]
            late_item = world.item(path, size)
            world.plex.up()
            eventually(lambda: idle(installation))
            assert letters(installation) == []
        assert titles(world, [item, late_item]) == ["Known, second cut", "Late"]
        assert {attempt.outcome for attempt in world.attempts} <= {Outcome.SYNCED, Outcome.DEFERRED}


def go_down(world: SyncWorld, how: str) -> None:
    if how == "refused":
        world.plex.down()
    else:
        world.plex.starting_up(form=how)  # type: ignore[arg-type]


def test_ambiguous_matches_never_open_the_circuit(world: SyncWorld) -> None:
    ambiguous = []
    for number in range(8):
        scene_id, path, size = world.scene(f"double {number}", title=f"Double {number}")
        for folder in ("one", "two"):
            world.item(f"{folder}/{path}", size)
        ambiguous.append(scene_id)
    plain, item = world.pair(title="Harbour")
    attempts = world.drain(*ambiguous, plain)
    outcomes = {attempt.scene_id: (attempt.outcome, attempt.error_type) for attempt in attempts}
    assert [outcomes[scene_id] for scene_id in ambiguous] == [(Outcome.DEAD, "AmbiguousMatch")] * 8
    assert titles(world, [item]) == ["Harbour"]
    with world.installed() as installation:
        circuit = CircuitStore(installation.database, "plex").read()
        assert (circuit.state, circuit.failures, circuit.generation) == (CircuitState.CLOSED, 0, 0)
        found = DeadLetterStore(installation.queue).list()
        assert {len(letter.details["candidates"]) for letter in found} == {2}


class TestARefusedToken:
    """A wrong token dead-letters everything, one job at a time."""

    def test_of_plex_pauses_with_one_message_and_work_goes_on_by_itself(
        self, world: SyncWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(gate, "RETRY_REFUSED_EVERY_S", 0.5)
        pairs = [world.pair(title=f"Film {number}") for number in range(12)]
        items = [item for _, item in pairs]
        good_token = world.plex.token
        with world.working() as installation:
            enqueue(installation, pairs[0][0])
            eventually(lambda: idle(installation))
            world.plex.token = "another-fake-token"
            enqueue(installation, *(scene_id for scene_id, _ in pairs[1:]))
            eventually(lambda: "paused until the settings change" in caplog.text)
            time.sleep(2.0)  # several tries later
            assert caplog.text.count("paused until the settings change") == 1
            assert "check plex_token" in caplog.text
            assert len(pending_jobs(installation)) == 11
            assert not any("retry_count" in job for job in pending_jobs(installation))
            assert CircuitStore(installation.database, "plex").read().state is CircuitState.CLOSED
            world.plex.token = good_token
            eventually(lambda: idle(installation))
            assert letters(installation) == []
        assert titles(world, items) == [f"Film {number}" for number in range(12)]

    def test_of_stash_pauses_with_one_message_and_jobs_wait(
        self, locked_world: SyncWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(gate, "RETRY_REFUSED_EVERY_S", 0.5)
        pairs = [locked_world.pair(title=f"Film {number}") for number in range(12)]
        with locked_world.working(stash_api_key=SecretStr("stale-fake-key")) as installation:
            enqueue(installation, *(scene_id for scene_id, _ in pairs))
            eventually(lambda: "paused until the settings change" in caplog.text)
            time.sleep(2.0)
            assert caplog.text.count("paused until the settings change") == 1
            assert "stash_api_key" in caplog.text
            assert "stale-fake-key" not in caplog.text
            assert not any("retry_count" in job for job in pending_jobs(installation))
            assert letters(installation) == []
            assert installation.queue.total == 12
        with locked_world.working(stash_api_key=SecretStr(STASH_KEY)) as installation:
            eventually(lambda: idle(installation))
        assert titles(locked_world, [item for _, item in pairs]) == [f"Film {number}" for number in range(12)]


class TestNotFoundIsNotRememberedForLong:
    """Caches of "not found" that outlive the whole retry window: the retry never asks the server again."""

    def test_what_is_remembered_is_shorter_than_the_first_retrys_bound(self) -> None:
        assert rule_for(PlexNotFound("unscanned")).base_s > 2 * library_index.MISS_REFRESH_EVERY_S

    def test_a_retry_asks_plex_again_and_finds_what_came_meanwhile(
        self, world: SyncWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(library_index, "MISS_REFRESH_EVERY_S", 0.3)
        scene_id, path, size = world.scene(title="Late")
        with world.installed() as installation:
            attempts: list[Any] = []
            stop = threading.Event()
            # No refresh by time: only the retry itself can find out.
            loop = installation.work_loop(LoopLimits(refresh_index_every_s=3600), [attempts.append])
            thread = threading.Thread(target=loop.run, args=(stop,))
            thread.start()
            try:
                # The delay is drawn from nothing up to a bound: by now up to ten minutes, or it may be over by itself.
                installation.queue.put({**scene_job(scene_id, time.time()), "retry_count": 8})
                eventually(lambda: len(attempts) == 1)
                assert attempts[0].error_type == "PlexNotFound"
                item = world.item(path, size)
                time.sleep(0.4)
                assert installation.queue.wake_for_files([name_key(path)]) == 1
                eventually(lambda: idle(installation))
            finally:
                stop.set()
                thread.join()
        assert titles(world, [item]) == ["Late"]

    def test_a_file_that_comes_after_the_miss_and_before_the_waiting_is_not_waited_for(
        self, world: SyncWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene_id, path, size = world.scene(title="Just in time")
        items: list[PlexItem] = []
        requeue = EmbeddedQueue.requeue

        def requeue_once_it_came(queue: EmbeddedQueue, claimed: ClaimedJob, job: dict[str, Any]) -> None:
            if not items:
                items.append(world.item(path, size))
                loop.require_session().index.refresh()  # it wakes who waits for the file, and this job does not yet
            requeue(queue, claimed, job)

        monkeypatch.setattr(EmbeddedQueue, "requeue", requeue_once_it_came)
        with world.installed() as installation:
            stop = threading.Event()
            loop = installation.work_loop(LoopLimits(refresh_index_every_s=3600))
            thread = threading.Thread(target=loop.run, args=(stop,))
            thread.start()
            try:
                installation.queue.put({**scene_job(scene_id, time.time()), "retry_count": 8})
                eventually_within(lambda: bool(items) and idle(installation))
            finally:
                stop.set()
                thread.join()
        assert titles(world, items) == ["Just in time"]

    def test_threads_that_miss_side_by_side_ask_once_and_all_look_again(self, world: SyncWorld) -> None:
        with world.installed() as installation:
            index = world.session(installation).index
            world.plex.latency_s = 0.2
            answers: list[bool] = []
            barrier = threading.Barrier(6)

            def miss() -> None:
                barrier.wait(10)
                answers.append(index.refresh_after_miss(time.monotonic()))

            assert index.refresh_after_miss(time.monotonic()) is False  # asked a moment ago
            index._refreshed_at = None
            world.plex.clear_records()
            threads = [threading.Thread(target=miss) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert answers == [True] * 6
        assert len([request for request in world.plex.requests if request.path == "/library/sections"]) == 1


def test_after_an_outage_there_is_nothing_to_recover(world: SyncWorld) -> None:
    """Features that recover "outage jobs" look for a kind of dead letter that is never written."""
    pairs = [world.pair(title=f"Film {number}") for number in range(20)]
    with world.working(recovery_ramp=2) as installation:
        enqueue(installation, pairs[0][0])
        eventually(lambda: idle(installation))
        world.plex.down()
        enqueue(installation, *(scene_id for scene_id, _ in pairs[1:]))
        eventually(lambda: CircuitStore(installation.database, "plex").read().state is CircuitState.OPEN)
        eventually(lambda: installation.queue.total == 19)  # those in hand go back
        assert not any("retry_count" in job for job in pending_jobs(installation))
        world.plex.up()
        eventually(lambda: idle(installation))
        assert letters(installation) == []
    assert titles(world, [item for _, item in pairs]) == [f"Film {number}" for number in range(20)]
