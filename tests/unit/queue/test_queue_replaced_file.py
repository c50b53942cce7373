"""A file that is moved or deleted while somebody works with it: noticed, said, and nothing acknowledged is lost."""

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenesync.queue import inbox, open_file, salvage, spool
from scenesync.queue.dead_letters import DeadLetter, DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.errors import QueueDamaged, QueueLocked, QueueReplaced
from scenesync.queue.owner_lock import KernelLock

MakeJob = Callable[..., dict[str, object]]
OpenQueue = Callable[..., EmbeddedQueue]

OPERATIONS: dict[str, Callable[[EmbeddedQueue], object]] = {
    "claim": lambda queue: queue.claim(),
    "list": lambda queue: queue.list_pending(),
    "wait": lambda queue: queue.wait_for_change(5),
    "take over": lambda queue: queue.take_over_dead_owners(),
    "maintain": lambda queue: queue.maintain(),
}


@pytest.fixture
def always_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time does not have to pass for a look at the path."""
    monkeypatch.setattr(open_file, "LOOK_EVERY_S", -1.0)


@pytest.fixture
def hook_connections() -> Iterator[None]:
    yield
    for connection in inbox._LEFT_OPEN:
        connection.close()
    inbox._LEFT_OPEN.clear()


def delete(queue_path: Path) -> None:
    for file in queue_path.glob("data.db*"):
        file.unlink()


def replace(queue_path: Path) -> None:
    delete(queue_path)
    with contextlib.closing(EmbeddedQueue(queue_path)):
        pass


@pytest.mark.usefixtures("always_looking")
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("change", [delete, replace])
def test_whoever_works_in_a_file_that_is_gone_is_told(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob, operation: str, change: Callable[[Path], None]
) -> None:
    queue.put_job(make_job(1))
    change(queue_path)
    with pytest.raises(QueueReplaced, match="Start it again") as caught:
        OPERATIONS[operation](queue)
    assert isinstance(caught.value, QueueDamaged)


def wait_for(queue: EmbeddedQueue, *, seconds: int) -> None:
    for _ in range(seconds):
        queue.wait_for_change(1)


def test_a_file_that_is_gone_is_noticed_within_a_second(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1))
    queue.complete(queue.claim()[0])
    delete(queue_path)
    assert open_file.LOOK_EVERY_S <= 1
    with pytest.raises(QueueReplaced):
        wait_for(queue, seconds=20)


@pytest.mark.parametrize("change", [delete, replace])
def test_recovery_of_a_file_that_is_gone_opens_what_is_there_and_moves_nothing_aside(
    queue: EmbeddedQueue, queue_path: Path, open_queue: OpenQueue, make_job: MakeJob, change: Callable[[Path], None]
) -> None:
    queue.put_job(make_job(1))
    change(queue_path)
    if change is replace:
        open_queue().put_job(make_job(2))
    assert queue.recover() is None
    assert salvage.damaged_files(str(queue_path)) == ()
    queue.put_job(make_job(3))
    assert [one.job["scene_id"] for one in queue.claim(5)] == ([2, 3] if change is replace else [3])


@pytest.mark.parametrize("change", [delete, replace])
def test_no_put_is_acknowledged_that_nobody_will_read(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob, change: Callable[[Path], None]
) -> None:
    change(queue_path)
    with pytest.raises(QueueReplaced):
        queue.put_job(make_job(1))
    with pytest.raises(QueueReplaced):
        queue.put_many([make_job(1)])


def test_spooled_events_are_not_taken_into_a_file_that_is_gone(
    queue: EmbeddedQueue, queue_path: Path, open_queue: OpenQueue
) -> None:
    job = b'{"scene_id":1,"update_type":"metadata","data":{},"enqueued_at":1.0,"job_key":"scene_1"}'
    spool.write_event(str(queue_path), job)
    delete(queue_path)
    with pytest.raises(QueueReplaced):
        queue.take_in_spool()
    assert [claimed.job_key for claimed in open_queue().claim(5)] == ["scene_1"]


@pytest.mark.usefixtures("hook_connections")
@pytest.mark.parametrize("moment", ["before it begins", "after it began"])
def test_event_of_a_hook_that_writes_while_the_file_is_moved_aside_goes_to_the_spool(
    queue: EmbeddedQueue,
    queue_path: Path,
    open_queue: OpenQueue,
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    queue.put_job(make_job(1))
    begin = inbox._begin

    def move_and_begin(connection: sqlite3.Connection) -> None:
        if moment == "after it began":
            begin(connection)
        queue.close()
        salvage.recover(str(queue_path), "a test says so")
        if moment == "before it begins":
            begin(connection)

    monkeypatch.setattr(inbox, "_begin", move_and_begin)
    document = inbox.Document(is_hook=True, trigger="Scene.Update.Post", object_id=2, title="Harbour")
    assert inbox.store(document, str(queue_path.parent)) is None
    assert len(spool.event_files(spool.spool_beside(str(queue_path)))) == 1
    assert {claimed.job["scene_id"] for claimed in open_queue().claim(5)} == {1, 2}


def damaged_queue(queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob) -> None:
    """Leave a damaged file with 99 readable waiting jobs and one letter, its last jobs in the write-ahead log only."""
    queue.put_many(make_job(number) for number in range(100))
    [claimed] = queue.claim()
    queue.bury(claimed, DeadLetter(claimed.job, "PlexBusy", "kept"))
    log = (queue_path / "data.db-wal").read_bytes()
    shm = (queue_path / "data.db-shm").read_bytes()
    queue.close()
    (queue_path / "data.db-wal").write_bytes(log)
    (queue_path / "data.db-shm").write_bytes(shm)


@pytest.mark.parametrize("crash_after", ["note", "database", "log", "rows"])
def test_recovery_that_a_crash_cut_short_is_finished_by_the_next_opener(
    queue: EmbeddedQueue,
    queue_path: Path,
    open_queue: OpenQueue,
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    crash_after: str,
) -> None:
    damaged_queue(queue, queue_path, make_job)
    done = {"note": -1, "database": 0, "log": 1}.get(crash_after, 99)
    rename, unlink = Path.rename, Path.unlink
    renamed = []

    def rename_until(path: Path, target: str | Path) -> Path:
        if len(renamed) > done:
            raise KeyboardInterrupt
        renamed.append(path)
        return rename(path, target)

    def no_unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == "recovery.note":
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as crash:
        crash.setattr(Path, "rename", rename_until)
        crash.setattr(Path, "unlink", no_unlink)
        with pytest.raises(KeyboardInterrupt):
            salvage.recover(str(queue_path), "a test says so")
    with caplog.at_level(logging.ERROR):
        repaired = open_queue()
    assert repaired.damage is not None
    assert repaired.damage.reason == "a test says so"
    assert salvage.damaged_files(str(queue_path)) == (repaired.damage.moved_to,)
    assert sorted(one.job["scene_id"] for one in repaired.claim(200)) == list(range(1, 100))
    assert [letter.message for letter in DeadLetterStore(repaired).list()] == ["kept"]
    assert not (queue_path / "recovery.note").exists()
    assert EmbeddedQueue(queue_path).close() is None


def test_note_of_a_recovery_that_was_cut_short_itself_is_dropped(
    queue: EmbeddedQueue, queue_path: Path, open_queue: OpenQueue, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1))
    (queue_path / "recovery.note").write_text("")
    second = open_queue()
    assert second.damage is None
    assert second.size == 1
    assert not (queue_path / "recovery.note").exists()


def test_file_that_may_not_be_moved_leaves_no_note(
    queue: EmbeddedQueue, queue_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.close()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(Exception, match="not to be moved aside"):
        salvage.recover(str(queue_path), "a test says so")
    assert not (queue_path / "recovery.note").exists()


def test_nobody_opens_while_a_file_is_being_moved_aside(queue_path: Path) -> None:
    queue_path.mkdir(parents=True)
    opening = KernelLock(queue_path / "opening.lock")
    assert opening.acquire()
    with pytest.raises(QueueLocked):
        EmbeddedQueue(queue_path, timeout_s=0.05)
    opening.release()
    EmbeddedQueue(queue_path, timeout_s=0.05).close()


def test_copy_put_in_place_of_the_file_counts_as_another(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob
) -> None:
    shutil.copyfile(queue_path / "data.db", queue_path / "copy")
    (queue_path / "copy").replace(queue_path / "data.db")
    with pytest.raises(QueueReplaced, match="replaced by another"):
        queue.put_job(make_job(1))
