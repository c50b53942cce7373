import time
from collections.abc import Callable

from test_queue_plans import vm_steps

from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.records import FoundJobs

MakeJob = Callable[..., dict[str, object]]
RunSql = Callable[..., list[tuple[object, ...]]]


def not_found(make_job: MakeJob, scene_id: int, due_at: float, **data: object) -> dict[str, object]:
    state = {"retry_count": 1, "next_retry_at": due_at, "last_error_type": "PlexNotFound"}
    return make_job(scene_id, data=data, **state)


def test_find_shows_what_waits_and_what_is_in_hand_under_a_key(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1))
    queue.put_job(make_job(2))
    [claimed] = queue.claim()
    assert [one.row_id for one in queue.find("scene_1").running] == [claimed.row_id]
    queue.put_job(make_job(1, data={"title": "newer"}))
    found = queue.find("scene_1")
    assert [one.job["data"] for one in (*found.waiting, *found.running)] == [{"title": "newer"}, {"title": "Harbour 1"}]
    queue.complete(claimed)
    assert queue.find("scene_1").running == ()
    assert queue.find("scene_7") == FoundJobs()


def test_only_jobs_that_wait_for_plex_and_are_not_due_are_shown_with_their_paths(
    queue: EmbeddedQueue, make_job: MakeJob
) -> None:
    later = time.time() + 300
    queue.put_job(not_found(make_job, 1, later + 5, path="/data/Travel/Harbour.mp4"))
    queue.put_job(not_found(make_job, 2, later))
    queue.put_job(not_found(make_job, 3, later + 9, path=["no path"]))
    queue.put_job(not_found(make_job, 4, time.time() - 1, path="/due"))
    queue.put_job({**not_found(make_job, 5, later, path="/busy"), "last_error_type": "PlexBusy"})
    queue.put_job({**not_found(make_job, 6, later, path="/keyless"), "job_key": None})
    queue.put_job(make_job(7))
    assert queue.waiting_for_plex() == (
        ("scene_2", None),
        ("scene_1", "/data/Travel/Harbour.mp4"),
        ("scene_3", None),
    )


def test_a_requeue_makes_a_job_wait_for_plex_and_a_persons_change_ends_that(
    queue: EmbeddedQueue, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1, data={"path": "/a.mp4"}))
    [claimed] = queue.claim()
    queue.requeue(claimed, {**claimed.job, "next_retry_at": time.time() + 300, "last_error_type": "PlexNotFound"})
    assert queue.waiting_for_plex() == (("scene_1", "/a.mp4"),)
    queue.put_job(make_job(1))
    assert queue.waiting_for_plex() == ()


def test_looking_up_costs_nothing_for_all_the_others(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    later = time.time() + 300
    queue.put_job(not_found(make_job, 1, later, path="/a.mp4"))
    alone = vm_steps(queue, queue.waiting_for_plex), vm_steps(queue, lambda: queue.find("scene_1"))
    queue.put_many((make_job(number) for number in range(1000, 11_000)), batch_rows=5000)
    busy = {"next_retry_at": later, "last_error_type": "PlexBusy"}
    queue.put_many((make_job(number, **busy) for number in range(20_000, 30_000)), batch_rows=5000)
    crowded = vm_steps(queue, queue.waiting_for_plex), vm_steps(queue, lambda: queue.find("scene_1"))
    assert crowded[0] <= alone[0] + 2
    assert crowded[1] <= alone[1] + 2
    assert len(queue.waiting_for_plex()) == 1


def test_jobs_are_woken_in_short_transactions(queue: EmbeddedQueue, make_job: MakeJob, sql: RunSql) -> None:
    later = time.time() + 300
    queue.put_many((not_found(make_job, number, later) for number in range(1, 1201)), batch_rows=5000)
    begun = []
    with queue.reading() as connection:
        connection.set_trace_callback(lambda text: begun.append(text) if text.startswith("BEGIN") else None)
    assert queue.wake((f"scene_{number}" for number in range(1, 1201)), time.time()) == 1200
    assert len(begun) == 3
    assert sql("SELECT COUNT(*) FROM ack_queue_default WHERE due_at > ?", time.time()) == [(0,)]
