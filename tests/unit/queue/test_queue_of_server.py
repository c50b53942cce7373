"""The queue of a further Stash: marked jobs inside, scenes as ever outside."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.job import DESTROY, FANOUT, of_server, scene_job, subject
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.of_server import queue_of, view_of
from scenesync.queue.port import is_our_queue
from scenesync.queue.read_only import read_queue
from scenesync.queue.records import OutboxEvent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scenesync.queue.port import Queue


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with closing(queue_of("attic", EmbeddedQueue(tmp_path))) as queue:
        yield queue


def test_jobs_of_a_further_stash_say_whose_they_are_and_those_of_the_first_are_plain(
    queue: Queue, tmp_path: Path
) -> None:
    queue.put_job(scene_job(5, 1.0))
    queue.put_many([scene_job(6, 1.0)])
    queue.take_in("outbox", [OutboxEvent(1, scene_job(7, 1.0), 0, 1.0)])
    jobs = [pending.job for pending in queue.list_pending()]
    assert [(job["scene_id"], job["job_key"], job["server"]) for job in jobs] == [
        (5, "attic:scene_5", "attic"),
        (6, "attic:scene_6", "attic"),
        (7, "attic:scene_7", "attic"),
    ]
    with closing(EmbeddedQueue(tmp_path / "first")) as first:
        assert queue_of("", first) is first


def test_events_of_a_scene_merge_and_it_is_found_under_its_plain_key(queue: Queue, tmp_path: Path) -> None:
    queue.put_job(scene_job(5, 1.0))
    assert queue.put_job(scene_job(5, 2.0)).merged
    queue.put_job(scene_job(6, 2.0, update_type=DESTROY))
    assert [each.job["scene_id"] for each in queue.find("scene_5").waiting] == [5]
    assert queue.waiting_scenes([4, 5, 6]) == {5, 6}
    assert queue.departing_scenes([4, 5, 6]) == {6}
    looked = read_queue(tmp_path, lambda view: view_of("attic", view).scenes_waiting([4, 5]))
    assert looked == frozenset({5})
    assert queue.drop_pending(job_key="scene_5") == 1
    assert queue.waiting_scenes([5, 6]) == {6}


def test_a_job_goes_its_whole_way_as_in_any_queue_of_ours(queue: Queue) -> None:
    assert is_our_queue(queue)
    queue.put_job(scene_job(5, 1.0))
    [claimed] = queue.claim()
    assert (claimed.scene_id, claimed.job_key) == (5, "attic:scene_5")
    queue.requeue(claimed, {**claimed.job, "retry_count": 1})
    [again] = queue.claim()
    assert (again.job["server"], again.job["retry_count"]) == ("attic", 1)
    queue.complete(again)
    assert queue.total == 0


def test_a_job_is_marked_once_and_its_subject_is_told_without_the_mark() -> None:
    job = of_server("attic", scene_job(5, 1.0))
    assert of_server("attic", job) == job
    fan_out = of_server("attic", {"scene_id": 0, "update_type": FANOUT, "job_key": "performer_3"})
    assert fan_out["job_key"] == "attic:performer_3"
    assert subject(fan_out) == "all scenes of performer 3"
