from __future__ import annotations

import time

from scenesync.domain.item import Item
from scenesync.intake.announced import Announced, Patience

AT_ONCE = Patience(quiet_s=0.0, longest_s=0.0, proof_s=60.0)
MANY = 1000


def item(key: str) -> Item:
    return Item(key, "1", (), {})


def read(announced: Announced, *keys: str, gone: tuple[str, ...] = (), began_at: float | None = None) -> None:
    items = {key: item(key) for key in keys if key not in gone}
    announced.was_read(keys, items, time.monotonic() if began_at is None else began_at)


def test_what_is_announced_again_and_again_is_looked_at_once_when_it_is_quiet() -> None:
    announced = Announced(Patience(quiet_s=0.05, longest_s=60.0))
    for _ in range(156):
        announced.add(["1"])
    assert announced.take_unanswered(MANY) == []
    time.sleep(0.06)
    assert announced.take_unanswered(MANY) == ["1"]
    assert announced.take_unanswered(MANY) == []


def test_no_item_is_put_off_for_ever() -> None:
    announced = Announced(Patience(quiet_s=60.0, longest_s=0.05))
    announced.add(["1"])
    time.sleep(0.06)
    announced.add(["1"])
    assert announced.take_unanswered(MANY) == ["1"]


def test_a_read_that_begins_later_answers_whoever_made_it() -> None:
    announced = Announced(AT_ONCE)
    announced.add(["1", "2", "3"])
    read(announced, "1", "2", gone=("2",))
    assert announced.take_unanswered(MANY) == ["3"]
    assert announced.take_answered() == {"1": item("1"), "2": None}
    assert announced.take_answered() == {}


def test_a_read_that_began_before_the_announcement_answers_nothing() -> None:
    announced = Announced(AT_ONCE)
    began_at = time.monotonic()
    time.sleep(0.001)
    announced.add(["1"])
    read(announced, "1", began_at=began_at)
    assert announced.take_answered() == {}
    assert announced.take_unanswered(MANY) == ["1"]


def test_an_announcement_after_the_answer_asks_anew() -> None:
    announced = Announced(AT_ONCE)
    announced.add(["1"])
    read(announced, "1")
    time.sleep(0.001)
    announced.add(["1"])
    assert announced.take_answered() == {}
    assert announced.take_unanswered(MANY) == ["1"]


def test_our_own_edit_waits_for_the_read_that_proves_it() -> None:
    announced = Announced(AT_ONCE)
    announced.was_written("1")
    announced.add(["1", "2"])
    assert announced.take_unanswered(MANY) == ["2"]
    read(announced, "1")
    assert announced.take_answered() == {"1": item("1")}
    announced.add(["1"])
    assert announced.take_unanswered(MANY) == ["1"], "what is announced later is somebody else's"


def test_a_proof_that_never_comes_is_not_waited_for_for_ever() -> None:
    announced = Announced(Patience(quiet_s=0.0, longest_s=0.0, proof_s=0.05))
    announced.was_written("1")
    announced.add(["1"])
    assert announced.take_unanswered(MANY) == []
    time.sleep(0.06)
    assert announced.take_unanswered(MANY) == ["1"]


def test_only_so_many_are_taken_at_a_time_the_oldest_first() -> None:
    announced = Announced(AT_ONCE)
    announced.add([str(number) for number in range(5)])
    assert announced.take_unanswered(3) == ["0", "1", "2"]
    assert announced.take_unanswered(3) == ["3", "4"]
    assert announced.count() == 0
