"""What one node does for all begins with its election, and ends at once when that is lost."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scenesync.app.fleet.leading import leading
from scenesync.queue.alone import Alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S: Final = 10.0


class Contested(Alone):
    """A fleet in which somebody decides who is elected."""

    def __init__(self) -> None:
        super().__init__()
        self.has_withdrawn = False

    def stand_for_election(self, end: threading.Event, _fit: Callable[[], bool] = lambda: True, /) -> None:
        end.wait()
        self.has_withdrawn = True


class Duties:
    """Notes when they begin and end."""

    def __init__(self) -> None:
        self.terms: list[threading.Event] = []

    @contextmanager
    def __call__(self, over: threading.Event) -> Iterator[None]:
        self.terms.append(over)
        yield


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it does not come about"
        time.sleep(0.01)


def test_duties_begin_with_each_election_and_end_with_its_loss() -> None:
    fleet, duties, end = Contested(), Duties(), threading.Event()
    with leading(fleet, duties, end):
        time.sleep(0.3)
        assert duties.terms == []

        fleet.is_elected = True
        wait_for(lambda: len(duties.terms) == 1)
        assert not duties.terms[0].is_set()

        fleet.is_elected = False
        wait_for(duties.terms[0].is_set)
        assert len(duties.terms) == 1

        fleet.is_elected = True
        wait_for(lambda: len(duties.terms) == 2)

    assert duties.terms[1].is_set()
    assert end.is_set()


def test_nobody_else_can_be_elected_before_the_duties_ended() -> None:
    fleet, end = Contested(), threading.Event()
    is_first: list[bool] = []
    fleet.is_elected = True

    @contextmanager
    def slow(over: threading.Event) -> Iterator[None]:
        yield
        over.wait(PATIENCE_S)
        time.sleep(0.3)
        is_first.append(not fleet.has_withdrawn)

    with leading(fleet, slow, end):
        time.sleep(0.2)
        end.set()
        wait_for(lambda: fleet.has_withdrawn)

    assert is_first == [True]


def test_who_works_alone_begins_at_once() -> None:
    duties = Duties()
    with leading(Alone(), duties, threading.Event()):
        wait_for(lambda: duties.terms)
