import itertools
import threading
import time
from collections.abc import Callable

import pytest
from persistqueue.exceptions import Empty
from queue_engines import both_engines

from scenesync.queue import suspicion
from scenesync.queue.dead_letters import DeadLetter
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.errors import LeaseLost
from scenesync.queue.port import Queue
from scenesync.queue.records import PRIORITY_BULK, PRIORITY_FANOUT, ClaimedJob

MakeJob = Callable[..., dict[str, object]]
OpenQueue = Callable[..., Queue]


def scene_ids(claimed: list[ClaimedJob]) -> list[object]:
    return [one.job["scene_id"] for one in claimed]


def test_lanes_go_first_then_due_time_then_age(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    now = time.time()
    queue.put_job(make_job(1), priority=PRIORITY_FANOUT)
    queue.put_job(make_job(2, next_retry_at=now - 5), priority=PRIORITY_BULK)
    queue.put_job(make_job(3, next_retry_at=now - 10), priority=PRIORITY_BULK)
    queue.put_job(make_job(4), priority=PRIORITY_BULK)
    queue.put_job(make_job(5), priority=PRIORITY_BULK)
    queue.put_job(make_job(6))
    queue.put_job(make_job(7, next_retry_at=now + 60))
    assert scene_ids(queue.claim(2)) == [6, 4]
    assert [scene_ids(queue.claim())[0] for _ in range(4)] == [5, 3, 2, 1]
    assert queue.claim() == []
    assert queue.next_due_at() == pytest.approx(now + 60)


@both_engines
def test_fresh_jobs_go_before_retried_ones_of_their_lane_and_never_before_those_of_a_better_one(
    queue: Queue, make_job: MakeJob
) -> None:
    now = time.time()
    queue.put_job(make_job(1), priority=PRIORITY_FANOUT)
    queue.put_job(make_job(2, next_retry_at=now - 10), priority=PRIORITY_BULK)
    queue.put_job(make_job(3, next_retry_at=now - 5), priority=PRIORITY_BULK)
    queue.put_job(make_job(4), priority=PRIORITY_BULK)
    queue.put_job(make_job(5), priority=PRIORITY_BULK)
    queue.put_job(make_job(6))
    queue.put_job(make_job(7, next_retry_at=now + 60))
    assert scene_ids(queue.claim(2)) == [6, 4]
    assert [scene_ids(queue.claim())[0] for _ in range(4)] == [5, 2, 3, 1]
    assert queue.claim() == []
    assert queue.next_due_at() == pytest.approx(now + 60, abs=1)


@both_engines
def test_an_urgent_claim_takes_what_a_person_waits_for_and_nothing_else(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1), priority=PRIORITY_BULK)
    assert queue.claim_urgent(5) == []
    queue.put_job(make_job(2))
    queue.put_job(make_job(3))
    queue.put_job(make_job(4, next_retry_at=time.time() + 60))
    assert scene_ids(queue.claim_urgent(1)) == [2]
    queue.put_job(make_job(2))  # it is being processed: it has to wait its turn
    assert scene_ids(queue.claim_urgent(5)) == [3]
    assert scene_ids(queue.claim(5)) == [1]


def test_an_urgent_claim_of_nothing_takes_no_write_lock(
    queue: EmbeddedQueue, make_job: MakeJob, open_queue: OpenQueue
) -> None:
    queue.put_job(make_job(1), priority=PRIORITY_BULK)
    other = open_queue()
    with other.writing():
        assert queue.claim_urgent(5) == []


@both_engines
def test_job_planned_by_a_clock_that_has_jumped_counts_as_due(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1, next_retry_at=time.time() + 86400))
    assert queue.next_due_at() == 0
    assert scene_ids(queue.claim()) == [1]


@both_engines
@pytest.mark.parametrize("nonsense", ["soon", None, [1], {"at": 1}, True])
def test_due_time_that_is_no_number_means_at_once(queue: Queue, make_job: MakeJob, nonsense: object) -> None:
    queue.put_job(make_job(1, next_retry_at=nonsense))
    assert scene_ids(queue.claim()) == [1]


@both_engines
def test_claimed_job_tells_its_row_deliveries_and_time(queue: Queue, make_job: MakeJob) -> None:
    before = time.time()
    queue.put_job(make_job(1))
    [claimed] = queue.claim()
    assert claimed.job == {**make_job(1), "enqueued_at": claimed.job["enqueued_at"], "pqid": claimed.row_id}
    assert claimed.deliveries == 1
    assert before <= claimed.enqueued_timestamp <= time.time()
    assert claimed.job_key == "scene_1"


def test_two_jobs_of_one_key_are_never_claimed_together(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put(make_job(1))
    queue.put(make_job(1))
    queue.put(make_job(2))
    assert scene_ids(queue.claim(5)) == [1, 2]


@both_engines
def test_pool_of_threads_gets_every_job_once(queue: Queue, make_job: MakeJob) -> None:
    queue.put_many(make_job(number) for number in range(300))
    seen, failures = [], []

    def work() -> None:
        try:
            while claimed := queue.claim(2):
                for one in claimed:
                    seen.append(one.job["scene_id"])
                    queue.complete(one)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(seen) == list(range(300))
    assert queue.totals() == (300, 0)


@both_engines
def test_requeue_keeps_every_field_and_waits_until_due(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1, server="second", extra={"deep": [1]}))
    [claimed] = queue.claim()
    later = time.time() + 60
    queue.requeue(claimed, {**claimed.job, "retry_count": 1, "next_retry_at": later, "last_error_type": "PlexBusy"})
    [waiting] = queue.list_pending()
    expected = {name: value for name, value in claimed.job.items() if name != "pqid"}
    assert waiting.job == {**expected, "retry_count": 1, "next_retry_at": later, "last_error_type": "PlexBusy"}
    assert waiting.due_at == later
    assert waiting.row_id == claimed.row_id
    assert queue.claim() == []


@both_engines
def test_release_gives_the_job_back_unchanged_and_due(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1))
    [claimed] = queue.claim()
    claimed.job["data"] = {"title": "only in memory"}
    queue.release(claimed)
    [again] = queue.claim()
    assert again.job["data"] == {"title": "Harbour 1"}
    assert again.deliveries == 1, "an attempt that did not count is not held against the job"


@both_engines
@pytest.mark.parametrize("operation", ["complete", "requeue", "release", "bury"])
def test_whoever_lost_a_job_can_no_longer_end_it(queue: Queue, make_job: MakeJob, operation: str) -> None:
    queue.put_job(make_job(1))
    [stale] = queue.claim()
    queue.release(stale)
    [current] = queue.claim()
    extra = {"requeue": (stale.job,), "bury": (DeadLetter(stale.job, "Late", "too late"),)}.get(operation, ())
    with pytest.raises(LeaseLost, match="no longer held"):
        getattr(queue, operation)(stale, *extra)
    assert not queue.confirm_owned(stale)
    assert queue.confirm_owned(current)
    assert queue.dead_letters.count() == 0
    queue.complete(current)


@both_engines
def test_many_are_ended_in_one_step_but_for_those_that_are_lost(queue: Queue, make_job: MakeJob) -> None:
    for scene_id in (1, 2, 3):
        queue.put_job(make_job(scene_id))
    first, lost, third = queue.claim(3)
    queue.release(lost)
    [again] = queue.claim()
    assert queue.complete_all([first, lost, third]) == [lost]
    assert queue.confirm_owned(again)
    assert not queue.confirm_owned(first)
    assert queue.totals() == (2, 0)
    assert queue.held({"pqid": first.row_id}) is None
    assert queue.complete_all([]) == []


@both_engines
def test_another_queue_object_cannot_end_or_resume_a_living_ones_job(
    queue: Queue, open_queue: OpenQueue, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1))
    [claimed] = queue.claim()
    other = open_queue(auto_resume=True)
    assert other.take_over_dead_owners() == 0
    assert other.claim() == []
    with pytest.raises(LeaseLost):
        other.complete(claimed)
    queue.complete(claimed)


@both_engines
def test_jobs_of_a_closed_queue_are_taken_over(queue: Queue, open_queue: OpenQueue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1))
    queue.put_job(make_job(2))
    queue.claim(2)
    queue.put_job(make_job(2, data={"title": "newer"}))
    queue.close()
    successor = open_queue(auto_resume=False)
    assert successor.claim() == []
    assert successor.take_over_dead_owners() == 2
    claimed = successor.claim(5)
    assert scene_ids(claimed) == [1, 2]
    assert [one.deliveries for one in claimed] == [2, 2], "deaths are counted, also over a newer event"
    assert claimed[1].job["data"] == {"title": "newer"}


@both_engines
def test_job_that_killed_its_worker_five_times_becomes_a_dead_letter(open_queue: OpenQueue, make_job: MakeJob) -> None:
    open_queue().put_job(make_job(1))
    for _ in range(5):
        worker = open_queue()
        assert len(worker.claim()) == 1
        worker.close()
    last = open_queue()
    assert last.claim() == []
    [letter] = last.dead_letters.list()
    assert (letter.error_type, letter.attempts, letter.job["scene_id"]) == ("WorkerCrash", 5, 1)
    assert last.totals() == (0, 1)


@both_engines
def test_who_was_in_hand_with_many_when_workers_died_is_set_apart_and_the_cause_is_found(
    open_queue: OpenQueue, make_job: MakeJob
) -> None:
    deadly, count = 7, 40
    open_queue().put_many(make_job(number) for number in range(1, count + 1))
    for _ in range(suspicion.MAX_DELIVERIES):
        worker = open_queue()
        assert len(worker.claim(count)) == count
        worker.close()
    began = time.time()
    queue = open_queue()  # which takes them over
    assert queue.dead_letters.list() == (), "one of so many: nobody can say which"
    waiting = queue.list_pending()
    assert {one.deliveries for one in waiting} == {suspicion.MAX_DELIVERIES}
    due = sorted(one.due_at - began for one in waiting)
    assert 0 <= due[0] < due[-1] <= suspicion.APART_S + 30
    assert max(later - earlier for earlier, later in itertools.pairwise(due)) < suspicion.APART_S / 2
    queue.close()

    # Each comes with the few whose time is near its own. (Here by hand: a person saves it, and it is due at once.)
    worker = open_queue()
    worker.put_job(make_job(deadly))
    [claimed] = worker.claim(1)
    assert (claimed.scene_id, claimed.deliveries) == (deadly, suspicion.MAX_DELIVERIES + 1)
    worker.close()
    last = open_queue()
    last.take_over_dead_owners()
    assert [letter.job["scene_id"] for letter in last.dead_letters.list()] == [deadly]
    assert last.snapshot().pending == count - 1


@both_engines
def test_wake_brings_forward_only_what_plex_did_not_know(queue: Queue, make_job: MakeJob) -> None:
    later = time.time() + 500
    here, there = {"path": "/data/Travel/Harbour.mp4"}, {"path": "/data/Travel/Lighthouse.mp4"}
    queue.put_job(make_job(1, data=here, next_retry_at=later, last_error_type="PlexNotFound", retry_count=4))
    queue.put_job(make_job(2, data=here, next_retry_at=later, last_error_type="PlexBusy"))
    queue.put_job(make_job(3, data=there, next_retry_at=later, last_error_type="PlexNotFound"))
    before = time.time()
    assert queue.wake_for_files(["harbour.mp4", "nowhere.mp4"]) == 1
    [claimed] = queue.claim(5)
    assert (claimed.job["scene_id"], claimed.job["retry_count"]) == (1, 4)
    assert before <= claimed.job["next_retry_at"] <= time.time()


@both_engines
def test_waiting_ends_at_once_on_a_put_of_this_process(queue: Queue, make_job: MakeJob) -> None:
    assert queue.claim() == []
    timer = threading.Timer(0.05, queue.put_job, (make_job(1),))
    timer.start()
    begun = time.monotonic()
    assert queue.wait_for_change(10)
    assert time.monotonic() - begun < 5
    timer.join()


@both_engines
def test_change_between_a_vain_claim_and_the_wait_is_not_missed(
    queue: Queue, open_queue: OpenQueue, make_job: MakeJob
) -> None:
    assert queue.claim() == []
    open_queue().put_job(make_job(1))
    begun = time.monotonic()
    assert queue.wait_for_change(10)
    assert time.monotonic() - begun < 5


@both_engines
def test_waiting_ends_on_stop_and_on_time_out(queue: Queue) -> None:
    queue.claim()
    assert not queue.wait_for_change(0.12)
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    begun = time.monotonic()
    assert not queue.wait_for_change(10, stop)
    assert time.monotonic() - begun < 5


@both_engines
def test_end_of_a_job_wakes_those_who_wait_for_its_key(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1))
    [running] = queue.claim()
    queue.put_job(make_job(1))
    assert queue.claim() == []
    queue.complete(running)
    assert queue.wait_for_change(10)
    assert len(queue.claim()) == 1


def test_get_waits_for_the_due_time_and_passes_over_what_is_not_due(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put(make_job(1, next_retry_at=time.time() + 0.3))
    with pytest.raises(Empty):
        queue.get(block=False)
    assert queue.get(timeout=20)["scene_id"] == 1
    with pytest.raises(Empty):
        queue.get(timeout=0.05)


@both_engines
def test_drop_pending_leaves_jobs_in_hand(queue: Queue, make_job: MakeJob) -> None:
    queue.put_many(make_job(number) for number in range(1, 1203))
    [claimed] = queue.claim()
    assert queue.drop_pending(job_key="scene_2") == 1
    assert queue.drop_pending(older_than=1.0) == 0
    assert queue.drop_pending() == 1200
    assert queue.total == 0
    queue.complete(claimed)


@both_engines
def test_listing_goes_on_after_a_row(queue: Queue, make_job: MakeJob) -> None:
    queue.put_many(make_job(number) for number in range(1, 6))
    first = queue.list_pending(limit=2)
    rest = queue.list_pending(limit=10, after=first[-1].row_id)
    assert [waiting.job["scene_id"] for waiting in (*first, *rest)] == [1, 2, 3, 4, 5]
