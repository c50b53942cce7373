"""Outages from their first failure to full speed again: noticed, kept over restarts, paced, written down."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sync_world import eventually

from scenesync.app.data_directory import queue_folder
from scenesync.app.overview import read_overview
from scenesync.app.settings import Settings
from scenesync.domain import circuit as steps
from scenesync.domain.job import scene_job
from scenesync.queue.snapshot import read_snapshot
from scenesync.simulators.plex import faults
from scenesync.store.circuits import CircuitStore
from scenesync.store.outages import OutageStore
from scenesync.worker.availability.pacing import BURST_S, FIRST_RATE, FULL_RATE
from scenesync.worker.circuit_breaker import CircuitState
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sync_world import SyncWorld

    from scenesync.app.installation import Installation

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

PATIENCE_S = 60.0
PACED = "the rate of jobs grows"


def enqueue(installation: Installation, scene_ids: Iterable[int]) -> None:
    for scene_id in scene_ids:
        installation.queue.put_job(scene_job(scene_id, time.time()))


def idle(installation: Installation) -> bool:
    queue = read_snapshot(queue_folder(installation.settings.data_dir))
    return queue.pending == 0 and queue.in_progress == 0


def circuit(installation: Installation, service: str = "plex") -> CircuitState:
    return CircuitStore(installation.database, service).read().state


def begin_outage(world: SyncWorld, installation: Installation, jobs: int) -> None:
    """Sync one scene, then let ``jobs`` others wait for a Plex that is down until the circuit is open."""
    pairs = [world.pair(title=f"Film {number}") for number in range(jobs + 1)]
    enqueue(installation, [pairs[0][0]])
    eventually(lambda: idle(installation))
    world.plex.down()
    enqueue(installation, [scene_id for scene_id, _ in pairs[1:]])
    eventually(lambda: circuit(installation) is CircuitState.OPEN)


def begun_at(world: SyncWorld) -> list[float]:
    """Return when the worker took each job in hand, in epoch seconds, by the queue's own rows."""
    with closing(sqlite3.connect(queue_folder(world.data_dir) / "data.db")) as connection:
        rows = connection.execute("SELECT claimed_at FROM ack_queue_default WHERE claimed_at IS NOT NULL").fetchall()
    return sorted(at for (at,) in rows)


def most_begun_within(since_s: float, ramp_s: float) -> float:
    """Return how many jobs may have begun in that time after the outage: what the ramp adds up to, and one burst."""
    growth = math.log(FULL_RATE / FIRST_RATE) / ramp_s
    climbed_s = min(since_s, ramp_s)
    rate = FIRST_RATE * math.exp(growth * climbed_s)
    return 1 + (rate - FIRST_RATE) / growth + FULL_RATE * (since_s - climbed_s) + max(1.0, rate * BURST_S)


class TestRestarts:
    def test_an_open_circuit_is_open_after_a_restart_and_closes_by_a_probe(self, world: SyncWorld) -> None:
        with world.working() as installation:
            begin_outage(world, installation, 3)
        with world.installed() as installation:
            assert circuit(installation) is CircuitState.OPEN
        world.plex.clear_records()
        world.plex.starting_up()
        world.plex.up()
        with world.working() as installation:
            time.sleep(2.0)
            assert set(world.plex.counts()) == {"identity"}
            assert circuit(installation) is CircuitState.OPEN
            world.plex.starting_up(on=False)
            eventually(lambda: idle(installation))
            assert circuit(installation) is CircuitState.CLOSED
            (outage,) = OutageStore(installation.database).latest(5)  # one, although two processes saw it
            assert outage.ended_at is not None

    def test_a_probe_of_a_process_that_died_does_not_hold_up_its_successor(self, world: SyncWorld) -> None:
        with world.working() as installation:
            begin_outage(world, installation, 1)
        with world.installed() as installation:
            CircuitStore(installation.database, "plex").update(
                lambda kept: steps.with_probe(steps.heard(kept), steps.CircuitLimits(), time.time(), "of the dead")
            )
        world.plex.up()
        with world.working() as installation:
            eventually(lambda: idle(installation), within_s=10)

    def test_an_open_circuit_of_stash_is_open_after_a_restart_and_no_job_is_claimed_to_find_out(
        self, world: SyncWorld
    ) -> None:
        scene_id, item = world.pair(title="Harbour")
        world.stash.down()
        with world.working() as installation:
            enqueue(installation, [scene_id])
            eventually(lambda: circuit(installation, "stash") is CircuitState.OPEN)
        attempts = len(world.attempts)
        with world.working() as installation:
            time.sleep(2.5)
            assert circuit(installation, "stash") is CircuitState.OPEN
            assert len(world.attempts) == attempts
            world.stash.up()
            eventually(lambda: idle(installation), within_s=10)
            assert circuit(installation, "stash") is CircuitState.CLOSED
            assert installation.services.read("stash").reachability == "up"
        assert world.plex.item(item.rating_key).title == "Harbour"


class TestReset:
    def test_a_reset_from_elsewhere_is_seen_within_a_second_and_plex_is_asked_at_once(
        self, world: SyncWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        with world.working() as installation:
            begin_outage(world, installation, 2)
            CircuitStore(installation.database, "plex").update(steps.closed)
            eventually(lambda: "circuit of plex open -> closed" in caplog.text, within_s=3)
            time.sleep(1.0)
            assert installation.queue.total == 2
            assert not any("retry_count" in pending.job for pending in installation.queue.list_pending())
            world.plex.up()
            eventually(lambda: idle(installation))


class TestRecovery:
    def test_the_first_edit_comes_within_two_seconds_and_no_burst_follows(
        self, world: SyncWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        ramp_s = 6.0
        with world.working(recovery_ramp=ramp_s) as installation:
            begin_outage(world, installation, 120)
            world.plex.clear_records()
            world.plex.up()
            answering = time.monotonic()
            eventually(lambda: idle(installation), within_s=PATIENCE_S)
            edits = [request.at_monotonic - answering for request in world.plex.requests if request.kind == "edit"]
            (outage,) = OutageStore(installation.database).latest(5)
            begun = [at - outage.ended_at for at in begun_at(world) if at > outage.ended_at]
        assert PACED in caplog.text
        assert len(edits) == len(begun) == 120
        assert edits[0] < 2.0
        # Edits bunch up behind a slow first one, on a busy machine above all; when jobs began is what the pace decides.
        for before, since_s in enumerate(begun):
            assert before <= most_begun_within(since_s, ramp_s)
        assert len([since_s for since_s in begun if since_s < 1.0]) <= 2 * FIRST_RATE + 2

    def test_without_a_ramp_all_goes_at_once(self, world: SyncWorld, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO")
        with world.working(recovery_ramp=0) as installation:
            begin_outage(world, installation, 60)
            world.plex.up()
            eventually(lambda: idle(installation), within_s=PATIENCE_S)
        assert "plex is available again" in caplog.text
        assert PACED not in caplog.text

    def test_a_run_until_idle_ends_although_its_jobs_are_paced(self, world: SyncWorld) -> None:
        with world.working() as installation:
            begin_outage(world, installation, 6)
        world.plex.up()
        with world.installed(recovery_ramp=600) as installation:
            loop = installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=10)
            loop.run(threading.Event())
            assert idle(installation)

    def test_a_stop_is_immediate_while_jobs_are_paced(self, world: SyncWorld) -> None:
        with world.working(recovery_ramp=600) as installation:
            begin_outage(world, installation, 100)
            world.plex.up()
            eventually(lambda: world.plex.counts().get("edit", 0) >= 2)
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 4
        with world.installed() as installation:
            assert installation.queue.total > 80

    def test_a_restart_in_the_middle_of_it_is_no_way_around_the_pace(self, world: SyncWorld) -> None:
        with world.working(recovery_ramp=600) as installation:
            begin_outage(world, installation, 60)
            world.plex.up()
            eventually(lambda: world.plex.counts().get("edit", 0) >= 3, within_s=PATIENCE_S)
        before = world.plex.counts()["edit"]
        with world.working(recovery_ramp=600):
            begun = time.monotonic()
            eventually(lambda: world.plex.counts()["edit"] >= before + 5, within_s=PATIENCE_S)
            time.sleep(1.0)
            took_s = time.monotonic() - begun
            assert world.plex.counts()["edit"] - before <= 2 + FIRST_RATE * 1.1 * took_s

    def test_one_failed_call_is_no_outage_and_slows_down_nobody(
        self, world: SyncWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        pairs = [world.pair(title=f"Film {number}") for number in range(40)]
        with world.working() as installation:
            enqueue(installation, [pairs[0][0]])
            eventually(lambda: idle(installation))
            world.plex.fail_next(1, faults.maintenance(), only="read")
            enqueue(installation, [scene_id for scene_id, _ in pairs[1:]])
            eventually(lambda: idle(installation), within_s=PATIENCE_S)
            assert PACED not in caplog.text
            assert OutageStore(installation.database).latest(5) == ()


class TestHistory:
    def test_an_outage_is_kept_with_its_cause_and_the_jobs_that_waited(self, world: SyncWorld) -> None:
        with world.working() as installation:
            begin_outage(world, installation, 5)
            more, _ = world.pair(title="One more")
            enqueue(installation, [more])
            time.sleep(0.5)
            world.plex.up()
            eventually(lambda: idle(installation))
            (outage,) = OutageStore(installation.database).latest(5)
        assert outage.service == "plex"
        assert "cannot be reached" in outage.cause
        assert 0 <= outage.jobs_waiting <= 6  # counted a moment after the circuit opened
        assert outage.jobs_waiting_at_end == 6
        assert outage.duration_s is not None
        assert outage.duration_s > 0.5
        figures = read_overview(Settings(data_dir=world.data_dir)).as_document()["reliability"]
        assert isinstance(figures, dict)
        assert figures["plex"]["outages_30d"] == 1
        assert figures["plex"]["mttr_s"] == pytest.approx(outage.duration_s)
        known_s = figures["plex"]["observed_s"]
        assert outage.duration_s < known_s < 600  # since the first look, not for thirty days
        assert figures["plex"]["availability"] == pytest.approx(1 - outage.duration_s / known_s)
        assert (figures["stash"]["availability"], figures["stash"]["outages_30d"]) == (1.0, 0)
        assert 0 < figures["stash"]["observed_s"] < 600

    def test_an_outage_ends_when_plex_answers_even_if_it_then_refuses_the_token(self, world: SyncWorld) -> None:
        with world.working() as installation:
            begin_outage(world, installation, 1)
            world.plex.token = "another-fake-token"
            world.plex.up()
            eventually(lambda: installation.services.read("plex").reachability == "up")
            (outage,) = OutageStore(installation.database).latest(5)
            assert outage.ended_at is not None
            assert installation.queue.total == 1


class TestDeadLetters:
    def test_a_letter_knows_its_attempts_with_their_times(self, world: SyncWorld) -> None:
        scene_id, _ = world.pair(title="Harbour")
        world.plex.fail_next(1000, faults.status(500), only="read")
        begun = time.time()
        for _ in range(2):
            world.drain(scene_id, max_retries=9)
        with world.installed(max_retries=1) as installation:
            enqueue(installation, [scene_id])
            installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=10).run(threading.Event())
            (letter,) = installation.dead_letters.list()
        attempts = letter.details["attempts"]
        *earlier, last = [attempt["outcome"] for attempt in attempts]
        assert (set(earlier), last) == ({"retry"}, "dead")
        assert len(earlier) >= 2
        assert all(attempt["error"].startswith("PlexTemporaryError: ") for attempt in attempts)
        times = [attempt["at"] for attempt in attempts]
        assert times == sorted(times)
        assert begun <= times[0] <= times[-1] <= time.time()
