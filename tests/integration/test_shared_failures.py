"""One failure that many jobs meet: it counts once, and it ends nobody else's attempt."""

from __future__ import annotations

import sqlite3
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from sync_world import SyncWorld, eventually

from scenesync.domain.item import ServerIdentity
from scenesync.domain.job import scene_job
from scenesync.domain.outcome import Outcome
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.simulators.plex import faults
from scenesync.store.circuits import CircuitStore
from scenesync.worker.attempts import Running
from scenesync.worker.availability.gate import Gate
from scenesync.worker.circuit_breaker import CircuitBreaker, CircuitState
from scenesync.worker.holdings import Holdings
from scenesync.worker.processor import SyncWorker
from scenesync.worker.settling import Settling

if TYPE_CHECKING:
    from pathlib import Path

    from scenesync.app.installation import Installation
    from scenesync.domain.circuit import Circuit
    from scenesync.worker.availability.plex_connection import PlexSession

pytestmark = pytest.mark.integration


def test_a_proof_that_cannot_be_read_once_does_not_open_the_circuit(world: SyncWorld) -> None:
    pairs = [world.pair(title=f"Film {number}") for number in range(8)]
    with world.working(workers=1) as installation:
        for scene_id, _ in pairs:
            installation.queue.put_job(scene_job(scene_id, 1.0))
        eventually(lambda: all(item.title.startswith("Film") for _, item in pairs))
        world.plex.fail_next(1, faults.status(500), only="read")
        eventually(lambda: sum(attempt.outcome is Outcome.RETRY for attempt in world.attempts) >= 5)
        assert installation.outages.latest(5) == ()
        assert circuit_of(installation).failures <= 1


def test_an_item_that_plex_refuses_at_the_second_sending_takes_no_other_with_it(world: SyncWorld) -> None:
    refused, _ = world.pair(title="Refused")
    swallowed, item = world.pair(title="Swallowed")
    world.plex.fail_next(2, faults.empty(), only="edit")
    world.plex.fail_next(1, faults.status(400), only="edit")
    attempts = world.drain(refused, swallowed, workers=1)
    outcomes = {attempt.scene_id: attempt.outcome for attempt in attempts}
    assert sorted(outcome.value for outcome in outcomes.values()) == ["dead", "synced"]
    titles = {world.plex.item(item.rating_key).title, *(each.title for each in world.plex.items())}
    assert len(titles & {"Refused", "Swallowed"}) == 1


def test_a_job_that_cannot_be_handed_back_stays_in_hand_until_it_can(tmp_path: Path) -> None:
    queue = EmbeddedQueue(tmp_path / "queue", timeout_s=0.05)
    holdings = Holdings()
    breaker = CircuitBreaker()
    worker = SyncWorker(queue, None, None, circuit_breaker=breaker)
    settling = Settling(worker, _DeafGate(), holdings, (), until_idle=False)
    settling.begin(threading.Event())
    queue.put_job(scene_job(7, 1.0))
    [claim] = queue.claim()
    holdings.add([claim])
    other = sqlite3.connect(tmp_path / "queue" / "data.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    settling.hand_back(Running(claim, cast("PlexSession", SimpleNamespace(identity=ServerIdentity("server", "1")))))
    assert holdings.has(claim)
    assert queue.confirm_owned(claim)
    settling.settle_the_unsettled()
    assert holdings.has(claim)
    other.execute("ROLLBACK")
    other.close()
    settling.settle_the_unsettled()
    assert holdings.is_empty()
    assert [again.scene_id for again in queue.claim()] == [7]
    assert breaker.state is CircuitState.CLOSED
    queue.close()


def circuit_of(installation: Installation) -> Circuit:
    return CircuitStore(installation.database, "plex").read()


class _DeafGate(Gate):
    """Hears of attempts and does nothing: there is no server here."""

    def __init__(self) -> None: ...

    def note(self, *_: object, **__: object) -> None: ...
