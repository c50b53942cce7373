import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from queue_engines import both_engines

from scenesync.domain.entities import Entity, EntityChange, continued, fan_out_job, found_up_to
from scenesync.queue import merging, spool, transitions
from scenesync.queue.batch_size import BatchSize
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.port import Queue
from scenesync.queue.records import PRIORITY_BULK, PRIORITY_FANOUT, PRIORITY_PERSON, BulkResult
from scenesync.queue.rejoining import rejoin

MakeJob = Callable[..., dict[str, object]]
RunSql = Callable[..., list[tuple[object, ...]]]


def pending(queue: Queue) -> list[dict[str, object]]:
    return [waiting.job for waiting in queue.list_pending()]


@both_engines
def test_second_event_for_a_waiting_scene_merges_and_the_newest_content_wins(queue: Queue, make_job: MakeJob) -> None:
    first = queue.put_job(make_job(1, data={"title": "Dawn"}, enqueued_at=100.0))
    second = queue.put_job(make_job(1, update_type="destroy", data={"path": "/a.mp4"}, enqueued_at=200.0))
    assert (first.merged, second.merged) == (False, True)
    assert second.row_id == first.row_id
    assert pending(queue) == [make_job(1, update_type="destroy", data={"path": "/a.mp4"}, enqueued_at=100.0)]


@both_engines
def test_unknown_fields_survive_a_merge(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1, server="second", enqueued_at=1.0))
    queue.put_job(make_job(1, note="kept", enqueued_at=2.0))
    assert pending(queue) == [make_job(1, server="second", note="kept", enqueued_at=1.0)]


@both_engines
def test_jobs_without_a_key_never_merge(queue: Queue) -> None:
    assert not queue.put_job({"scene_id": 1}).merged
    assert not queue.put_job({"scene_id": 1}).merged
    assert queue.total == 2


@both_engines
def test_better_lane_is_kept_whatever_comes_later(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1), priority=PRIORITY_FANOUT)
    queue.put_job(make_job(1))
    queue.put_job(make_job(1), priority=PRIORITY_BULK)
    assert [waiting.priority for waiting in queue.list_pending()] == [0]


@both_engines
def test_change_by_a_person_clears_the_retry_state(queue: Queue, make_job: MakeJob) -> None:
    later = time.time() + 300
    queue.put_job(make_job(1, retry_count=3, next_retry_at=later, last_error_type="PlexNotFound"), PRIORITY_BULK)
    queue.put_job(make_job(1, enqueued_at=5.0))
    assert pending(queue) == [make_job(1, enqueued_at=5.0)]
    assert len(queue.claim()) == 1


@both_engines
def test_bulk_event_neither_clears_the_retry_state_nor_brings_its_own(queue: Queue, make_job: MakeJob) -> None:
    later = time.time() + 300
    state = {"retry_count": 3, "next_retry_at": later, "last_error_type": "PlexNotFound"}
    queue.put_job(make_job(1, **state), PRIORITY_BULK)
    queue.put_job(make_job(1), priority=PRIORITY_BULK)
    queue.put_job(make_job(2), PRIORITY_BULK)
    queue.put_job(make_job(2, **state), priority=PRIORITY_BULK)
    first, second = pending(queue)
    assert {name: first[name] for name in state} == state
    assert not state.keys() & second.keys()
    assert [claimed.job["scene_id"] for claimed in queue.claim(5)] == [2]


@pytest.mark.parametrize("priority", [PRIORITY_PERSON, PRIORITY_BULK])
@pytest.mark.parametrize("newest", [True, False])
def test_no_event_whatever_it_brings_delays_a_job_that_is_due(
    queue: EmbeddedQueue, make_job: MakeJob, priority: int, *, newest: bool
) -> None:
    later = {"retry_count": 9, "next_retry_at": time.time() + 300, "last_error_type": "PlexBusy"}
    queue.put_job(make_job(1), priority=PRIORITY_BULK)
    with queue.writing() as connection:
        event = transitions.Event.of(make_job(1, enqueued_at=time.time() + 5, **later), now=time.time())
        transitions.enqueue(connection, event, priority=priority, now=time.time(), newest=newest)
    assert queue.next_due_at() == 0
    assert len(queue.claim()) == 1


@both_engines
def test_requeue_does_not_delay_a_newer_event_that_is_due(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1))
    [claimed] = queue.claim()
    queue.put_job(make_job(1, data={"title": "newer"}))
    queue.requeue(claimed, {**claimed.job, "retry_count": 1, "next_retry_at": time.time() + 300})
    assert [one.job["data"] for one in queue.claim()] == [{"title": "newer"}]


def test_bulk_and_hook_and_single_puts_agree_on_which_event_was_last(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put_many([make_job(1, enqueued_at=50.0), make_job(1, update_type="destroy", enqueued_at=90.0)])
    with queue.writing() as connection:
        late = transitions.Event.of(make_job(1, enqueued_at=70.0), now=100.0)
        transitions.enqueue(connection, late, priority=PRIORITY_PERSON, now=100.0, newest=False)
    [job] = pending(queue)
    assert (job["update_type"], job["enqueued_at"]) == ("destroy", 50.0)


def test_tens_of_thousands_of_jobs_go_in_with_bounded_memory(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    tracemalloc.start()
    try:
        created = queue.put_many(make_job(number) for number in range(25_000)).created
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert created == 25_000
    assert peak_bytes < 4_000_000, "a few batches of 500, whatever the number of jobs"


@both_engines
def test_event_while_its_scene_is_processed_runs_once_more_afterwards(queue: Queue, make_job: MakeJob) -> None:
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


@both_engines
def test_requeued_job_gives_way_to_the_newer_event(queue: Queue, make_job: MakeJob) -> None:
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
        event = transitions.Event.of(make_job(1, update_type=first, enqueued_at=10.0), now=30.0)
        transitions.enqueue(connection, event, priority=0, now=30.0, newest=False)
    job = pending(queue)[0]
    assert (job["update_type"], job["enqueued_at"]) == (second, 10.0)


@both_engines
def test_bulk_merges_with_what_waits_and_with_itself(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(3, data={"title": "by hand"}))
    queue.put_job(make_job(4))
    [urgent, _] = queue.claim(2)
    keyless = [{"scene_id": 9}, {"scene_id": 9}]
    jobs = [*(make_job(number % 600) for number in range(1, 701)), make_job(5, data={"title": "last"}), *keyless]
    assert queue.put_many(iter(jobs)) == BulkResult(created=602, merged=101)
    assert queue.total == 602
    assert [one.job["data"] for one in queue.find("scene_5").waiting] == [{"title": "last"}]
    assert queue.put_many([]) == BulkResult()
    queue.complete(urgent)
    assert [one.priority for one in queue.find("scene_3").waiting] == [PRIORITY_BULK]


def test_bulk_enqueue_counts_new_and_merged_jobs_and_keeps_transactions_short(
    queue: EmbeddedQueue, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses, begun = [], []
    monkeypatch.setattr("scenesync.queue.core.time.sleep", pauses.append)
    with queue.writing() as connection:
        connection.set_trace_callback(lambda text: begun.append(text) if text.startswith("BEGIN") else None)
    queue.put_job(make_job(3, data={"title": "by hand"}))
    jobs = [make_job(number % 1200) for number in range(1, 1301)]
    assert queue.put_many(iter(jobs)) == BulkResult(created=1199, merged=101)
    assert queue.size == 1200
    assert len(begun) >= 1 + 3, "one put, and transactions of 500 jobs at most"
    assert len(pauses) == len(begun) - 2, "between these transactions"
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


def merge_of(*sources: int, **fields: object) -> dict[str, object]:
    change = EntityChange(Entity.TAG, 1, sources)
    return {**fan_out_job(change, 1.0), **fields}


@both_engines
def test_what_was_merged_into_a_tag_is_kept_by_every_later_change_of_it(queue: Queue) -> None:
    queue.put_job(merge_of(9), PRIORITY_FANOUT)
    queue.put_job(merge_of(4, 9), PRIORITY_FANOUT)
    queue.put_job(merge_of(), PRIORITY_FANOUT)
    assert [job["data"] for job in pending(queue)] == [{"entity": "tag", "id": 1, "sources": [4, 9]}]


@both_engines
def test_fan_out_on_its_way_starts_over_at_a_new_change(queue: Queue) -> None:
    queue.put_job(merge_of(9), PRIORITY_FANOUT)
    (claim,) = queue.claim()
    queue.requeue(claim, continued(claim.job, 500))
    assert [found_up_to(job) for job in pending(queue)] == [500]
    queue.put_job(merge_of(), PRIORITY_FANOUT)
    assert [job["data"] for job in pending(queue)] == [{"entity": "tag", "id": 1, "sources": [9]}]


def test_fan_out_on_its_way_starts_over_for_sources_that_come_late(queue: EmbeddedQueue, queue_path: Path) -> None:
    queue.put_job(merge_of(), PRIORITY_FANOUT)
    (claim,) = queue.claim()
    queue.requeue(claim, continued(claim.job, 500))
    spool.write_event(str(queue_path), merging.encode(merge_of(4)))
    queue.take_in_spool()
    assert [job["data"] for job in pending(queue)] == [{"entity": "tag", "id": 1, "sources": [4]}]


def test_change_that_comes_late_and_is_known_does_not_send_a_fan_out_back(
    queue: EmbeddedQueue, queue_path: Path
) -> None:
    queue.put_job(merge_of(4), PRIORITY_FANOUT)
    (claim,) = queue.claim()
    queue.requeue(claim, continued(claim.job, 500))
    spool.write_event(str(queue_path), merging.encode(merge_of(4)))
    queue.take_in_spool()
    assert [found_up_to(job) for job in pending(queue)] == [500]


@both_engines
def test_fan_out_is_claimed_when_nothing_else_is_due(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(merge_of(), PRIORITY_FANOUT)
    queue.put_job(make_job(1), priority=PRIORITY_BULK)
    queue.put_job(make_job(2))
    assert [claim.job["job_key"] for claim in queue.claim(3)] == ["scene_2", "scene_1", "tag_1"]


@both_engines
def test_change_of_an_entity_clears_the_retry_state_of_its_fan_out(queue: Queue) -> None:
    later = time.time() + 300
    queue.put_job(merge_of(retry_count=3, next_retry_at=later, last_error_type="KeyError"), PRIORITY_FANOUT)
    queue.put_job(merge_of(), PRIORITY_FANOUT)
    assert len(queue.claim()) == 1


def test_a_bulk_stores_less_at_once_where_the_lock_is_held_for_too_long() -> None:
    size = BatchSize(500)
    sizes = []
    for seconds in (0.005, 0.05, 0.02, 0.05, 0.05, 0.05, 0.014, 0.001, 0.001, 0.001):
        size.lock_was_held(seconds)
        sizes.append(size.rows)
    assert sizes == [500, 250, 250, 125, 100, 100, 200, 400, 500, 500]
    few = BatchSize(7)
    few.lock_was_held(9.0)
    assert few.rows == 7


def test_a_bulk_on_a_slow_machine_lets_others_have_their_turn_more_often(
    queue: EmbeddedQueue, make_job: MakeJob
) -> None:
    begun = []
    with queue.writing() as connection:
        pass
    connection.set_trace_callback(lambda text: begun.append(text) if text.startswith("BEGIN") else None)
    connection.set_progress_handler(lambda: time.sleep(0.002), 1000)
    result = queue.put_many(make_job(number) for number in range(1, 1001))
    connection.set_progress_handler(None, 0)
    assert result == BulkResult(created=1000, merged=0)
    assert len(begun) > 3, "two transactions of 500 otherwise"


def decided(**fields: object) -> dict[str, object]:
    return {"scene_id": 1, "update_type": "metadata", "enqueued_at": 5.0, "job_key": "scene_1", **fields}


@pytest.mark.parametrize(
    ("waiting", "event", "event_is_newest", "is_kept"),
    [
        (decided(decided=True), decided(update_type="destroy"), True, False),
        (decided(decided=True), decided(), True, True),
        (decided(decided=True), decided(update_type="destroy"), False, True),  # told late, decided since
        (decided(update_type="destroy"), decided(decided=True), False, False),  # given back, told anew meanwhile
        (decided(update_type="destroy"), decided(decided=True), True, True),
        (decided(decided=True), decided(update_type="destroy", decided=True), True, True),
    ],
)
def test_what_a_person_decided_says_nothing_of_a_deletion_that_is_told_later(
    waiting: dict[str, object], event: dict[str, object], *, event_is_newest: bool, is_kept: bool
) -> None:
    merged = merging.merge(waiting, event, event_is_newest=event_is_newest, by_person=True)
    assert ("decided" in merged) is is_kept


def test_what_comes_back_from_a_backup_is_decided_anew(queue: EmbeddedQueue) -> None:
    rejoin(queue, [decided(decided=True, look=True)])
    assert pending(queue) == [decided(look=True)]
