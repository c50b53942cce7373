import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenesync.domain.job import scene_job
from scenesync.queue import inbox
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.owner_lock import KernelLock
from scenesync.queue.schema import DUE_AT_EXPRESSION, ERROR_EXPRESSION, JOB_KEY_EXPRESSION
from scenesync.queue.snapshot import read_snapshot

Run = Callable[..., list[tuple[str, str]]]
SAVED = {
    "hookContext": {"id": 2, "type": "Scene.Update.Post", "input": {"id": "2", "title": "Harbour", "details": None}}
}


@pytest.fixture
def run(queue_path: Path) -> Iterator[Run]:
    """Runs a document as the hook does, in this process; returns what was to be started."""

    def run_one(args: object, *, autostart: str | None = "0", problem: str | None = None) -> list[tuple[str, str]]:
        started = []

        def start(action: str, data_dir: str, text: str) -> str | None:
            assert data_dir == str(queue_path.parent)
            started.append((action, text))
            return problem

        raw = args if isinstance(args, bytes) else json.dumps({"args": args}).encode()
        environment = {"SCENESYNC_DATA_DIR": str(queue_path.parent), "SCENESYNC_AUTOSTART": autostart}
        inbox.run(raw, "/plugins/scenesync", environment, start)
        return started

    yield run_one
    for connection in inbox._LEFT_OPEN:
        connection.close()
    inbox._LEFT_OPEN.clear()


def test_event_is_stored_and_answered(queue: EmbeddedQueue, run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(SAVED) == []
    [claimed] = queue.claim()
    assert claimed.job["data"] == {"title": "Harbour"}
    assert capfd.readouterr() == ('{"output": "ok"}\n', "")


def test_event_is_kept_in_the_spool_while_the_package_is_being_replaced(
    queue: EmbeddedQueue, queue_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(SAVED)
    monkeypatch.setitem(sys.modules, "scenesync.queue.inbox_merge", None)  # importing it fails
    run(SAVED)
    assert read_snapshot(queue_path).spooled == 1
    assert queue.take_in_spool() == 1


@pytest.mark.parametrize(
    "event", [SAVED, {"hookContext": {"id": 7, "type": "Studio.Update.Post", "input": {"id": "7"}}}]
)
def test_columns_that_stand_beside_the_job_say_what_is_in_it(queue: EmbeddedQueue, run: Run, event: object) -> None:
    run(event)
    with queue.reading() as connection:
        [row] = connection.execute(
            f"SELECT job_key, due_at, last_error_type, file_key, {JOB_KEY_EXPRESSION}, {DUE_AT_EXPRESSION},"  # noqa: S608 (our own)
            f" {ERROR_EXPRESSION}, NULL FROM ack_queue_default"
        ).fetchall()
    assert row[:4] == row[4:]
    assert row[0]


def test_environment_may_hold_bytes_or_texts(queue: EmbeddedQueue, queue_path: Path) -> None:
    texts = {"SCENESYNC_DATA_DIR": str(queue_path.parent), "SCENESYNC_AUTOSTART": "false"}
    kept_bytes = {name.encode(): value.encode() for name, value in texts.items()}
    for number, environment in enumerate((texts, kept_bytes), start=1):
        raw = json.dumps({"args": {"hookContext": {**SAVED["hookContext"], "id": number}}}).encode()
        inbox.run(raw, "/nowhere", environment, lambda _action, _data_dir, _text: "not to be started")
        assert queue.size == number


def test_long_title_is_a_hint_no_longer_than_needed(queue: EmbeddedQueue, run: Run) -> None:
    run({"hookContext": {"id": 2, "type": "Scene.Update.Post", "input": {"title": "x" * 600_000}}})
    assert queue.claim()[0].job["data"] == {"title": "x" * 500}


@pytest.mark.usefixtures("queue")
def test_document_without_a_hook_is_a_task(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    [(action, text)] = run({"mode": "sync-all"}, problem="not installed")
    assert (action, json.loads(text)) == ("become_task", {"args": {"mode": "sync-all"}})
    assert json.loads(capfd.readouterr().out) == {"error": "not installed"}
    run({"mode": "sync-all"})
    assert capfd.readouterr().out == "", "a task that ran has answered itself"


def test_what_is_not_understood_is_said_once(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    run(b"{")
    out, err = capfd.readouterr()
    assert json.loads(out) == {"output": "not understood"}
    assert err.startswith("\x01e\x02")


def test_daemon_start_is_tried_once_and_its_trouble_is_a_warning(
    run: Run, queue: EmbeddedQueue, queue_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert [action for action, _ in run(SAVED, autostart=None, problem="no venv")] == ["start_daemon"]
    assert capfd.readouterr().err == "\x01w\x02no venv\n"
    assert run(SAVED, autostart="true") == []
    stamp = queue_path.parent / "daemon.start"
    os.utime(stamp, (time.time() - 16, time.time() - 16))
    (queue_path.parent / "hook.json").write_text('{"autostart": false}')
    assert run(SAVED, autostart=None) == []
    assert len(run(SAVED, autostart="YES")) == 1
    assert queue.size == 1


def test_daemon_that_runs_is_not_started(run: Run, queue: EmbeddedQueue, queue_path: Path) -> None:
    lock = KernelLock(queue_path.parent / "daemon.lock")
    assert lock.acquire()
    assert run(SAVED, autostart="1") == []
    lock.release()
    assert queue.size == 1


def test_missing_queue_sends_the_event_to_the_spool(run: Run, queue_path: Path) -> None:
    run(SAVED)
    snapshot = read_snapshot(queue_path)
    assert (snapshot.pending, snapshot.spooled) == (1, 1)


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize("daemon_runs", [False, True])
def test_long_log_that_nobody_tidies_sends_events_to_the_spool(
    run: Run, queue_path: Path, monkeypatch: pytest.MonkeyPatch, *, daemon_runs: bool
) -> None:
    lock = KernelLock(queue_path.parent / "daemon.lock")
    if daemon_runs:
        assert lock.acquire()
    log_bytes = (queue_path / "data.db-wal").stat().st_size
    monkeypatch.setattr(inbox, "_LONGEST_LOG_BYTES", log_bytes)
    run(SAVED)  # is just within the limit, and makes the log longer
    assert (queue_path / "data.db-wal").stat().st_size > log_bytes
    run({"hookContext": {**SAVED["hookContext"], "id": 3}})
    snapshot = read_snapshot(queue_path)
    assert (snapshot.pending, snapshot.spooled) == ((2, 0) if daemon_runs else (2, 1))
    lock.release()


def test_event_is_on_the_disk_when_it_is_answered_and_its_lock_is_not_held_for_that(
    run: Run, queue: EmbeddedQueue, queue_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    sync = inbox._sync

    def watch(log: int) -> None:
        assert os.path.samestat(os.fstat(log), (queue_path / "data.db-wal").stat())
        synced.append(queue.size)
        with queue.writing():  # nobody holds the lock
            sync(log)

    monkeypatch.setattr(inbox, "_sync", watch)
    run(SAVED)
    assert synced == [1]


def test_event_that_cannot_be_synced_is_kept_in_the_spool_as_well(
    run: Run, queue: EmbeddedQueue, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_log: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(inbox, "_sync", fail)
    run(SAVED)
    assert capfd.readouterr().out == '{"output": "ok"}\n'
    assert queue.take_in_spool() == 1
    assert len(queue.claim(5)) == 1, "one job, since both are of one scene"


def test_job_built_without_sqlite_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    document = inbox.Document(is_hook=True, trigger="Scene.Update.Post", object_id=4, title="Harbour", path=None)
    fast = json.loads(inbox._build_job(document, "metadata", 12.25))

    def fail(*_: object) -> None:
        raise inbox.sqlite.OperationalError("no such function: json_object")

    monkeypatch.setattr(inbox, "_compute", fail)
    assert json.loads(inbox._build_job(document, "metadata", 12.25)) == fast
    assert fast == {
        "scene_id": 4,
        "update_type": "metadata",
        "data": {"title": "Harbour"},
        "enqueued_at": 12.25,
        "job_key": "scene_4",
    }


@pytest.mark.parametrize(("trigger", "is_kept"), [("Scene.Destroy.Post", False), ("Scene.Update.Post", True)])
def test_what_a_person_decided_says_nothing_of_a_deletion_that_is_told_later(
    queue: EmbeddedQueue, run: Run, *, trigger: str, is_kept: bool
) -> None:
    queue.put(scene_job(2, time.time() - 10, look=True, decided=True))
    run({"hookContext": {"id": 2, "type": trigger, "input": {"id": "2"}}})
    [claimed] = queue.claim()
    assert ("decided" in claimed.job, claimed.job["look"]) == (is_kept, True)
