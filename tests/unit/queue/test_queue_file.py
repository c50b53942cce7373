import contextlib
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scenesync.queue import history, salvage, schema
from scenesync.queue.dead_letters import DeadLetter, DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.errors import (
    LeaseLost,
    QueueDamaged,
    QueueDiskFailed,
    QueueDiskFull,
    QueueLocked,
    QueueUnsupported,
    QueueUnwritable,
    translate,
)

MakeJob = Callable[..., dict[str, object]]
OpenQueue = Callable[..., EmbeddedQueue]
RunSql = Callable[..., list[tuple[object, ...]]]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_and_files_are_private(queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob) -> None:
    queue.put_job(make_job(1))
    queue.claim()
    assert mode(queue_path) == mode(queue_path.parent) == mode(queue_path / "owners") == 0o700
    files = [path for path in queue_path.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert {mode(path) for path in files} == {0o600}


def test_puts_are_synced_and_completions_are_not(queue: EmbeddedQueue) -> None:
    with queue.writing() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with queue.reading() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


def test_truncate_journal_syncs_everything(open_queue: OpenQueue, make_job: MakeJob) -> None:
    queue = open_queue(journal="truncate")
    queue.put_job(make_job(1))
    queue.complete(queue.claim()[0])
    with queue.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_disk_that_refuses_the_journal_mode_is_named(open_queue: OpenQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_set_journal_mode", lambda *_: "delete")
    with pytest.raises(QueueUnsupported, match="journal='truncate'"):
        open_queue()


def test_old_sqlite_is_refused_with_the_version_that_is_needed(
    open_queue: OpenQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema.sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(QueueUnsupported, match=r"3\.35"):
        open_queue()


def test_file_of_a_newer_version_is_refused_untouched(queue: EmbeddedQueue, open_queue: OpenQueue, sql: RunSql) -> None:
    queue.close()
    sql("PRAGMA user_version = 99")
    with pytest.raises(QueueUnsupported, match="newer SceneSync"):
        open_queue()
    assert sql("PRAGMA user_version") == [(99,)]


@pytest.mark.usefixtures("queue")
def test_migrated_stock_file_has_the_schema_of_a_fresh_one(sql: RunSql, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    connection = sqlite3.connect(old / "data.db")
    connection.execute(
        """CREATE TABLE ack_queue_default (
            _id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB, timestamp FLOAT, status INTEGER)"""
    )
    connection.close()
    EmbeddedQueue(old).close()
    fresh = sql("SELECT name FROM pragma_table_xinfo('ack_queue_default')")
    connection = sqlite3.connect(old / "data.db")
    assert connection.execute("SELECT name FROM pragma_table_xinfo('ack_queue_default')").fetchall() == fresh
    listing = "SELECT type, name FROM sqlite_master ORDER BY name"
    assert connection.execute(listing).fetchall() == sql(listing)
    connection.close()


def test_completed_rows_are_pruned_in_passes_and_still_counted(
    open_queue: OpenQueue, make_job: MakeJob, sql: RunSql
) -> None:
    queue = open_queue(keep_finished=10)
    queue.put_many(make_job(number) for number in range(300))
    while claimed := queue.claim(50):
        for one in claimed:
            queue.complete(one)
    assert queue.totals() == (300, 0)
    assert sql("SELECT COUNT(*) FROM ack_queue_default") == [(10,)]
    assert sql("SELECT MIN(_id) FROM ack_queue_default") == [(291,)]


def test_one_prune_pass_is_bounded(queue: EmbeddedQueue, sql: RunSql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEEP_FINISHED", 0)
    sql("""WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO ack_queue_default (data, timestamp, status) SELECT x'7b7d', 1.0, 5 FROM n""")
    with queue.writing() as connection:
        assert history.prune(connection, keep=100) == history.PASS_ROWS
    assert queue.totals() == (3000, 0)


def test_a_long_history_that_others_left_is_pruned_whenever_there_is_nothing_else_to_do(
    queue: EmbeddedQueue, sql: RunSql
) -> None:
    sql("""WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
           INSERT INTO ack_queue_default (data, timestamp, status) SELECT x'7b7d', 1.0, 5 + 4 * (i % 2) FROM n""")
    queue.maintain()
    for _ in range(4):
        assert queue.claim() == []
    assert sql("SELECT COUNT(*), MIN(_id) FROM ack_queue_default") == [(history.KEEP_FINISHED, 4001)]
    assert queue.totals() == (2500, 2500)


def test_room_that_many_jobs_took_up_is_given_back_but_for_a_reserve(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob, sql: RunSql
) -> None:
    queue.put_many(make_job(number, data={"title": "Harbour " * 200}) for number in range(6000))
    queue.maintain()
    full = (queue_path / "data.db").stat().st_size
    assert queue.drop_pending() == 6000
    for _ in range(full // (4096 * history.PASS_PAGES) + 1):
        queue.maintain()
    [(free,)] = sql("PRAGMA freelist_count")
    assert free <= history.SPARE_PAGES
    assert (queue_path / "data.db").stat().st_size < full / 2


def test_write_ahead_log_is_checkpointed_by_the_worker(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob
) -> None:
    queue.put_many(make_job(number) for number in range(2000))
    before = (queue_path / "data.db").stat().st_size
    queue.maintain()
    assert (queue_path / "data.db").stat().st_size > before
    log = sqlite3.connect(queue_path / "data.db")
    busy, frames, copied = log.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    log.close()
    assert (busy, frames - copied) == (0, 0)


@pytest.mark.parametrize("is_read", [False, True])
def test_log_that_a_bulk_made_long_is_cut_off_without_waiting_for_a_reader(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, *, is_read: bool
) -> None:
    monkeypatch.setattr(history, "LONGEST_LOG_PAGES", 50)
    log = queue_path / "data.db-wal"
    queue.put_many(make_job(number) for number in range(2000))
    with contextlib.closing(sqlite3.connect(queue_path / "data.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        if is_read:
            reader.execute("SELECT COUNT(*) FROM ack_queue_default").fetchall()
        started = time.monotonic()
        queue.maintain()
        assert time.monotonic() - started < 5  # half of what it would wait for a writer
        assert (log.stat().st_size > 0) == is_read
    queue.put_job(make_job(2001))
    assert queue.size == 2001
    queue.maintain()
    assert log.stat().st_size > 0, "a short one is left as it is, to be written over"
    with queue.reading() as connection:
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (10_000,)


def test_log_in_which_nobody_wrote_any_more_is_cut_off(
    queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob
) -> None:
    log = queue_path / "data.db-wal"
    queue.maintain()
    for jobs in (range(3), range(3, 10), range(10, 30)):
        for number in jobs:
            queue.put_job(make_job(number))
        queue.maintain()
        assert log.stat().st_size > 0, "it was written since the last time"
    queue.maintain()
    assert log.stat().st_size == 0
    queue.maintain()
    queue.put_job(make_job(30))
    assert queue.size == 31
    assert log.stat().st_size > 0


def test_garbage_file_is_moved_aside_and_named(queue_path: Path, open_queue: OpenQueue, make_job: MakeJob) -> None:
    queue_path.mkdir(parents=True)
    (queue_path / "data.db").write_bytes(b"this is no database at all" * 500)
    queue = open_queue()
    [moved] = salvage.damaged_files(str(queue_path))
    assert (queue_path / moved).read_bytes().startswith(b"this is no database")
    assert queue.damage.moved_to == moved
    assert moved in queue.damage.message
    assert "sync --all" in queue.damage.message
    queue.put_job(make_job(1))
    assert len(queue.claim()) == 1


def damage_page_of(queue_path: Path, marker: bytes) -> None:
    path = queue_path / "data.db"
    content = bytearray(path.read_bytes())
    page = content.index(marker) // 4096
    content[page * 4096 : (page + 1) * 4096] = b"\xde\xad" * 2048
    path.write_bytes(content)


def test_readable_rows_of_a_damaged_file_are_saved(
    queue: EmbeddedQueue, queue_path: Path, open_queue: OpenQueue, make_job: MakeJob
) -> None:
    queue.put_many(make_job(number, retry_count=1) for number in range(400))
    [claimed] = queue.claim()
    queue.bury(claimed, DeadLetter(claimed.job, "PlexBusy", "kept"))
    queue.claim()
    queue.close()
    damage_page_of(queue_path, b'"job_key":"scene_200"')
    repaired = open_queue()
    assert repaired.damage is not None
    assert 370 <= repaired.damage.saved_jobs < 399
    assert repaired.size == repaired.damage.saved_jobs
    saved = {waiting.job["scene_id"] for waiting in repaired.list_pending(1000)}
    assert {1, 2, 100, 300, 399} <= saved
    assert 200 not in saved
    assert all(waiting.job["retry_count"] == 1 for waiting in repaired.list_pending(1000))
    assert [letter.message for letter in DeadLetterStore(repaired).list()] == ["kept"]
    assert not list(queue_path.glob("salvage-*"))


def test_file_cut_short_is_found_on_open(
    queue: EmbeddedQueue, queue_path: Path, open_queue: OpenQueue, make_job: MakeJob
) -> None:
    queue.put_many(make_job(number) for number in range(2000))
    queue.close()
    path = queue_path / "data.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    repaired = open_queue()
    assert repaired.damage is not None
    assert 500 < repaired.damage.saved_jobs < 1990
    assert repaired.put_job(make_job(5000)).row_id > 0


def test_damaged_file_is_left_alone_while_another_process_works_with_it(
    queue: EmbeddedQueue, queue_path: Path, open_queue: OpenQueue, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1))
    queue.claim()
    queue.maintain()
    (queue_path / "data.db").write_bytes(b"broken" * 1000)
    with pytest.raises(QueueDamaged, match="still work"):
        open_queue()
    assert salvage.damaged_files(str(queue_path)) == ()


def test_damage_found_in_use_can_be_recovered_without_a_restart(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put_many(make_job(number) for number in range(100))
    [claimed, *_] = queue.claim(5)
    report = queue.recover()
    assert report is not None
    assert report.saved_jobs == 100
    assert len(queue.claim(200)) == 100
    assert queue.damage is report
    assert queue.unack_count() == 100
    with pytest.raises(LeaseLost):
        queue.complete(claimed)


def test_folder_that_is_a_file_is_explained(open_queue: OpenQueue, queue_path: Path) -> None:
    queue_path.parent.parent.mkdir(exist_ok=True)
    queue_path.parent.write_text("a file where the data directory should be")
    with pytest.raises(QueueUnwritable, match="SCENESYNC_DATA_DIR"):
        open_queue()


def test_locked_file_is_explained(open_queue: OpenQueue, queue_path: Path, make_job: MakeJob) -> None:
    queue = open_queue(timeout_s=0.05)
    blocker = sqlite3.connect(queue_path / "data.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(QueueLocked, match="keeps the queue"):
        queue.put_job(make_job(1))
    blocker.execute("ROLLBACK")
    blocker.close()
    assert not queue.put_job(make_job(1)).merged


def test_full_disk_is_explained_and_loses_nothing(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1))
    with queue.writing() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(QueueDiskFull, match="No room left"):
        queue.put_many(make_job(number, data={"title": "x" * 500}) for number in range(2, 500))
    with queue.writing() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    assert [claimed.job["scene_id"] for claimed in queue.claim(5)] == [1]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, QueueLocked),
        (sqlite3.SQLITE_LOCKED, QueueLocked),
        (sqlite3.SQLITE_READONLY | 4 << 8, QueueUnwritable),
        (sqlite3.SQLITE_CANTOPEN, QueueUnwritable),
        (sqlite3.SQLITE_FULL, QueueDiskFull),
        (sqlite3.SQLITE_IOERR | 3 << 8, QueueDiskFailed),
        (sqlite3.SQLITE_CORRUPT, QueueDamaged),
        (sqlite3.SQLITE_NOTADB, QueueDamaged),
        (sqlite3.SQLITE_ERROR, type(None)),
    ],
)
def test_errors_of_sqlite_become_ours_by_their_code(code: int, expected: type) -> None:
    error = sqlite3.OperationalError("text that is not looked at")
    error.sqlite_errorcode = code
    assert isinstance(translate(error, "/data/queue"), expected)


def test_many_threads_open_a_new_queue_at_once(open_queue: OpenQueue, make_job: MakeJob) -> None:
    failures = []

    def open_and_put(number: int) -> None:
        try:
            open_queue().put_job(make_job(number))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=open_and_put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert open_queue().size == 8


def test_lock_files_of_dead_owners_are_cleared_away(
    queue: EmbeddedQueue, queue_path: Path, open_queue: OpenQueue
) -> None:
    (queue_path / "owners").mkdir()
    left = queue_path / "owners" / "4711-dead.lock"
    left.touch()
    queue.claim()
    open_queue()
    assert not left.exists()
    assert len(list((queue_path / "owners").iterdir())) == 1
