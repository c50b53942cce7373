import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenesync.queue import spool
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue

StartProcess = Callable[..., subprocess.Popen[str]]

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PRELUDE = f"import sys, time; sys.path.insert(0, {str(ROOT)!r}); from scenesync.queue.embedded import EmbeddedQueue\n"

DRAIN = """
queue = EmbeddedQueue(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
while claimed := queue.claim():
    for one in claimed:
        print(one.job["scene_id"], flush=True)
        queue.complete(one)
queue.close()
"""
HOLD = """
queue = EmbeddedQueue(sys.argv[1])
print([one.job["scene_id"] for one in queue.claim(int(sys.argv[2]))], flush=True)
sys.stdin.readline()
"""
PUT = """
queue = EmbeddedQueue(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
first = int(sys.argv[2])
for number in range(first, first + 100):
    queue.put_job({"scene_id": number % 150 + 1, "job_key": f"scene_{number % 150 + 1}", "data": {}, "n": number})
queue.close()
"""


def job(scene_id: int) -> dict[str, object]:
    return {"scene_id": scene_id, "update_type": "metadata", "data": {}, "job_key": f"scene_{scene_id}"}


@pytest.fixture
def queue_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "system-tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "system-tmp"))
    return tmp_path / "queue"


@pytest.fixture
def start() -> Iterator[StartProcess]:
    """Starts Python processes that talk over pipes; whatever still runs at the end is killed."""
    with contextlib.ExitStack() as stack:

        def start_one(code: str, *arguments: object) -> subprocess.Popen[str]:
            child = subprocess.Popen(
                [sys.executable, "-c", PRELUDE + code, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(child.communicate)
            stack.callback(child.kill)
            return child

        yield start_one


@pytest.fixture
def queue(queue_path: Path) -> Iterator[EmbeddedQueue]:
    with contextlib.closing(EmbeddedQueue(queue_path)) as opened:
        yield opened


def test_processes_that_claim_at_once_get_every_job_once(
    queue: EmbeddedQueue, queue_path: Path, start: StartProcess
) -> None:
    queue.put_many(job(number) for number in range(400))
    workers = [start(DRAIN, queue_path) for _ in range(4)]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 4
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    done = [[int(line) for line in worker.communicate(timeout=100)[0].split()] for worker in workers]
    assert sorted(number for numbers in done for number in numbers) == list(range(400))
    assert queue.totals() == (400, 0)


def test_killed_workers_jobs_are_taken_over_at_once_and_a_living_ones_stay(
    queue: EmbeddedQueue, queue_path: Path, start: StartProcess
) -> None:
    queue.put_many(job(number) for number in range(1, 7))
    doomed, living = start(HOLD, queue_path, 2), None
    assert doomed.stdout.readline() == "[1, 2]\n"
    living = start(HOLD, queue_path, 2)
    assert living.stdout.readline() == "[3, 4]\n"
    doomed.kill()
    doomed.wait()
    assert queue.take_over_dead_owners() == 2
    assert sorted(one.job["scene_id"] for one in queue.claim(10)) == [1, 2, 5, 6]
    living.communicate("over\n", timeout=30)  # ends without finishing its jobs
    assert queue.take_over_dead_owners() == 2


def test_merely_opening_the_queue_takes_nothing_from_a_stopped_process(
    queue: EmbeddedQueue, queue_path: Path, start: StartProcess
) -> None:
    """Frozen is not dead: no clock decides."""
    queue.put_many(job(number) for number in range(1, 3))
    worker = start(HOLD, queue_path, 2)
    assert worker.stdout.readline() == "[1, 2]\n"
    worker.send_signal(signal.SIGSTOP)
    with contextlib.closing(EmbeddedQueue(queue_path, auto_resume=True)) as other:
        assert other.claim(5) == []
        assert (other.unack_count(), other.size) == (2, 0)


def test_put_by_another_process_ends_the_wait(queue: EmbeddedQueue, queue_path: Path, start: StartProcess) -> None:
    putter = start(PUT, queue_path, 0)
    assert putter.stdout.readline() == "ready\n"
    assert queue.claim() == []
    putter.stdin.write("go\n")
    putter.stdin.flush()
    begun = time.monotonic()
    assert queue.wait_for_change(30)
    assert time.monotonic() - begun < 20
    assert len(queue.claim()) == 1


def test_events_of_several_processes_leave_one_pending_job_per_scene(
    queue: EmbeddedQueue, queue_path: Path, start: StartProcess
) -> None:
    putters = [start(PUT, queue_path, number * 60) for number in range(4)]
    assert [putter.stdout.readline() for putter in putters] == ["ready\n"] * 4
    for putter in putters:
        putter.stdin.write("go\n")
        putter.stdin.flush()
    for putter in putters:
        putter.communicate(timeout=60)
        assert putter.returncode == 0
    keys = [waiting.job["job_key"] for waiting in queue.list_pending(1000)]
    assert len(keys) == len(set(keys)) == 150


def test_processes_that_open_a_new_queue_at_once_all_succeed(queue_path: Path, start: StartProcess) -> None:
    workers = [start(DRAIN, queue_path) for _ in range(6)]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 6
    for worker in workers:
        worker.communicate("go\n", timeout=60)
        assert worker.returncode == 0


def test_kill_at_any_moment_of_a_drain_loses_and_doubles_nothing(
    queue: EmbeddedQueue, queue_path: Path, start: StartProcess
) -> None:
    queue.put_many(job(number) for number in range(200))
    completed: list[int] = []
    for delay in (0.0, 0.01, 0.03, 0.06):
        worker = start(DRAIN, queue_path)
        assert worker.stdout.readline() == "ready\n"
        worker.stdin.write("go\n")
        worker.stdin.flush()
        time.sleep(delay)
        worker.kill()
        completed += [int(line) for line in worker.communicate()[0].split("\n")[:-1]]
    queue.take_over_dead_owners()
    waiting = {one.job["scene_id"] for one in queue.list_pending(1000)}
    assert queue.unack_count() == 0
    assert len(waiting) == queue.size, "no job waits twice"
    assert waiting | set(completed) == set(range(200)), "no job is lost"
    assert queue.totals()[0] + queue.size == 200
    assert DeadLetterStore(queue).count() == 0
    with queue.reading() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_processes_that_take_in_one_spool_do_not_double_it(queue_path: Path, start: StartProcess) -> None:
    for number in range(1, 101):
        content = {**job(number), "enqueued_at": 1.0}
        spool.write_event(str(queue_path), json.dumps(content).encode())
    workers = [start(DRAIN, queue_path) for _ in range(3)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    done = [int(line) for worker in workers for line in worker.communicate(timeout=60)[0].split()]
    assert sorted(done) == list(range(1, 101))
    assert list((queue_path / "spool").iterdir()) == []
