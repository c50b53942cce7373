"""Liveness by lease: for disks whose locks tell nothing. Real processes, killed and stopped."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenesync.queue import lease
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.errors import LeaseLost, QueueLocked

MakeJob = Callable[..., dict[str, object]]
OpenQueue = Callable[..., EmbeddedQueue]
Start = Callable[[], subprocess.Popen[str]]
RunSql = Callable[..., list[tuple[object, ...]]]

ROOT = Path(__file__).parents[3]
LEASE_S = 1.5
HOLD = """
import sys; sys.path.insert(0, {root!r})
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.errors import LeaseLost
queue = EmbeddedQueue({path!r}, journal="truncate", liveness="lease", lease_s={lease_s})
[claimed] = queue.claim()
print("holding", flush=True)
sys.stdin.readline()
try:
    queue.complete(claimed)
except LeaseLost:
    print("lost", flush=True)
else:
    print("completed", flush=True)
"""


@pytest.fixture
def start(queue_path: Path) -> Iterator[Start]:
    """Starts processes that hold one job each until a line comes on stdin, then complete it."""
    with contextlib.ExitStack() as stack:

        def start_one() -> subprocess.Popen[str]:
            script = HOLD.format(root=str(ROOT), path=str(queue_path), lease_s=LEASE_S)
            command = [sys.executable, "-c", script]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(child)
            stack.callback(child.kill)
            assert child.stdout is not None
            assert child.stdout.readline() == "holding\n"
            return child

        yield start_one


@pytest.fixture
def leased(open_queue: OpenQueue) -> EmbeddedQueue:
    return open_queue(journal="truncate", liveness="lease", lease_s=LEASE_S)


def claim_within(queue: EmbeddedQueue, seconds: float) -> list[object]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        queue.take_over_dead_owners()
        if claimed := queue.claim(5):
            return [one.job["scene_id"] for one in claimed]
        time.sleep(0.05)
    return []


def answer(child: subprocess.Popen[str]) -> str:
    out, _ = child.communicate("go on\n", timeout=60)
    return out.strip()


def test_job_of_a_killed_process_comes_back_when_its_lease_has_run_out(
    leased: EmbeddedQueue, make_job: MakeJob, start: Start
) -> None:
    leased.put_job(make_job(1))
    child = start()
    assert leased.take_over_dead_owners() == 0, "a lease that runs tells nothing"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert leased.take_over_dead_owners() == 0
    assert leased.claim() == []
    assert claim_within(leased, 60) == [1]


def test_claims_that_find_nothing_look_after_the_dead_by_themselves(
    leased: EmbeddedQueue, make_job: MakeJob, start: Start
) -> None:
    leased.put_job(make_job(1))
    child = start()
    child.send_signal(signal.SIGKILL)
    child.wait()
    deadline = time.monotonic() + 60
    while not (claimed := leased.claim()) and time.monotonic() < deadline:
        leased.wait_for_change(0.2)
    assert [one.deliveries for one in claimed] == [2]


def test_job_of_a_process_that_works_for_many_leases_stays_its_own(
    leased: EmbeddedQueue, make_job: MakeJob, start: Start
) -> None:
    leased.put_job(make_job(1))
    child = start()
    assert claim_within(leased, 3 * LEASE_S) == []
    assert answer(child) == "completed"


def stop(child: subprocess.Popen[str], queue_path: Path) -> None:
    """Stop the process at a moment in which it has no lock on the file.

    Stopped while it renews its lease it would keep the lock, and nobody could write before it goes on: SQLite's locks
    end with a process, not with its pace.
    """
    with contextlib.closing(sqlite3.connect(queue_path / "data.db", timeout=10.0, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        connection.execute("ROLLBACK")


def test_stopped_process_loses_its_job_and_what_it_does_later_is_refused(
    leased: EmbeddedQueue, make_job: MakeJob, start: Start, queue_path: Path
) -> None:
    leased.put_job(make_job(1))
    child = start()
    stop(child, queue_path)
    assert claim_within(leased, 60) == [1]
    child.send_signal(signal.SIGCONT)
    assert answer(child) == "lost"
    assert leased.totals() == (0, 0)


@pytest.mark.parametrize("jump_s", [-86_400.0, 3600.0, 86_400.0])
def test_clock_that_jumps_takes_no_job_from_the_living(
    leased: EmbeddedQueue, make_job: MakeJob, start: Start, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    leased.put_job(make_job(1))
    child = start()
    real = time.time
    monkeypatch.setattr(lease.time, "time", lambda: real() + jump_s)
    assert claim_within(leased, 2 * LEASE_S) == []
    assert answer(child) == "completed"


def test_dead_owners_job_comes_back_although_the_clock_was_set_back(
    leased: EmbeddedQueue, make_job: MakeJob, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    leased.put_job(make_job(1))
    child = start()
    child.kill()
    child.wait()
    real = time.time
    monkeypatch.setattr(lease.time, "time", lambda: real() - 86_400.0)
    assert claim_within(leased, 60) == [1]


def test_jobs_of_a_queue_that_was_closed_come_back_at_once_and_leave_no_lease(
    leased: EmbeddedQueue, open_queue: OpenQueue, make_job: MakeJob, sql: RunSql
) -> None:
    leased.put_job(make_job(1))
    leased.claim()
    assert len(sql("SELECT owner FROM leases")) == 1
    leased.close()
    assert sql("SELECT owner FROM leases") == []
    second = open_queue(journal="truncate", liveness="lease", lease_s=LEASE_S)
    assert [one.job["scene_id"] for one in second.claim()] == [1]


def test_leases_of_the_dead_are_swept_away(leased: EmbeddedQueue, sql: RunSql) -> None:
    leased.claim()
    sql("INSERT INTO leases VALUES ('4711-dead', 3, 1.0)")
    claim_within(leased, LEASE_S)
    assert [owner for (owner,) in sql("SELECT owner FROM leases")] == [leased._owner.name]


def test_renewing_outlasts_a_queue_that_is_busy(
    leased: EmbeddedQueue, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    leased.put_job(make_job(1))
    [claimed] = leased.claim()
    owner = leased._owner
    assert isinstance(owner, lease.LeaseOwner)
    failed, renewed = threading.Event(), threading.Event()
    renew = owner._renew

    def fail_once() -> None:
        if not failed.is_set():
            failed.set()
            raise QueueLocked("/data")
        renew()
        renewed.set()

    monkeypatch.setattr(owner, "_renew", fail_once)
    assert renewed.wait(30)
    leased.complete(claimed)
    with pytest.raises(LeaseLost):
        leased.complete(claimed)


def test_queue_with_locks_renews_nothing(queue: EmbeddedQueue, sql: RunSql) -> None:
    queue.claim()
    assert sql("SELECT COUNT(*) FROM leases") == [(0,)]
    assert not [thread for thread in threading.enumerate() if thread.name == "queue-lease"]
    assert os.getpid()
