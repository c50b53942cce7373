import time
from collections.abc import Callable

from queue_engines import both_engines
from test_queue_plans import vm_steps

from scenesync.domain.job import DESTROY
from scenesync.domain.paths import name_key
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.of_server import queue_of
from scenesync.queue.port import Queue
from scenesync.queue.records import PRIORITY_BULK, FoundJobs

MakeJob = Callable[..., dict[str, object]]
RunSql = Callable[..., list[tuple[object, ...]]]


def not_found(make_job: MakeJob, scene_id: int, due_at: float, **data: object) -> dict[str, object]:
    state = {"retry_count": 1, "next_retry_at": due_at, "last_error_type": "PlexNotFound"}
    return make_job(scene_id, data=data, **state)


@both_engines
def test_find_shows_what_waits_and_what_is_in_hand_under_a_key(queue: Queue, make_job: MakeJob) -> None:
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


@both_engines
def test_of_the_jobs_that_wait_or_are_in_hand_those_are_known_that_tell_of_a_deletion(
    queue: Queue, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1, update_type=DESTROY))
    assert len(queue.claim()) == 1
    queue.put_job(make_job(2, update_type=DESTROY))
    queue.put_job(make_job(3, data={"title": f'to "{DESTROY}"', "path": DESTROY}))
    queue.put_job(make_job(4, update_type=DESTROY))
    queue.put_job(make_job(4))  # it was saved again since
    queue.put_job(make_job(5, update_type=DESTROY))
    scenes = [1, 2, 3, 4, *range(100, 1200)]
    assert queue.departing_scenes(scenes) == {1, 2}
    assert queue.waiting_scenes(scenes) == {2, 3, 4}
    assert queue.departing_scenes([]) == set()


@both_engines
def test_scenes_of_a_further_stash_are_found_under_its_keys_alone(queue: Queue, make_job: MakeJob) -> None:
    attic = queue_of("attic", queue)
    attic.put_job(make_job(1, update_type=DESTROY))
    queue.put_job(make_job(2, update_type=DESTROY))
    assert attic.waiting_scenes([1, 2]) == attic.departing_scenes([1, 2]) == {1}
    assert queue.waiting_scenes([1, 2]) == queue.departing_scenes([1, 2]) == {2}


@both_engines
def test_jobs_wake_whose_file_has_appeared_and_no_others(queue: Queue, make_job: MakeJob) -> None:
    later = time.time() + 300
    queue.put_job(not_found(make_job, 1, later, path="/data/Travel/Straße.mp4"))
    queue.put_job(not_found(make_job, 2, later, path="/data/Travel/Lighthouse.mp4"))
    queue.put_job({**not_found(make_job, 3, later, path="/data/Straße.mp4"), "last_error_type": "PlexBusy"})
    queue.put_job(not_found(make_job, 4, later))
    queue.put_job(not_found(make_job, 5, later, path=["no path"]))
    queue.put_job({**not_found(make_job, 6, later), "data": None})
    queue.put_job(not_found(make_job, 7, time.time() - 1, path="/due/Straße.mp4"))
    assert queue.wake_for_files([name_key("D:\\Films\\STRASSE.mp4"), name_key("")]) == 1
    assert {claimed.scene_id for claimed in queue.claim(9)} == {1, 7}


@both_engines
def test_a_woken_job_keeps_its_retry_state_and_is_not_woken_twice(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(not_found(make_job, 1, time.time() + 300, path="/a.mp4"))
    assert [queue.wake_for_files(["a.mp4"]) for _ in range(2)] == [1, 0]
    [claimed] = queue.claim()
    assert claimed.job["retry_count"] == 1


def test_what_a_job_waits_for_follows_its_content(queue: EmbeddedQueue, make_job: MakeJob, sql: RunSql) -> None:
    later = time.time() + 300
    queue.put_job(make_job(1))
    [claimed] = queue.claim()
    queue.requeue(claimed, not_found(make_job, 1, later, path="/a.mp4"))
    assert sql("SELECT file_key FROM ack_queue_default") == [("a.mp4",)], "noted as soon as it is known"
    queue.put_job(make_job(1, data={"path": "/moved.mp4"}), priority=PRIORITY_BULK)
    assert [queue.wake_for_files([name]) for name in ("a.mp4", "moved.mp4")] == [0, 1]
    [claimed] = queue.claim()
    queue.requeue(claimed, not_found(make_job, 1, later, path="/a.mp4"))
    queue.put_job(make_job(1, data={"path": "/a.mp4"}))
    assert queue.wake_for_files(["a.mp4"]) == 0, "a person's change is due at once"


@both_engines
def test_an_event_that_names_no_file_leaves_a_job_waiting_for_its_own(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(not_found(make_job, 1, time.time() + 300, path="/a.mp4"))
    queue.put_job(make_job(1, data={}, look=True), priority=PRIORITY_BULK)
    queue.put_many([make_job(1, data={"title": "Dawn"})], priority=PRIORITY_BULK)
    assert queue.wake_for_files(["a.mp4"]) == 1
    [claimed] = queue.claim()
    assert (claimed.job["data"], claimed.job["look"]) == ({"path": "/a.mp4", "title": "Dawn"}, True)


def test_looking_up_costs_nothing_for_all_the_others(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    def find() -> object:
        return queue.find("scene_1")

    def wake() -> object:
        return queue.wake_for_files(["appeared.mp4", "nobody waits for it.mp4"])

    later = time.time() + 300
    queue.put_job(not_found(make_job, 1, later, path="/appeared.mp4"))
    alone = vm_steps(queue, find), vm_steps(queue, wake)
    queue.put_many((make_job(number) for number in range(1000, 11_000)), batch_rows=5000)
    queue.put_many(
        (not_found(make_job, number, later, path=f"/{number}.mp4") for number in range(20_000, 30_000)), batch_rows=5000
    )
    queue.wake_for_files([])  # what others wrote is looked at once
    queue.put_job(not_found(make_job, 2, later, path="/appeared.mp4"))
    crowded = vm_steps(queue, find), vm_steps(queue, wake)
    assert crowded[0] <= alone[0] + 2
    assert crowded[1] <= alone[1] * 1.5
    assert {claimed.scene_id for claimed in queue.claim(2)} >= {1, 2}


def test_jobs_are_woken_in_short_transactions(queue: EmbeddedQueue, make_job: MakeJob, sql: RunSql) -> None:
    later = time.time() + 300
    jobs = (not_found(make_job, number, later, path=f"/{number}/a.mp4") for number in range(1, 1201))
    queue.put_many(jobs, batch_rows=5000)
    begun = []
    with queue.reading() as connection:
        connection.set_trace_callback(lambda text: begun.append(text) if text.startswith("BEGIN") else None)
    assert queue.wake_for_files(["a.mp4"]) == 1200
    assert len(begun) == 3 + 3, "to note what they wait for, and to wake them"
    assert sql("SELECT COUNT(*) FROM ack_queue_default WHERE due_at > ?", time.time()) == [(0,)]
