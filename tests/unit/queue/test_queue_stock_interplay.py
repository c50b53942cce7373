import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import persistqueue.serializers.json as json_serializer
import pytest
from persistqueue import SQLiteAckQueue
from persistqueue.exceptions import Empty

from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.snapshot import read_snapshot

MakeJob = Callable[..., dict[str, object]]
OpenQueue = Callable[..., EmbeddedQueue]
OpenStock = Callable[..., SQLiteAckQueue]
RunSql = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def open_stock(queue_path: Path) -> Iterator[OpenStock]:
    opened = []

    def open_one(**options: bool) -> SQLiteAckQueue:
        queue = SQLiteAckQueue(str(queue_path), serializer=json_serializer, **options)
        opened.append(queue)
        return queue

    yield open_one
    for queue in opened:
        queue.close()


def test_is_a_stock_queue_to_whoever_asks(queue: EmbeddedQueue) -> None:
    assert isinstance(queue, SQLiteAckQueue)


def test_stock_methods_keep_their_meaning(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    assert queue.empty()
    assert queue.put(make_job(1)) == 1
    assert queue.put(make_job(1)) == 2
    assert (queue.size, queue.qsize(), len(queue), queue.full()) == (2, 2, 2, False)
    job = queue.get()
    assert "pqid" not in job
    assert queue.active_size() == 2
    assert (queue.unack_count(), queue.ready_count()) == (1, 0)
    assert queue.ack(job) == 1
    assert queue.acked_count() == 1
    raw = queue.get(raw=True)
    assert set(raw) == {"pqid", "data", "timestamp"}
    assert queue.nack(raw) == 2
    assert queue.ready_count() == 1
    again = queue.get(block=False)
    assert queue.ack_failed(again) == 2
    assert queue.ack_failed_count() == 1
    assert queue.ack(again) is None
    with pytest.raises(Empty):
        queue.get(block=False)
    with pytest.raises(ValueError, match="non-negative"):
        queue.get(timeout=-1)
    with pytest.raises(ValueError, match="Specify"):
        queue.ack()


def test_update_and_nack_store_new_content(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put(make_job(1))
    raw = queue.get(raw=True)
    queue.update({**raw["data"], "retry_count": 1}, id=raw["pqid"])
    assert queue.nack(id=raw["pqid"]) == raw["pqid"]
    assert queue.get()["retry_count"] == 1


def test_get_by_row_and_the_next_in_order(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    for number in (1, 2, 3):
        queue.put(make_job(number))
    assert queue.get(id=2, raw=True)["pqid"] == 2
    assert queue.get(id=1, next_in_order=True, raw=True)["pqid"] == 3
    assert queue.get(id=3, next_in_order=True, raw=True)["pqid"] == 1
    with pytest.raises(Empty):
        queue.get(block=False, id=2)


def test_json_that_is_no_job_comes_back_from_get(queue: EmbeddedQueue) -> None:
    for item in ("text", [1, 2], 7, None):
        queue.put(item)
    assert [queue.get(block=False, raw=True)["data"] for _ in range(4)] == ["text", [1, 2], 7, None]


def test_stock_reader_sees_what_was_requeued(queue: EmbeddedQueue, open_stock: OpenStock, make_job: MakeJob) -> None:
    queue.put_job(make_job(1, extra="kept"))
    [claimed] = queue.claim()
    job = {**claimed.job, "retry_count": 2, "next_retry_at": time.time() + 60, "last_error_type": "PlexBusy"}
    queue.requeue(claimed, job)
    queue.close()
    stock = open_stock()
    read = stock.get(block=False)
    assert read == {name: value for name, value in job.items() if name != "pqid"}
    stock.ack(read)


def test_stock_writer_and_reader_work_on_our_file(
    queue: EmbeddedQueue, open_stock: OpenStock, make_job: MakeJob
) -> None:
    stock = open_stock(auto_resume=False)
    stock.put(make_job(1))
    stock.put(make_job(2))
    assert queue.size == 2
    [claimed] = queue.claim()
    assert claimed.job["scene_id"] == 1
    other = stock.get(block=False)
    assert other["scene_id"] == 2, "a stock reader passes over what we hold"
    queue.complete(claimed)
    stock.ack(other)
    assert queue.totals() == (2, 0)
    assert stock.queue()[0]["data"] == make_job(1, enqueued_at=stock.queue()[0]["data"]["enqueued_at"])


def test_file_of_a_stock_queue_is_taken_over_with_its_jobs(
    queue_path: Path, open_stock: OpenStock, open_queue: OpenQueue, make_job: MakeJob
) -> None:
    queue_path.parent.mkdir(parents=True)
    stock = open_stock()
    for number in (1, 2, 3):
        stock.put(make_job(number))
    stock.get()
    stock.close()
    before = read_snapshot(queue_path)
    assert (before.pending, before.in_progress) == (2, 1)
    queue = open_queue()
    assert [claimed.job["scene_id"] for claimed in queue.claim(5)] == [1, 2, 3]


def test_pickled_rows_are_moved_aside_and_never_loaded(
    queue_path: Path, open_queue: OpenQueue, make_job: MakeJob, sql: RunSql
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (pytest.fail, ("a pickle was loaded",))

    queue_path.mkdir(parents=True)
    old = SQLiteAckQueue(str(queue_path))
    old.put(Bomb())
    old.close()
    queue = open_queue()
    assert queue.claim() == []
    late = pickle.dumps({"scene_id": 5})
    sql("INSERT INTO ack_queue_default (data, timestamp, status) VALUES (?, 1.0, 0)", late)
    queue.put_job(make_job(6))
    assert [claimed.job["scene_id"] for claimed in queue.claim(5)] == [6]
    assert queue.claim() == []
    rows = sql("SELECT data, reason FROM foreign_rows ORDER BY id")
    assert len(rows) == 2
    assert rows[1][0] == late
    assert queue.size == 0


def test_second_instance_reads_what_the_first_stored(open_queue: OpenQueue, make_job: MakeJob) -> None:
    open_queue().put(make_job(1, retry_count=4))
    assert open_queue().get(block=False)["retry_count"] == 4


def test_path_may_be_a_string(queue_path: Path) -> None:
    queue = EmbeddedQueue(str(queue_path))
    queue.close()
    assert (queue_path / "data.db").exists()
