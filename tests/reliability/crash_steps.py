"""Single operations of the queue, each made ready, held at a gate, and then done, for faults to be put into it."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crash_recorded_queue import Enqueuer, RecordedQueue

from scenesync.queue.errors import QueueError

if TYPE_CHECKING:
    from collections.abc import Callable

    from crash_record import Record

_PR_SET_PTRACER: Final = 0x59616D61  # prctl(2): on some systems only a parent may trace unless it is allowed so
_PR_SET_PTRACER_ANY: Final = ctypes.c_ulong(-1)
KEPT_FINISHED: Final = 2
_LEFT_OPEN: Final[list[RecordedQueue]] = []  # who is killed closes nothing, which would be more writes than the step's


class Stage:
    """Where a step takes place; ``queue`` is open from its making ready on, unless opening is the step itself."""

    def __init__(self, data_dir: str, record: Record) -> None:
        self._data_dir = data_dir
        self._record = record
        self._queue: RecordedQueue | None = None
        self.hook = Enqueuer(data_dir, record.named(f"{record.writer}/hook"))

    @property
    def queue(self) -> RecordedQueue:
        if self._queue is None:
            self._queue = RecordedQueue(self._data_dir, self._record, keep_finished=KEPT_FINISHED)
            _LEFT_OPEN.append(self._queue)
        return self._queue

    def reopened(self) -> RecordedQueue:
        """Return another handle, as the next process would have; this one is no longer used."""
        self._queue = None
        self._record = self._record.named(f"{self._record.writer}/next")
        return self.queue


@dataclass(frozen=True, slots=True)
class Step:
    """``ready`` runs before the faults, ``act`` is what they hit."""

    act: Callable[[Stage], object]
    ready: Callable[[Stage], object] = lambda stage: stage.queue
    closes: bool = False


def make_ready_world(box: RecordedQueue) -> None:
    """Give every step something to meet: jobs that wait (scenes 1 to 4), dead letters (5, 6), finished rows."""
    box.put_many([*range(5, 20)], batch_rows=50)
    for claimed in box.claim(15):
        (box.bury if claimed.scene_id < 7 else box.complete)(claimed)
    for scene_id in range(1, 5):
        box.put(scene_id)


def run_step(order: dict[str, Any], record: Record) -> None:
    """Make the step of ``order`` ready, wait at the gate, do it. After a fault: go on as if nothing had happened."""
    stage, step = Stage(order["data_dir"], record), STEPS[order["step"]]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _PR_SET_PTRACER_ANY)
    step.ready(stage)
    record.write("ready")
    if order["gate"]:
        os.close(os.open(order["gate"], os.O_RDONLY))  # returns once the test opens the other end
    try:
        step.act(stage)
    except (QueueError, OSError):  # noted in the record, to be judged there
        if order["go_on"] and not step.closes:
            step.act(stage)
    if order["go_on"]:
        box = stage.reopened() if step.closes else stage.queue
        box.put(20)
        box.drain()
        if box.queue.unack_count():
            record.write("problem", text=f"{box.queue.unack_count()} jobs are stuck in hands that hold nothing")


def _hold(stage: Stage) -> None:
    stage.queue.claim(2)


def _hold_with_newer_event(stage: Stage) -> None:
    stage.queue.claim(2)
    stage.queue.put(stage.queue.held[0].scene_id)


def _fill_spool(stage: Stage) -> None:
    _ = stage.queue
    for scene_id in (1, 21, 22):
        stage.hook.put_into_spool(scene_id)


STEPS: Final = {
    "open a new queue": Step(lambda stage: stage.queue, ready=lambda _: None),
    "open": Step(lambda stage: stage.queue, ready=lambda _: None),
    "take over from a dead process": Step(lambda stage: stage.queue, ready=lambda _: None),
    "put": Step(lambda stage: stage.queue.put(23)),
    "merge into a waiting job": Step(lambda stage: stage.queue.put(1)),
    "put while processed": Step(lambda stage: stage.queue.put(1), _hold),
    "put many": Step(lambda stage: stage.queue.put_many([1, 24, 25, 25, 2, 26]), _hold),
    "claim": Step(lambda stage: stage.queue.claim()),
    "claim several": Step(lambda stage: stage.queue.claim(3)),
    "complete": Step(lambda stage: stage.queue.complete(stage.queue.held[0]), _hold),
    "requeue": Step(lambda stage: stage.queue.requeue(stage.queue.held[0]), _hold),
    "requeue beside a newer event": Step(
        lambda stage: stage.queue.requeue(stage.queue.held[0]), _hold_with_newer_event
    ),
    "release": Step(lambda stage: stage.queue.release(stage.queue.held[0]), _hold),
    "bury": Step(lambda stage: stage.queue.bury(stage.queue.held[0]), _hold),
    "replay": Step(lambda stage: stage.queue.replay()),
    "put as hook": Step(lambda stage: stage.hook.put_as_hook(23), ready=lambda _: None),
    "merge as hook": Step(lambda stage: stage.hook.put_as_hook(1), ready=lambda _: None),
    "put into spool": Step(lambda stage: stage.hook.put_into_spool(23), ready=lambda _: None),
    "take in spool": Step(lambda stage: stage.queue.take_in_spool(), _fill_spool),
    "maintain": Step(lambda stage: stage.queue.maintain()),
    "close": Step(lambda stage: stage.queue.close(), closes=True),
}
