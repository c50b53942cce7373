from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from persistqueue import SQLiteAckQueue

from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.job import ClaimedJob, Job, scene_job
from scenesync.plex.exceptions import PlexNotFound
from scenesync.worker.stock_queue import StockQueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Letters:
    """A dead letter store that keeps what it is given; a broken one takes nothing."""

    def __init__(self, *, broken: bool = False) -> None:
        self.kept: list[DeadLetter] = []
        self._broken = broken

    def add(self, letter: DeadLetter) -> None:
        if self._broken:
            raise OSError("disk full")
        self.kept.append(letter)


class Crash(Exception):
    """The process ends here."""


class DiesBeforeAck(SQLiteAckQueue):
    """A queue whose process dies after a job was put or buried, before the old one is taken out."""

    def ack(self, item: Any = None, id: int | None = None) -> int | None:  # noqa: A002 - the name of the original
        raise Crash(item, id)

    def ack_failed(self, item: Any = None, id: int | None = None) -> int | None:  # noqa: A002 - likewise
        raise Crash(item, id)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "stock")


@pytest.fixture
def stock(folder: str) -> Iterator[Any]:
    queue = SQLiteAckQueue(folder, auto_resume=True)
    yield queue
    queue.close()


def left_after_a_restart(folder: str) -> list[Job]:
    """Return the jobs that another process finds."""
    queue = SQLiteAckQueue(folder, auto_resume=True)
    try:
        return [queue.get(block=False) for _ in range(queue.size)]
    finally:
        queue.close()


def letter_for(claim: ClaimedJob) -> DeadLetter:
    return DeadLetter.from_error(claim.job, PlexNotFound("not scanned"), failed_at=9.0, advice="Look.")


def bury_first(queue: StockQueue) -> None:
    (claim,) = queue.claim()
    queue.bury(claim, letter_for(claim))


def scene_ids(jobs: list[Job]) -> list[int]:
    return sorted(job["scene_id"] for job in jobs)


class TestClaim:
    def test_it_takes_as_many_as_asked_for_in_order(self, stock: Any) -> None:
        for scene_id in (3, 1, 2):
            stock.put(scene_job(scene_id, time.time()))
        queue = StockQueue(stock, Letters())
        assert [claim.scene_id for claim in queue.claim(2)] == [3, 1]
        assert [claim.scene_id for claim in queue.claim(5)] == [2]
        assert queue.claim(5) == []

    def test_claims_can_be_told_apart_although_the_queue_names_no_rows(self, stock: Any) -> None:
        for scene_id in range(1, 6):
            stock.put(scene_job(scene_id, time.time()))
        claims = StockQueue(stock, Letters()).claim(5)
        assert len({claim.row_id for claim in claims}) == 5

    def test_a_job_in_backoff_is_passed_over_and_stays(self, stock: Any, folder: str) -> None:
        stock.put(scene_job(1, time.time()) | {"next_retry_at": time.time() + 3600})
        stock.put(scene_job(2, time.time()))
        queue = StockQueue(stock, Letters())
        (claim,) = queue.claim(5)
        assert claim.scene_id == 2
        assert stock.size == 1
        queue.complete(claim)
        assert scene_ids(left_after_a_restart(folder)) == [1]

    def test_a_job_whose_time_has_come_is_taken(self, stock: Any) -> None:
        stock.put(scene_job(1, time.time()) | {"next_retry_at": time.time() - 1})
        assert len(StockQueue(stock, Letters()).claim()) == 1

    @pytest.mark.parametrize("value", [None, "soon", []])
    def test_a_retry_time_that_is_none_holds_nobody_up(self, stock: Any, value: object) -> None:
        stock.put(scene_job(1, time.time()) | {"next_retry_at": value})
        stock.put(scene_job(2, time.time()))
        assert [claim.scene_id for claim in StockQueue(stock, Letters()).claim(5)] == [1, 2]

    def test_no_two_threads_get_the_same_job(self, folder: str) -> None:
        stock = SQLiteAckQueue(folder, auto_resume=True, multithreading=True)
        try:
            for scene_id in range(1, 61):
                stock.put(scene_job(scene_id, time.time()))
            queue, taken = StockQueue(stock, Letters()), list[int]()

            def work() -> None:
                while claims := queue.claim(2):
                    taken.extend(claim.scene_id for claim in claims)
                    for claim in claims:
                        queue.complete(claim)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert sorted(taken) == list(range(1, 61))
        finally:
            stock.close()


class TestEnds:
    def test_a_finished_job_is_gone(self, stock: Any, folder: str) -> None:
        stock.put(scene_job(1, time.time()))
        queue = StockQueue(stock, Letters())
        (claim,) = queue.claim()
        queue.complete(claim)
        assert left_after_a_restart(folder) == []

    def test_a_released_job_comes_back_as_it_was(self, stock: Any, folder: str) -> None:
        job = scene_job(1, time.time())
        stock.put(job)
        queue = StockQueue(stock, Letters())
        queue.release(queue.claim()[0])
        assert queue.claim()[0].job == job
        assert left_after_a_restart(folder) == [job]

    def test_a_requeued_job_is_there_once_with_its_new_content(self, stock: Any, folder: str) -> None:
        stock.put(scene_job(1, 5.0) | {"colour": "blue"})
        queue = StockQueue(stock, Letters())
        (claim,) = queue.claim()
        claim.job["retry_count"] = 1
        queue.requeue(claim, claim.job)
        assert stock.unack_count() == 0
        assert left_after_a_restart(folder) == [scene_job(1, 5.0) | {"colour": "blue", "retry_count": 1}]

    def test_a_requeued_job_does_not_end_the_job_in_the_row_that_it_once_had(self, stock: Any, folder: str) -> None:
        for scene_id in (1, 2):
            stock.put(scene_job(scene_id, 5.0))
        queue = StockQueue(stock, Letters())
        first, second = queue.claim(2)
        queue.requeue(first, first.job | {"pqid": 2})
        (again,) = queue.claim()
        queue.complete(again)
        assert (again.scene_id, second.scene_id) == (1, 2)
        assert scene_ids(left_after_a_restart(folder)) == [2]

    def test_a_buried_job_is_a_letter_and_no_job(self, stock: Any, folder: str) -> None:
        letters = Letters()
        stock.put(scene_job(1, 5.0))
        queue = StockQueue(stock, letters)
        (claim,) = queue.claim()
        letter = letter_for(claim)
        queue.bury(claim, letter)
        assert letters.kept == [letter]
        assert stock.ack_failed_count() == 1
        assert left_after_a_restart(folder) == []


class TestCrashes:
    def test_a_death_with_a_job_in_hand_loses_nothing(self, folder: str) -> None:
        stock = SQLiteAckQueue(folder, auto_resume=True)
        stock.put(scene_job(1, 5.0))
        StockQueue(stock, Letters()).claim()
        stock.close()
        assert scene_ids(left_after_a_restart(folder)) == [1]

    def test_a_death_in_the_middle_of_a_requeue_leaves_two_never_none(self, folder: str) -> None:
        stock = DiesBeforeAck(folder, auto_resume=True)
        stock.put(scene_job(1, 5.0))
        queue = StockQueue(stock, Letters())
        (claim,) = queue.claim()
        with pytest.raises(Crash):
            queue.requeue(claim, claim.job | {"retry_count": 1})
        stock.close()
        left = left_after_a_restart(folder)
        assert scene_ids(left) == [1, 1]
        assert {job.get("retry_count") for job in left} == {None, 1}

    def test_a_death_in_the_middle_of_a_burial_leaves_the_job_too(self, folder: str) -> None:
        stock, letters = DiesBeforeAck(folder, auto_resume=True), Letters()
        stock.put(scene_job(1, 5.0))
        queue = StockQueue(stock, letters)
        with pytest.raises(Crash):
            bury_first(queue)
        stock.close()
        assert len(letters.kept) == 1
        assert scene_ids(left_after_a_restart(folder)) == [1]

    def test_a_letter_that_cannot_be_kept_leaves_the_job_in_the_queue(self, stock: Any, folder: str) -> None:
        stock.put(scene_job(1, 5.0))
        queue = StockQueue(stock, Letters(broken=True))
        with pytest.raises(OSError, match="disk full"):
            bury_first(queue)
        stock.close()
        assert scene_ids(left_after_a_restart(folder)) == [1]

    def test_whatever_the_order_of_ends_and_restarts_every_job_is_somewhere(self, folder: str) -> None:
        dice, letters, done = random.Random(7), Letters(), set[int]()  # noqa: S311 - a repeatable walk
        stock = SQLiteAckQueue(folder, auto_resume=True)
        for scene_id in range(1, 31):
            stock.put(scene_job(scene_id, 5.0))
        for _ in range(120):
            queue = StockQueue(stock, letters)
            for claim in queue.claim(dice.randint(1, 3)):
                match dice.choice(["done", "later", "back", "bury", "crash"]):
                    case "done":
                        queue.complete(claim)
                        done.add(claim.scene_id)
                    case "later":
                        queue.requeue(claim, claim.job | {"retry_count": 1})
                    case "back":
                        queue.release(claim)
                    case "bury":
                        queue.bury(claim, letter_for(claim))
                    case _:
                        stock.close()
                        stock = SQLiteAckQueue(folder, auto_resume=True)
                        break
        stock.close()
        waiting = scene_ids(left_after_a_restart(folder))
        buried = [letter.job["scene_id"] for letter in letters.kept]
        assert sorted([*waiting, *buried, *done]) == list(range(1, 31))


class TestWaiting:
    def test_something_is_due_while_anything_is_there(self, stock: Any) -> None:
        queue = StockQueue(stock, Letters())
        assert queue.next_due_at() is None
        stock.put(scene_job(1, 5.0))
        due_at = queue.next_due_at()
        assert due_at is not None
        assert due_at <= time.time()

    def test_whoever_has_the_job_holds_it(self, stock: Any) -> None:
        stock.put(scene_job(1, 5.0))
        queue = StockQueue(stock, Letters())
        assert queue.confirm_owned(queue.claim()[0])

    def test_the_sleep_ends_when_it_is_told_to_stop(self, stock: Any) -> None:
        stop = threading.Event()
        threading.Timer(0.05, stop.set).start()
        started = time.monotonic()
        StockQueue(stock, Letters()).wait_for_change(30.0, stop)
        assert time.monotonic() - started < 5.0
