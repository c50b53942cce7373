"""The policy of the worker is the same code, whichever engine keeps the jobs."""

import time
from collections.abc import Callable

import pytest
from queue_engines import both_engines

from scenesync.plex.exceptions import PlexNotFound, PlexPermanentError, PlexServerDown
from scenesync.queue.port import Letters, Queue
from scenesync.worker.processor import SyncWorker
from scenesync.worker.stock_queue import StockQueue

MakeJob = Callable[..., dict[str, object]]


@pytest.fixture
def worker(queue: Queue, letters: Letters) -> SyncWorker:
    return SyncWorker(queue, letters, config=None)


@both_engines
def test_a_queue_of_ours_is_worked_on_directly_and_a_stand_in_is_not(worker: SyncWorker, queue: Queue) -> None:
    assert worker.jobs is queue
    assert isinstance(SyncWorker(object(), worker.dlq, config=None).jobs, StockQueue)


@both_engines
def test_every_outcome_is_carried_out(worker: SyncWorker, queue: Queue, letters: Letters, make_job: MakeJob) -> None:
    queue.put_many(make_job(number) for number in range(1, 5))
    done, missing, down, wrong = queue.claim(4)
    worker.settle(done, None)
    worker.settle(missing, PlexNotFound("not scanned yet"))
    worker.settle(down, PlexServerDown("refused"))
    worker.settle(wrong, PlexPermanentError("no such field"))
    assert queue.totals() == (1, 1)
    assert [letter.job["scene_id"] for letter in letters.list()] == [4]
    [waiting] = queue.find("scene_2").waiting
    assert (waiting.job["retry_count"], waiting.job["last_error_type"]) == (1, "PlexNotFound")
    assert waiting.due_at > time.time() - 1
    [waiting] = queue.find("scene_3").waiting
    assert "retry_count" not in waiting.job, "an outage costs nothing"


@both_engines
def test_a_scene_that_fails_again_for_the_same_reason_has_one_letter(
    worker: SyncWorker, queue: Queue, letters: Letters, make_job: MakeJob
) -> None:
    for _ in range(2):
        queue.put_job(make_job(1))
        [claimed] = queue.claim()
        worker.settle(claimed, PlexPermanentError("no such field"))
    assert letters.count() == 1


@both_engines
def test_a_job_in_hand_goes_back_as_one_and_another_is_put(worker: SyncWorker, queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1))
    [claimed] = queue.claim()
    worker._requeue_with_metadata(worker._prepare_for_retry(dict(claimed.job), PlexNotFound("not yet")))
    worker._requeue_with_metadata(make_job(2, retry_count=1))
    assert sorted(one.job["scene_id"] for one in queue.list_pending()) == [1, 2]
    assert not queue.confirm_owned(claimed)
