"""A circuit that several processes share: in real files, with real processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from scenesync.store.circuits import CircuitStore
from scenesync.store.database import Database, open_database
from scenesync.store.errors import StoreUnavailable
from scenesync.worker.availability import shared_circuit
from scenesync.worker.availability.shared_circuit import LOOK_EVERY_S, SharedCircuit
from scenesync.worker.circuit_breaker import CircuitBreaker, CircuitState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scenesync.domain.circuit import Circuit

ROOT = Path(__file__).parents[3]
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
PROCESSES = 4

ASK_FOR_THE_PROBE = """
import sys
from pathlib import Path
from scenesync.store.circuits import CircuitStore
from scenesync.store.database import open_database
from scenesync.worker.circuit_breaker import CircuitBreaker
from scenesync.worker.availability.shared_circuit import SharedCircuit

with open_database(Path(sys.argv[1])) as database:
    breaker = CircuitBreaker(1, 0.0, keeper=SharedCircuit(CircuitStore(database, "plex")))
    print("ready", flush=True)
    sys.stdin.readline()
    print("permit" if breaker.try_acquire() else "none", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scenesync.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with open_database(path) as opened:
        yield opened


def sharing(
    database: Database,
    threshold: int = 5,
    timeout_s: float = 60.0,
    lives: Callable[[str], bool] = lambda _: True,
    **options: float,
) -> CircuitBreaker:
    return CircuitBreaker(
        threshold,
        timeout_s,
        probe_timeout=options.get("probe_timeout", 120.0),
        keeper=SharedCircuit(CircuitStore(database, "plex")),
        me=lambda: "one of them",
        lives=lives,
    )


def look_again() -> None:
    time.sleep(LOOK_EVERY_S * 1.2)


@contextmanager
def processes(path: Path, count: int) -> Iterator[Sequence[subprocess.Popen[str]]]:
    """Start processes that wait for a line before each step."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", ASK_FOR_THE_PROBE, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(count)
    ]
    try:
        for child in children:
            assert said(child) == "ready"
        yield children
    finally:
        for child in children:
            child.kill()
            child.communicate()


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


class TestSeveralProcesses:
    def test_half_open_lets_exactly_one_of_them_through(self, path: Path, database: Database) -> None:
        breaker = sharing(database, 1, 0.0)
        breaker.record_failure()
        with processes(path, PROCESSES) as children:
            for child in children:
                go(child)
            answers = sorted(said(child) for child in children)
        assert answers == ["none"] * (PROCESSES - 1) + ["permit"]

    def test_one_that_is_killed_with_the_permit_blocks_until_it_expires_and_no_longer(
        self, path: Path, database: Database
    ) -> None:
        breaker = sharing(database, 1, 0.0)
        breaker.record_failure()
        with processes(path, 1) as (child,):
            go(child)
            assert said(child) == "permit"
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        look_again()
        assert breaker.state is HALF_OPEN
        assert breaker.try_acquire() is None
        with freeze_time(datetime.now(UTC) + timedelta(seconds=121)):
            assert breaker.try_acquire() is not None

    def test_who_knows_that_it_died_need_not_wait(self, path: Path, database: Database) -> None:
        breaker = sharing(database, 1, 0.0)
        breaker.record_failure()
        with processes(path, 1) as (child,):
            go(child)
            assert said(child) == "permit"
        assert sharing(database, 1, 0.0).try_acquire() is None
        successor = sharing(database, 1, 0.0, lives=lambda _: False)
        assert successor.try_acquire() is not None
        assert sharing(database, 1, 0.0).try_acquire() is None  # which is the one probe again


class TestSharing:
    def test_an_open_circuit_outlives_the_process(self, path: Path) -> None:
        with open_database(path) as first:
            breaker = sharing(first)
            for _ in range(5):
                breaker.record_failure()
        with open_database(path) as second:
            assert sharing(second).state is OPEN
            assert not sharing(second).can_execute()
            assert sharing(second).try_acquire() is None

    def test_failures_of_several_are_counted_together(self, database: Database) -> None:
        one, other = sharing(database, 4), sharing(database, 4)
        for breaker in (one, other, one, other):
            breaker.record_failure()
        look_again()
        assert (one.state, other.state) == (OPEN, OPEN)

    def test_what_another_one_does_is_seen_and_told_soon(self, database: Database) -> None:
        heard: list[tuple[CircuitState, CircuitState]] = []
        watching = CircuitBreaker(
            keeper=SharedCircuit(CircuitStore(database, "plex")), on_change=lambda old, new: heard.append((old, new))
        )
        acting = sharing(database, 1)
        acting.record_failure()
        look_again()
        assert watching.state is OPEN
        acting.reset()
        look_again()
        assert watching.state is CLOSED
        assert heard == [(CLOSED, OPEN), (OPEN, CLOSED)]

    def test_each_service_has_its_own(self, database: Database) -> None:
        plex = sharing(database, 1)
        stash = CircuitBreaker(1, keeper=SharedCircuit(CircuitStore(database, "stash")))
        plex.record_failure()
        look_again()
        assert (plex.state, stash.state) == (OPEN, CLOSED)

    def test_calls_that_began_before_another_process_opened_it_count_for_nothing(self, database: Database) -> None:
        one, other = sharing(database, 2), sharing(database, 2)
        early = one.try_acquire()
        other.record_failure()
        other.record_failure()
        other.reset()
        look_again()
        one.record_failure(early)
        assert one.failure_count == 0
        one.record_failure(one.try_acquire())
        assert one.failure_count == 1


class CountingStore:
    """A circuit in a real store, with an account of what is asked of it, and a disk that can be full."""

    def __init__(self, database: Database) -> None:
        self._store = CircuitStore(database, "plex")
        self.service = "plex"
        self.reads = self.writes = 0
        self.is_full = False

    def read(self) -> Circuit:
        self.reads += 1
        return self._store.read()

    def update(self, change: Callable[[Circuit], Circuit]) -> Circuit:
        self.writes += 1
        if self.is_full:
            raise StoreUnavailable("no space (SQLITE_FULL)")
        return self._store.update(change)


class TestCost:
    def test_successes_in_closed_write_nothing_and_hardly_read(self, database: Database) -> None:
        store = CountingStore(database)
        breaker = CircuitBreaker(keeper=SharedCircuit(store))
        started = time.monotonic()
        for _ in range(2000):
            breaker.record_success(breaker.try_acquire())
        looks = (time.monotonic() - started) / LOOK_EVERY_S
        assert store.writes == 0
        assert store.reads <= looks + 2

    def test_an_outage_of_many_probes_writes_next_to_nothing(self, database: Database) -> None:
        store = CountingStore(database)
        breaker = CircuitBreaker(keeper=SharedCircuit(store))
        for _ in range(500):
            breaker.record_failure()
        assert store.writes == 5


class TestStoreInTrouble:
    def test_the_circuit_goes_on_in_memory_with_one_warning_and_comes_back(
        self, database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shared_circuit, "TRY_STORE_AGAIN_AFTER_S", 0.3)
        caplog.set_level("INFO")
        store = CountingStore(database)
        breaker = CircuitBreaker(3, keeper=SharedCircuit(store))
        store.is_full = True
        for _ in range(3):
            breaker.record_failure()
        look_again()
        assert breaker.state is OPEN
        breaker.allow_probe()
        breaker.record_failure(breaker.try_acquire())
        assert breaker.state is OPEN
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "SQLITE_FULL" in caplog.text
        store.is_full = False
        time.sleep(0.35)
        assert breaker.state is OPEN
        assert sharing(database).state is OPEN
        assert "is kept in the store again" in caplog.text

    def test_a_full_store_is_not_asked_at_every_call(self, database: Database) -> None:
        store = CountingStore(database)
        breaker = CircuitBreaker(100, keeper=SharedCircuit(store))
        store.is_full = True
        for _ in range(50):
            breaker.record_failure()
        assert store.writes == 1
        assert breaker.failure_count == 50

    def test_a_store_that_somebody_else_keeps_locked_stops_nobody(
        self, path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shared_circuit, "TRY_STORE_AGAIN_AFTER_S", 0.2)
        breaker = CircuitBreaker(3, keeper=SharedCircuit(CircuitStore(database, "plex")))
        with database.transaction() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=20")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                breaker.record_failure()
            assert breaker.state is OPEN
            assert CircuitStore(database, "plex").read().state is CLOSED
            other.execute("ROLLBACK")
        look_again()
        assert breaker.state is OPEN
        assert CircuitStore(database, "plex").read().state is OPEN


class TestTime:
    @pytest.mark.parametrize("moved_to", ["2024-04-01 12:00:00", "2024-06-01 12:00:00"], ids=["back", "forward"])
    def test_a_clock_that_jumps_does_not_freeze_an_open_circuit(self, database: Database, moved_to: str) -> None:
        with freeze_time("2024-05-01 12:00:00") as clock:
            breaker = sharing(database, 1)
            breaker.record_failure()
            clock.move_to(moved_to)
            breaker.can_execute()
            clock.tick(60.0)
            assert breaker.state is HALF_OPEN
            assert breaker.try_acquire() is not None

    @pytest.mark.parametrize("moved_to", ["2024-04-01 12:00:00", "2024-06-01 12:00:00"], ids=["back", "forward"])
    def test_a_clock_that_jumps_does_not_keep_a_lost_probe_alive(self, database: Database, moved_to: str) -> None:
        with freeze_time("2024-05-01 12:00:00") as clock:
            breaker = sharing(database, 1, 0.0)
            breaker.record_failure()
            assert breaker.try_acquire() is not None
            clock.move_to(moved_to)
            assert breaker.try_acquire() is not None

    def test_a_clock_set_back_before_a_restart_does_not_prolong_the_outage(self, path: Path) -> None:
        with freeze_time("2024-05-01 12:00:00"), open_database(path) as database:
            sharing(database, 1).record_failure()
        with freeze_time("2024-04-01 12:00:00") as clock, open_database(path) as database:
            assert sharing(database, 1).state is OPEN
            clock.tick(60.0)
            assert sharing(database, 1).state is HALF_OPEN
