"""What hooks left goes on to every queue exactly once, in spite of queues that are away and of deaths in between."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from scenesync.domain.job import scene_job
from scenesync.intake.forwarder import Forwarder, Route
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.errors import QueueUnreachable
from scenesync.queue.forwarding import outbox as outbox_module
from scenesync.queue.forwarding.outbox import Outbox
from scenesync.queue.records import PRIORITY_PERSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from scenesync.intake.forwarder import Destination
    from scenesync.queue.records import BulkResult, OutboxEvent

PATIENCE_S: Final = 20.0


class Away:
    """A queue behind a network: while it is ``away`` nothing gets through, or (``deaf``) only the answer is lost."""

    def __init__(self, queue: Destination) -> None:
        self._queue = queue
        self.away = self.deaf = False

    def taken_from(self, outbox_id: str) -> int:
        self._require()
        return self._queue.taken_from(outbox_id)

    def take_in(self, outbox_id: str, events: Sequence[OutboxEvent]) -> BulkResult:
        self._require()
        result = self._queue.take_in(outbox_id, events)
        if self.deaf:
            self.deaf = False
            raise QueueUnreachable("db.example", "the connection went away")
        return result

    def _require(self) -> None:
        if self.away:
            raise QueueUnreachable("db.example", "connection refused")


class World:
    """An outbox, and queues to which it goes."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.outbox: Outbox = stack.enter_context(contextlib.closing(Outbox(folder / "outbox")))
        self.hooks = stack.enter_context(contextlib.closing(EmbeddedQueue(folder / "outbox", auto_resume=False)))
        self.stop = threading.Event()
        stack.callback(self.stop.set)

    def queue(self, name: str) -> EmbeddedQueue:
        return self._stack.enter_context(contextlib.closing(EmbeddedQueue(self.folder / name)))

    def event(self, scene_id: int, **data: str) -> None:
        self.hooks.put_job(scene_job(scene_id, time.time(), data=dict(data)), PRIORITY_PERSON)

    def run(self, forwarder: Forwarder) -> None:
        for route in forwarder.routes:
            thread = threading.Thread(target=forwarder.forward, args=(route, self.stop), daemon=True)
            thread.start()
            self._stack.callback(thread.join, PATIENCE_S)
        self._stack.callback(self.stop.set)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        yield World(tmp_path, stack)


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it does not come about"
        time.sleep(0.01)


def scenes(queue: EmbeddedQueue) -> list[int]:
    return sorted(each.job["scene_id"] for each in queue.list_pending())


def test_events_reach_every_queue_and_leave_nothing_behind(world: World) -> None:
    near, far = world.queue("near"), world.queue("far")
    world.event(1)
    world.run(Forwarder(world.outbox, [Route("near", near), Route("far", far)]))
    world.event(2)

    wait_for(lambda: scenes(near) == scenes(far) == [1, 2])
    wait_for(lambda: world.outbox.waiting() == 0)


def test_an_event_is_elsewhere_within_a_moment(world: World) -> None:
    queue = world.queue("near")
    world.run(Forwarder(world.outbox, [Route("near", queue)]))
    time.sleep(0.3)  # it waits by now
    began = time.monotonic()
    world.event(1)

    wait_for(lambda: scenes(queue) == [1])

    assert time.monotonic() - began < 1.0


def test_a_queue_that_is_away_holds_up_no_other_and_gets_everything_later(world: World) -> None:
    near, far = world.queue("near"), world.queue("far")
    behind = Away(far)
    behind.away = True
    world.run(Forwarder(world.outbox, [Route("near", near), Route("far", behind)], jitter_seed=1))
    for scene_id in range(1, 6):
        world.event(scene_id)
    wait_for(lambda: len(scenes(near)) == 5)
    assert scenes(far) == []
    assert world.outbox.waiting() == 5

    behind.away = False

    wait_for(lambda: len(scenes(far)) == 5)
    wait_for(lambda: world.outbox.waiting() == 0)


def test_an_answer_that_is_lost_repeats_nothing(world: World) -> None:
    queue = world.queue("near")
    behind = Away(queue)
    behind.deaf = True
    world.event(1)
    world.run(Forwarder(world.outbox, [Route("near", behind)], jitter_seed=1))
    wait_for(lambda: scenes(queue) == [1])
    [claimed] = queue.claim()
    queue.complete(claimed)

    wait_for(lambda: world.outbox.waiting() == 0)

    assert queue.claim() == []
    assert queue.totals() == (1, 0)


def test_a_death_between_the_two_repeats_nothing(world: World) -> None:
    queue = world.queue("near")
    world.event(1)
    queue.take_in(world.outbox.id, world.outbox.batch(0))  # and then it dies
    [claimed] = queue.claim()
    queue.complete(claimed)

    assert Forwarder(world.outbox, [Route("near", queue)]).send_all(Route("near", queue), world.stop) == 0

    assert queue.claim() == []
    assert world.outbox.waiting() == 0


def test_jobs_can_be_addressed_otherwise_or_kept_back_for_each_queue(world: World) -> None:
    queue = world.queue("near")

    def second(job: dict[str, Any]) -> dict[str, Any] | None:
        return None if job["scene_id"] == 2 else {**job, "server": "attic", "job_key": f"attic:{job['job_key']}"}

    route = Route("near", queue, second)
    for scene_id in (1, 2, 3):
        world.event(scene_id)

    Forwarder(world.outbox, [route]).send_all(route, world.stop)

    assert [each.job["job_key"] for each in queue.list_pending()] == ["attic:scene_1", "attic:scene_3"]
    assert {each.job["server"] for each in queue.list_pending()} == {"attic"}
    assert world.outbox.waiting() == 0


@pytest.fixture
def unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing tells a copy of an outbox: as where a file is put back in its place, or a whole machine is cloned."""
    monkeypatch.setattr(outbox_module, "_mark_of", lambda _folder: "")


@pytest.mark.usefixtures("unmarked")
def test_an_outbox_put_back_to_an_older_state_loses_no_later_event(world: World, tmp_path: Path) -> None:
    queue = world.queue("near")
    route = Route("near", queue)
    world.event(1)
    Forwarder(world.outbox, [route]).send_all(route, world.stop)
    world.outbox.maintain()
    copy = tmp_path / "backup"
    shutil.copytree(tmp_path / "outbox", copy)
    for scene_id in (2, 3, 4):
        world.event(scene_id)
    Forwarder(world.outbox, [route]).send_all(route, world.stop)

    with contextlib.closing(Outbox(copy)) as restored, contextlib.closing(EmbeddedQueue(copy, auto_resume=False)) as q:
        q.put_job(scene_job(5, time.time()))
        Forwarder(restored, [route]).send_all(route, world.stop)
        assert restored.id != world.outbox.id

    assert scenes(queue) == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("unmarked")
def test_two_copies_of_one_outbox_lose_nothing(world: World, tmp_path: Path) -> None:
    queue = world.queue("near")
    route = Route("near", queue)
    world.outbox.maintain()
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "outbox", copy)
    with contextlib.closing(Outbox(copy)) as twin, contextlib.closing(EmbeddedQueue(copy, auto_resume=False)) as hooks:
        first, second = Forwarder(world.outbox, [route]), Forwarder(twin, [route])
        threads = [threading.Thread(target=each.forward, args=(route, world.stop)) for each in (first, second)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)  # both have asked how far the queue has come
        for number in range(1, 11):
            world.event(number)
            hooks.put_job(scene_job(100 + number, time.time()))
        try:
            wait_for(lambda: scenes(queue) == [*range(1, 11), *range(101, 111)])
        finally:
            world.stop.set()
            for thread in threads:
                thread.join()


def test_a_copy_whose_event_did_not_arrive_does_not_take_the_others_for_it(world: World, tmp_path: Path) -> None:
    queue = world.queue("near")
    world.outbox.maintain()
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "outbox", copy)
    with contextlib.closing(Outbox(copy)) as twin, contextlib.closing(EmbeddedQueue(copy, auto_resume=False)) as hooks:
        first, second = (Forwarder(each, [Route("near", queue)]) for each in (world.outbox, twin))
        hooks.put_job(scene_job(101, time.time()))
        twin.batch(0)  # it has its number; then the queue is away
        world.event(1)
        first.send_all(first.routes[0], world.stop)

        second.send_all(second.routes[0], world.stop)

    assert scenes(queue) == [1, 101]


def test_a_wait_for_a_queue_that_is_away_ends_with_the_stop(world: World) -> None:
    behind = Away(world.queue("near"))
    behind.away = True
    forwarder = Forwarder(world.outbox, [Route("near", behind)])
    thread = threading.Thread(target=forwarder.forward, args=(forwarder.routes[0], world.stop))
    thread.start()
    time.sleep(0.5)
    began = time.monotonic()

    world.stop.set()
    thread.join(PATIENCE_S)

    assert not thread.is_alive()
    assert time.monotonic() - began < 1.0
