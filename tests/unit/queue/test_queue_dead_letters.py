import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from queue_engines import both_engines

from scenesync.queue import spool
from scenesync.queue.dead_letters import DeadLetter, DeadLetterStore, LetterFilter
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.port import Letters, Queue

MakeJob = Callable[..., dict[str, object]]
OpenQueue = Callable[..., Queue]


def bury(
    queue: Queue,
    job: dict[str, object],
    error_type: str = "PlexPermanentError",
    message: str = "no",
    failed_at: float = 0.0,
    **more: Any,
) -> int:
    queue.put_job(job)
    [claimed] = queue.claim()
    return queue.bury(claimed, DeadLetter(claimed.job, error_type, message, failed_at=failed_at, **more))


@both_engines
def test_buried_job_is_out_of_the_queue_and_kept_with_all_that_is_known(
    queue: Queue, letters: Letters, make_job: MakeJob
) -> None:
    letter_id = bury(
        queue, make_job(7, retry_count=2), attempts=3, traceback="line 1", advice="look", details={"candidates": [1, 2]}
    )
    letter = letters.get(letter_id)
    assert (letter.id, letter.error_type, letter.attempts, letter.advice) == (
        letter_id,
        "PlexPermanentError",
        3,
        "look",
    )
    assert (letter.job["scene_id"], letter.details, letter.traceback) == (7, {"candidates": [1, 2]}, "line 1")
    assert letter.failed_at == pytest.approx(time.time(), abs=60)
    assert (queue.total, queue.claim(), letters.count(), queue.totals()) == (0, [], 1, (0, 1))
    assert letters.get(99) is None


@both_engines
def test_letters_are_found_by_error_scene_age_and_text(queue: Queue, letters: Letters, make_job: MakeJob) -> None:
    old = bury(queue, make_job(1), "AmbiguousMatch", "Two items are called HARBOUR", failed_at=100.0)
    new = bury(queue, make_job(2, data={"title": "Lighthouse"}), failed_at=200.0)

    def found(**which: Any) -> list[int]:
        return [letter.id for letter in letters.list(LetterFilter(**which))]

    assert found() == [new, old]
    assert found(error="AmbiguousMatch") == [old]
    assert found(scene_id=2) == [new]
    assert found(older_than=150.0) == [old]
    assert found(text="called harbour") == [old]
    assert found(text="lighthouse") == [new]
    assert found(text="100%") == []
    assert [letter.id for letter in letters.list(newest_first=False, limit=1)] == [old]


@both_engines
def test_replayed_job_waits_again_without_its_retry_state(queue: Queue, letters: Letters, make_job: MakeJob) -> None:
    job = make_job(1, enqueued_at=5.0)
    letter_id = bury(queue, {**job, "retry_count": 5, "next_retry_at": 1.0, "last_error_type": "PlexBusy"})
    assert letters.replay([letter_id]) == 1
    [waiting] = queue.list_pending()
    assert waiting.job == job
    assert letters.count() == 0
    assert letters.replay([letter_id]) == 0


@both_engines
def test_replay_never_makes_a_second_pending_job_nor_overwrites_a_newer_one(
    queue: Queue, letters: Letters, make_job: MakeJob
) -> None:
    bury(queue, make_job(1, data={"title": "old"}, enqueued_at=5.0))
    bury(queue, make_job(1, data={"title": "older"}, enqueued_at=4.0))
    queue.put_job(make_job(1, data={"title": "new"}, enqueued_at=9.0))
    assert letters.replay() == 2
    assert [waiting.job for waiting in queue.list_pending()] == [make_job(1, data={"title": "new"}, enqueued_at=4.0)]


@pytest.mark.parametrize("comes_late", ["the replay", "the spooled event"])
def test_replay_orders_a_job_by_its_newest_event_not_by_its_first(
    queue: EmbeddedQueue, letters: DeadLetterStore, make_job: MakeJob, comes_late: str
) -> None:
    """A hook wrote into the spool between two events that became one job, which failed before that was taken in."""
    queue.put_job(make_job(1, data={"title": "first"}))
    spooled = make_job(1, data={"title": "second"})
    bury(queue, make_job(1, data={"title": "third"}))
    spool.write_event(queue.folder, json.dumps(spooled).encode())
    steps = [letters.replay, queue.take_in_spool]
    for step in steps if comes_late == "the spooled event" else reversed(steps):
        assert step() == 1
    assert [waiting.job["data"]["title"] for waiting in queue.list_pending()] == ["third"]


@both_engines
def test_requeue_beside_a_replayed_letter_keeps_the_newer_content_and_delays_nothing(
    queue: Queue, letters: Letters, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1, data={"title": "old"}))
    [claimed] = queue.claim()
    queue.put_job(make_job(1, data={"title": "new"}))
    queue.bury(claimed, DeadLetter(claimed.job, "PlexPermanentError", "no"))
    [claimed] = queue.claim()
    assert letters.replay() == 1
    queue.requeue(claimed, {**claimed.job, "retry_count": 1, "next_retry_at": time.time() + 60})
    assert queue.next_due_at() == 0
    [waiting] = queue.list_pending()
    assert waiting.job["data"] == {"title": "new"}
    assert "retry_count" not in waiting.job


@both_engines
def test_replay_discard_and_purge_take_a_filter(queue: Queue, letters: Letters, make_job: MakeJob) -> None:
    for number in range(1, 5):
        bury(queue, make_job(number), "PlexBusy" if number < 3 else "Other", failed_at=float(number))
    assert letters.replay(LetterFilter(error="PlexBusy", scene_id=1)) == 1
    assert letters.discard(LetterFilter(error="PlexBusy")) == 1
    assert letters.purge(older_than=3.5) == 1
    assert [letter.job["scene_id"] for letter in letters.list()] == [4]
    assert letters.discard([letters.list()[0].id]) == 1
    assert letters.count() == 0


@both_engines
def test_many_are_replayed_in_steps_of_which_each_is_on_disk(queue: Queue, letters: Letters, make_job: MakeJob) -> None:
    for number in range(1, 1202):
        letters.add(DeadLetter(make_job(number), "PlexNotFound", "no such file", failed_at=1.0))
    steps = letters.replaying(LetterFilter(error="PlexNotFound"))
    assert next(steps) == 500
    assert (letters.count(), queue.total) == (701, 500)
    steps.close()
    assert list(letters.discarding(LetterFilter(error="PlexNotFound"))) == [500, 201]
    assert (letters.count(), queue.total) == (0, 500)


@both_engines
def test_letter_for_a_job_of_another_queue_is_made_from_its_error(letters: Letters, make_job: MakeJob) -> None:
    with pytest.raises(LookupError) as caught:
        {}["no such library"]
    letter_id = letters.add(
        DeadLetter.from_error(
            make_job(3, retry_count=4), caught.value, failed_at=time.time(), advice="check plex_libraries"
        )
    )
    letter = letters.get(letter_id)
    assert (letter.error_type, letter.message, letter.attempts) == ("KeyError", "'no such library'", 5)
    assert "test_letter_for_a_job_of_another_queue" in letter.traceback
    assert letter.row_id is None


@both_engines
def test_letter_survives_a_restart(queue: Queue, open_queue: OpenQueue, make_job: MakeJob) -> None:
    bury(queue, make_job(1))
    queue.close()
    assert open_queue().dead_letters.count() == 1
