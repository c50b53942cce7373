import time
from collections.abc import Callable

import pytest

from scenesync.queue import transitions
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.records import PRIORITY_BULK, PRIORITY_FANOUT, BulkResult

MakeJob = Callable[..., dict[str, object]]
RunSql = Callable[..., list[tuple[object, ...]]]


def pending(queue: EmbeddedQueue) -> list[dict[str, object]]:
    return [waiting.job for waiting in queue.list_pending()]


def test_second_event_for_a_waiting_scene_merges_and_the_newest_content_wins(
    queue: EmbeddedQueue, make_job: MakeJob
) -> None:
    first = queue.put_job(make_job(1, data={"title": "Dawn"}, enqueued_at=100.0))
    second = queue.put_job(make_job(1, update_type="destroy", data={"path": "/a.mp4"}, enqueued_at=200.0))
    assert (first.merged, second.merged) == (False, True)
    assert second.row_id == first.row_id
    assert pending(queue) == [make_job(1, update_type="destroy", data={"path": "/a.mp4"}, enqueued_at=100.0)]


def test_unknown_fields_survive_a_merge(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1, server="second", enqueued_at=1.0))
    queue.put_job(make_job(1, note="kept", enqueued_at=2.0))
    assert pending(queue) == [make_job(1, server="second", note="kept", enqueued_at=1.0)]


def test_jobs_without_a_key_never_merge(queue: EmbeddedQueue) -> None:
    assert not queue.put_job({"scene_id": 1}).merged
    assert not queue.put_job({"scene_id": 1}).merged
    assert queue.size == 2


def test_better_lane_is_kept_whatever_comes_later(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1), priority=PRIORITY_FANOUT)
    queue.put_job(make_job(1))
    queue.put_job(make_job(1), priority=PRIORITY_BULK)
    assert [waiting.priority for waiting in queue.list_pending()] == [0]


def test_change_by_a_person_clears_the_retry_state(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    later = time.time() + 300
    queue.put(make_job(1, retry_count=3, next_retry_at=later, last_error_type="PlexNotFound"))
    queue.put_job(make_job(1, enqueued_at=5.0))
    assert pending(queue) == [make_job(1, enqueued_at=5.0)]
    assert len(queue.claim()) == 1


def test_bulk_event_neither_clears_the_retry_state_nor_brings_its_own(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    later = time.time() + 300
    state = {"retry_count": 3, "next_retry_at": later, "last_error_type": "PlexNotFound"}
    queue.put(make_job(1, **state))
    queue.put_job(make_job(1), priority=PRIORITY_BULK)
    queue.put(make_job(2))
    queue.put_job(make_job(2, **state), priority=PRIORITY_BULK)
    first, second = pending(queue)
    assert {name: first[name] for name in state} == state
    assert not state.keys() & second.keys()
    assert [claimed.job["scene_id"] for claimed in queue.claim(5)] == [2]


def test_event_while_its_scene_is_processed_runs_once_more_afterwards(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1, data={"title": "old"}))
    [running] = queue.claim()
    assert not queue.put_job(make_job(1, data={"title": "new"})).merged
    assert queue.put_job(make_job(1, data={"title": "newest"})).merged
    assert queue.claim(5) == []
    assert queue.next_due_at() is None, "a job behind a running one must not make the worker spin"
    queue.complete(running)
    [again] = queue.claim(5)
    assert again.job["data"] == {"title": "newest"}
    queue.complete(again)
    assert queue.claim() == []


def test_requeued_job_gives_way_to_the_newer_event(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1, data={"title": "old"}, enqueued_at=50.0))
    [running] = queue.claim()
    queue.put_job(make_job(1, data={"title": "new"}, enqueued_at=90.0), priority=PRIORITY_BULK)
    retry = {**running.job, "retry_count": 1, "next_retry_at": time.time() + 60, "last_error_type": "PlexBusy"}
    queue.requeue(running, retry)
    [waiting] = queue.list_pending()
    assert waiting.job == make_job(1, data={"title": "new"}, enqueued_at=50.0)
    assert waiting.priority == 0
    assert [claimed.job["data"] for claimed in queue.claim(5)] == [{"title": "new"}]


@pytest.mark.parametrize("order", [("metadata", "destroy"), ("destroy", "metadata")])
def test_late_events_are_put_in_order_by_their_times(
    queue: EmbeddedQueue, make_job: MakeJob, order: tuple[str, str]
) -> None:
    first, second = order
    queue.put_job(make_job(1, update_type=second, enqueued_at=20.0))
    queue.put(make_job(2))
    with queue.writing() as connection:
        transitions.enqueue(
            connection, make_job(1, update_type=first, enqueued_at=10.0), priority=0, now=30.0, newest=False
        )
    job = pending(queue)[0]
    assert (job["update_type"], job["enqueued_at"]) == (second, 10.0)


def test_bulk_enqueue_counts_new_and_merged_jobs_and_keeps_transactions_short(
    queue: EmbeddedQueue, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []
    monkeypatch.setattr("scenesync.queue.core.time.sleep", pauses.append)
    queue.put_job(make_job(3, data={"title": "by hand"}))
    jobs = [make_job(number % 1200) for number in range(1, 1301)]
    assert queue.put_many(iter(jobs)) == BulkResult(created=1199, merged=101)
    assert queue.size == 1200
    assert len(pauses) == 2
    assert queue.put_many(make_job(number) for number in range(1200)) == BulkResult(created=0, merged=1200)
    assert queue.size == 1200
    assert next(waiting for waiting in queue.list_pending(2000) if waiting.job["scene_id"] == 3).priority == 0
    assert queue.put_many([]) == BulkResult()


def test_stored_jobs_never_hold_their_row_number(queue: EmbeddedQueue, make_job: MakeJob, sql: RunSql) -> None:
    queue.put({**make_job(1), "pqid": 77})
    [claimed] = queue.claim()
    assert claimed.job["pqid"] == claimed.row_id == 1
    queue.requeue(claimed, {**claimed.job, "retry_count": 1})
    [(data,)] = sql("SELECT CAST(data AS TEXT) FROM ack_queue_default")
    assert "pqid" not in data
    assert '"retry_count":1' in data
