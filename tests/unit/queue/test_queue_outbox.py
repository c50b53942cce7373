"""A queue file whose events leave for other queues: numbered once, kept until they are elsewhere, lost nowhere."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from queue_engines import both_engines

from scenesync.queue import inbox, merging, spool
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.forwarding.outbox import Outbox, OutboxState, read_outbox
from scenesync.queue.inbox import Document
from scenesync.queue.port import Queue
from scenesync.queue.records import PRIORITY_BULK, PRIORITY_PERSON, BulkResult, OutboxEvent

Job = dict[str, Any]
MakeJob = Callable[..., Job]
RunSql = Callable[..., list[Any]]


@pytest.fixture
def outbox(queue_path: Path) -> Iterator[Outbox]:
    with contextlib.closing(Outbox(queue_path)) as opened:
        yield opened


@pytest.fixture
def reopened(queue_path: Path) -> Iterator[Callable[[], Outbox]]:
    """Opens the file again, as the next process does."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(Outbox(queue_path)))


def hook(queue_path: Path, scene_id: int, *, title: str = "Harbour", by_task: bool = False) -> None:
    """Do what the hook does when a scene was saved."""
    document = Document(
        is_hook=True, trigger="Scene.Update.Post", object_id=scene_id, title=title, path=None, by_task=by_task
    )
    assert inbox.store(document, str(queue_path.parent)) is None


def scenes(events: list[OutboxEvent]) -> list[int]:
    return [each.job["scene_id"] for each in events]


# -- taking in


@both_engines
def test_events_of_an_outbox_are_taken_in_once_however_often_they_are_sent(queue: Queue, make_job: MakeJob) -> None:
    events = [OutboxEvent(number, make_job(number), PRIORITY_PERSON, time.time()) for number in (1, 2, 3)]

    first = queue.take_in("outbox of one", events[:2])
    again = queue.take_in("outbox of one", events)

    assert (first, again) == (BulkResult(created=2), BulkResult(created=1))
    assert queue.taken_from("outbox of one") == 3
    assert queue.total == 3


@both_engines
def test_a_repeated_event_does_not_run_a_finished_job_again(queue: Queue, make_job: MakeJob) -> None:
    event = OutboxEvent(1, make_job(1), PRIORITY_PERSON, time.time())
    queue.take_in("outbox of one", [event])
    [claimed] = queue.claim()
    queue.complete(claimed)

    assert queue.take_in("outbox of one", [event]) == BulkResult()

    assert queue.claim() == []


@both_engines
def test_each_outbox_is_counted_for_itself(queue: Queue, make_job: MakeJob) -> None:
    queue.take_in("outbox of one", [OutboxEvent(7, make_job(1), PRIORITY_PERSON, time.time())])
    queue.take_in("outbox of two", [OutboxEvent(3, make_job(2), PRIORITY_PERSON, time.time())])

    assert [queue.taken_from(f"outbox of {name}") for name in ("one", "two", "three")] == [7, 3, 0]
    assert queue.total == 2


@both_engines
def test_what_is_taken_in_keeps_its_lane_and_joins_what_waits(queue: Queue, make_job: MakeJob) -> None:
    queue.put_many([make_job(1), make_job(2)])
    now = time.time()

    result = queue.take_in(
        "outbox of one",
        [
            OutboxEvent(1, make_job(2, data={"title": "Lighthouse"}), PRIORITY_PERSON, now),
            OutboxEvent(2, make_job(3), PRIORITY_BULK, now),
        ],
    )

    assert result == BulkResult(created=1, merged=1)
    assert [(each.scene_id, each.job["data"]["title"]) for each in queue.claim(5)] == [
        (2, "Lighthouse"),
        (1, "Harbour 1"),
        (3, "Harbour 3"),
    ]


@both_engines
def test_an_event_older_than_what_waits_does_not_replace_it(queue: Queue, make_job: MakeJob) -> None:
    queue.put_job(make_job(1, data={"title": "new"}))

    late = OutboxEvent(1, make_job(1, data={"title": "old"}, enqueued_at=time.time() - 60), 0, time.time() - 60)
    queue.take_in("outbox of one", [late])

    [claimed] = queue.claim(5)
    assert claimed.job["data"] == {"title": "new"}
    assert claimed.job["enqueued_at"] == pytest.approx(time.time() - 60, abs=5)


# -- leaving


def test_events_of_hooks_leave_in_order_a_persons_first(queue_path: Path, outbox: Outbox) -> None:
    for scene_id in (1, 2):
        hook(queue_path, scene_id, by_task=True)
    hook(queue_path, 3)

    events = outbox.batch(0)

    assert scenes(events) == [3, 1, 2]
    assert [each.number for each in events] == [1, 2, 3]
    assert [each.lane for each in events] == [PRIORITY_PERSON, PRIORITY_BULK, PRIORITY_BULK]
    assert all(each.happened_at == pytest.approx(time.time(), abs=5) for each in events)


def test_an_event_that_comes_while_one_of_its_scene_is_on_its_way_is_another_event(
    queue_path: Path, outbox: Outbox
) -> None:
    hook(queue_path, 1, title="first")
    [sent] = outbox.batch(0)
    hook(queue_path, 1, title="second")

    assert outbox.batch(0) == [sent]  # asked for again, it is what it was
    outbox.forget_up_to(sent.number)
    [later] = outbox.batch(sent.number)

    assert later.number > sent.number
    assert later.job["data"]["title"] == "second"


def test_until_it_leaves_events_of_a_scene_are_one(queue_path: Path, outbox: Outbox) -> None:
    for number in range(5):
        hook(queue_path, 1, title=f"title {number}")

    assert [each.job["data"]["title"] for each in outbox.batch(0)] == ["title 4"]


def test_what_was_not_acknowledged_is_there_again_under_its_number_after_a_restart(
    queue_path: Path, reopened: Callable[[], Outbox]
) -> None:
    with contextlib.closing(Outbox(queue_path)) as before:
        hook(queue_path, 1)
        hook(queue_path, 2)
        sent, name = before.batch(0), before.id

    after = reopened()

    assert after.batch(0) == sent
    assert after.id == name
    assert after.last_number() == 2


def test_numbers_are_never_given_again(queue_path: Path, outbox: Outbox) -> None:
    hook(queue_path, 1)
    [first] = outbox.batch(0)
    outbox.forget_up_to(first.number)
    hook(queue_path, 2)

    [second] = outbox.batch(first.number)

    assert second.number == first.number + 1


def test_while_somebody_has_not_taken_them_the_events_of_a_scene_become_one(queue_path: Path, outbox: Outbox) -> None:
    for number in range(4):
        hook(queue_path, 1, title=f"title {number}")
        hook(queue_path, 2 + number)
        outbox.batch(2 * number)  # somebody else takes them one after the other

    left = outbox.batch(0)

    assert sorted(scenes(left)) == [1, 2, 3, 4, 5]
    assert [each.job["data"]["title"] for each in left if each.job["scene_id"] == 1] == ["title 3"]


def test_a_new_file_has_a_new_name(tmp_path: Path) -> None:
    names = []
    for folder in ("one", "two"):
        with contextlib.closing(Outbox(tmp_path / folder)) as outbox:
            names.append(outbox.id)

    assert names[0] != names[1]
    assert min(map(len, names)) == 32


def test_a_copy_of_a_file_has_a_name_of_its_own_and_the_file_keeps_its_name(tmp_path: Path) -> None:
    with contextlib.closing(Outbox(tmp_path / "one")) as outbox:
        name = outbox.id
    shutil.copytree(tmp_path / "one", tmp_path / "copy")

    with (
        contextlib.closing(Outbox(tmp_path / "copy")) as copy,
        contextlib.closing(Outbox(tmp_path / "one")) as outbox,
    ):
        assert (copy.id != name, outbox.id == name) == (True, True)


def test_events_left_beside_the_file_leave_with_the_others(queue_path: Path, outbox: Outbox, make_job: MakeJob) -> None:
    spool.write_event(str(queue_path), merging.encode(make_job(4, enqueued_at=1700000000.5)))

    [event] = outbox.batch(0)

    assert event.job["scene_id"] == 4
    assert event.happened_at == 1700000000.5
    assert spool.event_files(spool.spool_beside(str(queue_path))) == []


def test_a_hook_wakes_who_waits_at_once(queue_path: Path, outbox: Outbox) -> None:
    assert outbox.batch(0) == []
    hook(queue_path, 1)
    began = time.monotonic()

    assert outbox.wait_for_change(10.0)

    assert time.monotonic() - began < 1.0
    assert scenes(outbox.batch(0)) == [1]


def test_jobs_that_were_in_hand_when_the_file_was_worked_off_leave_too_with_their_retry_state(
    queue_path: Path, outbox: Outbox, make_job: MakeJob
) -> None:
    outbox.close()
    with contextlib.closing(EmbeddedQueue(queue_path)) as queue:
        queue.put_job(make_job(1))
        [claimed] = queue.claim()
        queue.requeue(claimed, {**claimed.job, "retry_count": 2, "next_retry_at": time.time() + 60})
        queue.put_job(make_job(2))
        queue.claim()  # and dies

    with contextlib.closing(Outbox(queue_path)) as later:
        events = later.batch(0)

    assert sorted(scenes(events)) == [1, 2]
    assert [each.job.get("retry_count") for each in events if each.job["scene_id"] == 1] == [2]


def test_a_file_that_is_worked_off_again_takes_back_what_was_about_to_leave(queue_path: Path, outbox: Outbox) -> None:
    hook(queue_path, 1)
    hook(queue_path, 2)
    [first, _] = outbox.batch(0)
    outbox.forget_up_to(first.number)
    hook(queue_path, 2, title="newer")
    outbox.close()

    with contextlib.closing(EmbeddedQueue(queue_path)) as queue:
        claims = queue.claim(5)

    assert [(each.scene_id, each.job["data"]["title"]) for each in claims] == [(2, "newer")]


def test_what_can_be_read_of_a_damaged_outbox_is_in_the_new_one_which_has_another_name(
    queue_path: Path, reopened: Callable[[], Outbox], make_job: MakeJob
) -> None:
    with contextlib.closing(Outbox(queue_path)) as before:
        name = before.id
        with contextlib.closing(EmbeddedQueue(queue_path, auto_resume=False)) as queue:
            queue.put_many(make_job(number) for number in range(1, 701))
        before.batch(0)
        before.maintain()
    damage_page_of(queue_path, b'"job_key":"scene_650"')

    after = reopened()

    assert after.damage is not None
    assert after.id != name
    assert 650 < after.waiting() < 700


def damage_page_of(queue_path: Path, marker: bytes) -> None:
    path = queue_path / "data.db"
    content = bytearray(path.read_bytes())
    page = content.index(marker) // 4096
    content[page * 4096 : (page + 1) * 4096] = b"\xde\xad" * 2048
    path.write_bytes(content)


# -- looking


def test_what_waits_is_told_without_changing_anything(queue_path: Path, outbox: Outbox) -> None:
    hook(queue_path, 1)
    outbox.batch(0)
    hook(queue_path, 2)
    outbox.close()

    state = read_outbox(queue_path)

    assert state.waiting == 2
    assert state.oldest_s == pytest.approx(0, abs=5)


def test_where_there_is_no_file_nothing_waits(queue_path: Path) -> None:
    assert read_outbox(queue_path) == OutboxState()
    assert not queue_path.exists()


def test_a_large_backlog_leaves_in_batches(queue_path: Path, outbox: Outbox, make_job: MakeJob) -> None:
    with contextlib.closing(EmbeddedQueue(queue_path, auto_resume=False)) as queue:
        queue.put_many(make_job(number) for number in range(1, 1201))
    sizes, number = [], 0
    while events := outbox.batch(number):
        sizes.append(len(events))
        number = events[-1].number
        outbox.forget_up_to(number)

    assert sizes == [500, 500, 200]
    assert outbox.waiting() == 0


def test_few_large_events_make_a_batch(queue_path: Path, outbox: Outbox, make_job: MakeJob) -> None:
    with contextlib.closing(EmbeddedQueue(queue_path, auto_resume=False)) as queue:
        queue.put_many(make_job(number, data={"title": "x" * 200_000}) for number in range(1, 11))

    assert len(outbox.batch(0)) < 6
