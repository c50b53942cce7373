"""The record must convict a queue that does wrong, and no other.

Some of these damage a queue behind its back, as a defect would; some let others work while the judge looks at it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING, Final

import crash_nursery
import pytest
from crash_child import take_a_step, try_to_end_what_was_lost
from crash_nursery import World
from crash_recorded_queue import seeded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from crash_recorded_queue import RecordedQueue
    from crash_snapshot import Snapshot

pytestmark = pytest.mark.reliability

_COPY: Final = """
    INSERT INTO ack_queue_default (data, timestamp, status, priority, event_at)
    SELECT data, timestamp, 0, priority, event_at FROM ack_queue_default WHERE _id = ?"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with contextlib.closing(World(tmp_path / "world")) as world:
        yield world


@pytest.fixture
def box(world: World) -> Iterator[RecordedQueue]:
    box = world.open()
    box.put(1)
    box.put(2)
    (claimed,) = box.claim()
    assert claimed.scene_id == 1
    yield box
    box.close()


def _sql(box: RecordedQueue, statement: str, *values: object) -> None:
    with box.queue.writing() as connection:
        connection.execute(statement, values)


def _acknowledge_then_die_before_put(box: RecordedQueue) -> None:
    claimed = box.held[0]
    box.record.write("requeue", "begin", 900, row=claimed.row_id, claim_no=claimed.claim_no, retry_count=1)
    box.queue.complete(claimed)


def _put_then_die_before_acknowledge(box: RecordedQueue) -> None:
    _sql(box, _COPY, box.held[0].row_id)


def _fail_then_die_before_adding_to_the_dead_letters(box: RecordedQueue) -> None:
    claimed = box.held[0]
    box.record.write("bury", "begin", 900, row=claimed.row_id, claim_no=claimed.claim_no)
    box.queue.ack_failed(id=claimed.row_id)


def _refuse_an_event_because_its_scene_is_processed(box: RecordedQueue) -> None:
    with box._putting("refused", [1]):
        pass


def _refuse_an_event_because_its_scene_waits(box: RecordedQueue) -> None:
    with box._putting("refused", [2]):
        pass


def _write_an_older_event_last(box: RecordedQueue) -> None:
    (data,) = box.queue.list_pending()
    box.put(2)
    with box.queue.writing() as connection:
        connection.execute(
            "UPDATE ack_queue_default SET data = json_set(CAST(data AS TEXT), '$.data.title', ?) WHERE _id = ?",
            (data.job["data"]["title"], data.row_id),
        )


def _let_a_completed_job_come_again(box: RecordedQueue) -> None:
    row_id = box.held[0].row_id
    box.complete(box.held[0])
    _sql(box, "UPDATE ack_queue_default SET status = 1 WHERE _id = ?", row_id)


def _take_a_job_from_one_that_lives(box: RecordedQueue) -> None:
    _sql(box, "UPDATE ack_queue_default SET status = 1, owner = NULL WHERE _id = ?", box.held[0].row_id)
    other = box.record.named("another")
    mine, box.record = box.record, other
    box.claim()
    box.record = mine


def _forget_the_retry_count(box: RecordedQueue) -> None:
    row_id = box.held[0].row_id
    box.requeue(box.held[0])
    _sql(
        box,
        "UPDATE ack_queue_default SET data = json_remove(CAST(data AS TEXT), '$.retry_count') WHERE _id = ?",
        row_id,
    )


def _forget_the_retry_count_until_the_next_claim(box: RecordedQueue) -> None:
    _forget_the_retry_count(box)
    box.claim(2)


def _leave_a_job_in_dead_hands(box: RecordedQueue) -> None:
    # Process 1 lives, but is none of ours; a take-over that believes it leaves the job.
    box.queue._is_alive = lambda owner: owner is not None  # type: ignore[method-assign]
    _sql(box, "UPDATE ack_queue_default SET owner = '1-feed' WHERE _id = ?", box.held[0].row_id)


@pytest.mark.parametrize(
    ("defect", "what"),
    [
        (_acknowledge_then_die_before_put, "lost: "),
        (_put_then_die_before_acknowledge, "doubled: "),
        (_fail_then_die_before_adding_to_the_dead_letters, "lost: "),
        (_refuse_an_event_because_its_scene_is_processed, "lost: "),
        (_refuse_an_event_because_its_scene_waits, "broken: "),
        (_write_an_older_event_last, "broken: "),
        (_let_a_completed_job_come_again, "doubled: "),
        (_take_a_job_from_one_that_lives, "doubled: "),
        (_forget_the_retry_count, "broken: "),
        (_forget_the_retry_count_until_the_next_claim, "broken: "),
        (_leave_a_job_in_dead_hands, "broken: "),
    ],
)
def test_record_convicts_a_queue_that_would(
    world: World, box: RecordedQueue, defect: Callable[[RecordedQueue], None], what: str
) -> None:
    assert not world.judge(box, set()), "all is well before"
    defect(box)
    assert str(world.judge(box, set())).startswith(what)


def test_record_convicts_nobody_for_a_retry_that_was_noted_while_the_queue_was_looked_at(
    world: World, box: RecordedQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_once_and_begin_anew() -> None:
        box.requeue(*box.claim())
        box.claim()

    _let_others_work_while_it_looks(monkeypatch, after=fail_once_and_begin_anew)
    assert not world.judge(box, {os.getpid()})


@pytest.mark.parametrize("seed", range(3))
def test_record_convicts_nobody_for_what_is_done_while_the_queue_is_looked_at(
    world: World, box: RecordedQueue, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = seeded(seed)
    other = world.open()

    def work_on() -> None:
        for _ in range(rng.randint(0, 20)):
            take_a_step(other, rng)

    _let_others_work_while_it_looks(monkeypatch, before=work_on, after=work_on)
    for _ in range(20):
        verdict = world.judge(box, {os.getpid()})
        assert not verdict, str(verdict)
    other.close()


def test_record_convicts_nobody_for_an_event_that_another_overtakes_before_it_is_begun(
    world: World, box: RecordedQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, write = world.open(), box.record.write

    def write_after_another_event(op: str, phase: str = "done", step: int = 0, **facts: object) -> None:
        if phase == "begin":
            other.put(2)
        write(op, phase, step, **facts)

    with monkeypatch.context() as patch:
        patch.setattr(box.record, "write", write_after_another_event)
        box.put_into_spool(2)
    box.take_in_spool()
    verdict = world.judge(box, {os.getpid()})
    assert not verdict, str(verdict)
    other.close()


def test_record_convicts_nobody_for_ending_a_job_that_could_not_be_taken_over_yet(
    world: World, box: RecordedQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who sweeps up holds the dead one's lock just when this one asks whether that lives."""
    lives = iter([True])
    is_alive = box.queue._is_alive
    monkeypatch.setattr(box.queue, "_is_alive", lambda owner: next(lives, False) or is_alive(owner))
    try_to_end_what_was_lost(box, seeded(1))
    verdict = world.judge(box, {os.getpid()})
    assert not verdict, str(verdict)


def _let_others_work_while_it_looks(
    monkeypatch: pytest.MonkeyPatch, *, before: Callable[[], None] = lambda: None, after: Callable[[], None]
) -> None:
    look = crash_nursery.look

    def look_slowly(connection: sqlite3.Connection, spool_folders: tuple[Path, ...]) -> Snapshot:
        before()
        snapshot = look(connection, spool_folders)
        after()
        return snapshot

    monkeypatch.setattr(crash_nursery, "look", look_slowly)
