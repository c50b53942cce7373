"""A queue file that an earlier version left behind opens, and everything in it goes on."""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scenesync.queue import schema
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.snapshot import read_snapshot

MakeJob = Callable[..., dict[str, object]]
OpenQueue = Callable[..., EmbeddedQueue]
RunSql = Callable[..., list[tuple[object, ...]]]

SCHEMA_1 = Path(__file__).with_name("queue_schema_1.sql")  # written by the first version that landed, with its jobs
SCHEMA_2 = Path(__file__).with_name("queue_schema_2.sql")  # likewise, and a stock reader had a job and ended another


@pytest.fixture
def old_file(queue_path: Path) -> Path:
    queue_path.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(queue_path / "data.db")) as connection:
        connection.executescript(SCHEMA_1.read_text("utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
    return queue_path


def test_old_file_opens_and_drains(old_file: Path, open_queue: OpenQueue, sql: RunSql) -> None:
    queue = open_queue()
    assert sql("PRAGMA user_version") == [(schema.SCHEMA_VERSION,)]
    assert queue.totals() == (1, 1)
    assert [letter.error_type for letter in DeadLetterStore(queue).list()] == ["PlexPermanentError"]
    drained = []
    while claimed := queue.claim():
        drained.append((claimed[0].job_key, claimed[0].priority, claimed[0].job["data"]))
        queue.complete(claimed[0])
    assert drained == [
        ("scene_4", 0, {"title": "New title"}),  # was in hand, and changed meanwhile: one job, the newer one
        ("scene_3", 0, {"path": "/data/Travel/Lighthouse.mp4"}),  # its back-off ended long ago
        ("scene_5", 10, {}),
        ("scene_6", 10, {}),
        ("performer_7", 20, {"entity": "performer", "id": 7}),
    ]
    assert sql("SELECT data FROM foreign_rows") == [(b"\x80\x04}.",)]
    assert queue.totals() == (6, 1)
    assert read_snapshot(old_file).pending == 0


@pytest.mark.usefixtures("old_file")
def test_old_rows_are_found_by_the_new_columns(open_queue: OpenQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = open_queue(auto_resume=False)
    assert [one.deliveries for one in queue.find("scene_4").running] == [1]
    assert [one.job["data"] for one in queue.find("scene_4").waiting] == [{"title": "New title"}]
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    assert queue.wake_for_files(["lighthouse.mp4"]) == 1
    assert queue.next_due_at() == 0


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize("dump", [SCHEMA_1, SCHEMA_2])
def test_upgraded_file_has_the_schema_of_a_fresh_one(sql: RunSql, tmp_path: Path, dump: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    with contextlib.closing(sqlite3.connect(old / "data.db")) as connection:
        connection.executescript(dump.read_text("utf-8"))
        EmbeddedQueue(old).close()
        listing = "SELECT type, name, tbl_name FROM sqlite_master ORDER BY name"
        columns = """
            SELECT made.name, field.name, field.type, field.hidden
            FROM sqlite_master AS made JOIN pragma_table_xinfo(made.name) AS field ORDER BY made.name, field.cid"""
        assert connection.execute(listing).fetchall() == sql(listing)
        assert connection.execute(columns).fetchall() == sql(columns)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_status_reads_an_old_file_and_leaves_it_old(old_file: Path, sql: RunSql) -> None:
    snapshot = read_snapshot(old_file)
    assert (snapshot.pending, snapshot.in_progress, snapshot.dead_letters) == (6, 1, 1)
    assert (snapshot.completed_total, snapshot.failed_total) == (1, 1)
    assert snapshot.waiting_by_error == {"PlexNotFound": 1}
    assert sql("PRAGMA user_version") == [(1,)]


def test_old_process_that_still_runs_can_go_on_in_the_upgraded_file(
    old_file: Path, open_queue: OpenQueue, make_job: MakeJob
) -> None:
    old = sqlite3.connect(old_file / "data.db", isolation_level=None)
    put = "INSERT INTO ack_queue_default (data, timestamp, status, priority, event_at) VALUES (?, ?, 0, ?, ?)"
    job = b'{"scene_id":8,"job_key":"scene_8","next_retry_at":5.5,"last_error_type":"PlexBusy","enqueued_at":1.0}'
    old.execute(put, (job, 1.0, 0, 1.0))
    queue = open_queue()
    old.execute(put, (job.replace(b"8", b"9"), 1.0, 0, 1.0))
    old.close()
    assert [queue.find(key).waiting[0].due_at for key in ("scene_8", "scene_9")] == [5.5, 5.5]
    assert queue.put_job(make_job(9)).merged


@pytest.fixture
def file_of_schema_2(queue_path: Path) -> Path:
    queue_path.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(queue_path / "data.db")) as connection:
        connection.executescript(SCHEMA_2.read_text("utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
    return queue_path


def test_what_was_in_hand_or_ended_before_the_upgrade_is_found_after_it(
    file_of_schema_2: Path, open_queue: OpenQueue, sql: RunSql
) -> None:
    now = 1_700_000_500.0
    before = read_snapshot(file_of_schema_2, now)
    assert (before.in_progress, before.completed_total, before.failed_total) == (2, 2, 1)
    queue = open_queue(auto_resume=False)
    assert read_snapshot(file_of_schema_2, now) == before
    assert queue.totals() == (2, 1)
    assert queue.take_over_dead_owners() == 2, "one of our own that died, one of a stock reader"
    assert sql("SELECT COUNT(*) FROM ack_queue_default WHERE status < 2 AND claimed_at IS NOT NULL") == [(0,)]
    drained = []
    while claimed := queue.claim():
        drained.append(claimed[0].job_key)
        queue.complete(claimed[0])
    assert sorted(drained) == ["scene_3", "scene_4", "scene_5", "scene_7"]
    assert queue.totals() == (6, 1)
