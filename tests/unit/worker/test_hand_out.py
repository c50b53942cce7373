from __future__ import annotations

import threading
from typing import Any

from scenesync.domain.job import PRIORITY_BULK, PRIORITY_PERSON, ClaimedJob
from scenesync.worker.attempts import Running
from scenesync.worker.hand_out import HandOut


def job(row_id: int, priority: int = PRIORITY_BULK) -> Running:
    session: Any = None
    return Running(ClaimedJob(row_id, {"scene_id": row_id}, priority=priority), session)


def taken(waiting: HandOut, count: int) -> list[int]:
    return [found.claim.row_id for found in (waiting.get() for _ in range(count)) if found is not None]


def test_what_a_person_saved_goes_first_and_all_else_in_turn() -> None:
    waiting = HandOut()
    for each in (job(1), job(2), job(3, PRIORITY_PERSON), job(4), job(5, PRIORITY_PERSON)):
        waiting.put(each)
    assert taken(waiting, 5) == [3, 5, 1, 2, 4]


def test_once_closed_it_gives_out_what_is_left_and_then_says_so_to_everybody() -> None:
    waiting = HandOut()
    waiting.put(job(1))
    waiting.close()
    assert taken(waiting, 1) == [1]
    assert (waiting.get(), waiting.get()) == (None, None)


def test_who_waits_is_woken_by_a_job_and_by_the_end() -> None:
    waiting = HandOut()
    got: list[Running | None] = []
    threads = [threading.Thread(target=lambda: got.append(waiting.get())) for _ in range(2)]
    for thread in threads:
        thread.start()
    waiting.put(job(7))
    waiting.close()
    for thread in threads:
        thread.join(timeout=5)
    assert sorted(0 if found is None else found.claim.row_id for found in got) == [0, 7]


def test_several_are_taken_at_once_in_the_same_order() -> None:
    waiting = HandOut()
    waiting.put_all([job(1), job(2), job(3, PRIORITY_PERSON)])
    assert [found.claim.row_id for found in waiting.get_some(2)] == [3, 1]
    assert [found.claim.row_id for found in waiting.get_some(50)] == [2]
    waiting.close()
    assert waiting.get_some(50) == []


def test_it_says_whether_a_person_waits_for_what_comes_next() -> None:
    waiting = HandOut()
    assert not waiting.has_urgent()
    waiting.put(job(1))
    assert not waiting.has_urgent()
    waiting.put(job(2, PRIORITY_PERSON))
    assert waiting.has_urgent()


def test_who_waits_until_few_are_left_is_woken_when_they_are_taken_and_by_the_end() -> None:
    waiting = HandOut()
    waiting.put_all([job(number) for number in range(5)])
    assert not waiting.wait_until_few(3, 0.01)
    woken: list[bool] = []
    thread = threading.Thread(target=lambda: woken.append(waiting.wait_until_few(3, 10)))
    thread.start()
    waiting.get_some(2)
    thread.join(timeout=5)
    assert woken == [True]
    waiting.close()
    assert waiting.wait_until_few(0, 10)
