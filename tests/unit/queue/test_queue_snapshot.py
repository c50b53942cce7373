import os
import time
from collections.abc import Callable
from pathlib import Path

from queue_engines import both_engines

from scenesync.queue import spool
from scenesync.queue.dead_letters import DeadLetter
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.errors import QueueUnwritable
from scenesync.queue.port import Queue
from scenesync.queue.read_only import QueueReader, read_queue
from scenesync.queue.records import QueueSnapshot
from scenesync.queue.snapshot import read_snapshot

MakeJob = Callable[..., dict[str, object]]
OpenQueue = Callable[..., EmbeddedQueue]


def test_without_a_queue_there_are_zeros_and_nothing_is_made(queue_path: Path) -> None:
    assert read_snapshot(queue_path) == QueueSnapshot()
    assert not queue_path.parent.exists()


def test_empty_file_counts_as_no_queue(queue_path: Path) -> None:
    queue_path.mkdir(parents=True)
    (queue_path / "data.db").touch()
    assert read_snapshot(queue_path) == QueueSnapshot()
    assert (queue_path / "data.db").stat().st_size == 0


def test_everything_is_counted(queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob) -> None:
    now = time.time()
    queue.put_many(make_job(number) for number in range(1, 6))
    queue.put(make_job(8, next_retry_at=now + 100, last_error_type="PlexNotFound", retry_count=1))
    queue.put(make_job(9, next_retry_at=now + 90, last_error_type="PlexBusy", retry_count=1))
    done, failed, _ = queue.claim(3)
    queue.complete(done)
    queue.bury(failed, DeadLetter(failed.job, "Bug", "x"))
    spool.write_event(str(queue_path), b"{}")
    snapshot = read_snapshot(queue_path, now + 60)
    assert snapshot.oldest_pending_s is not None
    assert 55 < snapshot.oldest_pending_s < 65
    assert snapshot == QueueSnapshot(
        pending=5,
        due=3,
        in_progress=1,
        dead_letters=1,
        completed_total=1,
        failed_total=1,
        oldest_pending_s=snapshot.oldest_pending_s,
        waiting_by_error={"PlexBusy": 1, "PlexNotFound": 1},
        spooled=1,
    )


@both_engines
def test_a_queue_tells_its_own_figures(queue: Queue, make_job: MakeJob) -> None:
    now = time.time()
    assert queue.snapshot() == QueueSnapshot()
    queue.put_many(make_job(number) for number in range(1, 6))
    queue.put_job(make_job(8, next_retry_at=now + 100, last_error_type="PlexNotFound", retry_count=1))
    queue.put_job(make_job(9, next_retry_at=now + 90, last_error_type="PlexBusy", retry_count=1))
    done, failed, _ = queue.claim(3)
    queue.complete(done)
    queue.bury(failed, DeadLetter(failed.job, "Bug", "x"))
    snapshot = queue.snapshot(now + 60)
    assert snapshot.oldest_pending_s is not None
    assert 55 < snapshot.oldest_pending_s < 65
    assert snapshot == QueueSnapshot(
        pending=4,
        due=2,
        in_progress=1,
        dead_letters=1,
        completed_total=1,
        failed_total=1,
        oldest_pending_s=snapshot.oldest_pending_s,
        waiting_by_error={"PlexBusy": 1, "PlexNotFound": 1},
    )
    assert queue.snapshot(now + 120).due == 4


def test_reading_leaves_no_trace_whether_the_queue_is_open_or_not(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob
) -> None:
    def state() -> dict[str, tuple[bytes, int]]:
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in queue_path.iterdir()}

    queue.put_job(make_job(1))
    before = state()
    assert read_snapshot(queue_path).pending == 1
    assert {name: state()[name] for name in ("data.db", "data.db-wal")} == {
        name: before[name] for name in ("data.db", "data.db-wal")
    }
    queue.close()
    before, folder = state(), queue_path.stat().st_mtime_ns
    assert list(before) == ["data.db"]
    assert read_snapshot(queue_path).pending == 1
    assert state() == before
    assert queue_path.stat().st_mtime_ns == folder


def test_log_left_by_a_crash_is_read(queue_path: Path, make_job: MakeJob) -> None:
    pid = os.fork()
    if pid == 0:  # dies with its change in the log only
        queue = EmbeddedQueue(queue_path)  # named, or it would be closed, which folds the log into the file
        queue.put_job(make_job(1))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert (queue_path / "data.db-wal").stat().st_size > 0
    assert read_snapshot(queue_path).pending == 1


def test_a_look_that_met_the_file_at_a_bad_moment_is_repeated(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1))
    moments = iter([QueueUnwritable(str(queue_path), "just being written"), None])

    def question(reader: QueueReader) -> int:
        if (trouble := next(moments)) is not None:
            raise trouble
        return len(reader.list_pending(10))

    assert read_queue(queue_path, question) == 1
