"""The next page is fetched while the last one is looked at."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from scenesync.reconciliation.ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_everything_comes_in_order() -> None:
    assert list(ahead(range(5))) == [0, 1, 2, 3, 4]
    assert list(ahead([])) == []


def test_the_next_one_is_on_its_way_while_one_is_looked_at() -> None:
    fetched = threading.Event()

    def pages() -> Iterator[int]:
        yield 1
        fetched.set()
        yield 2

    walk = ahead(pages())
    assert next(walk) == 1
    assert fetched.wait(5)
    assert list(walk) == [2]


def test_what_goes_wrong_is_raised_in_its_place() -> None:
    def pages() -> Iterator[int]:
        yield 1
        raise ConnectionError("gone")

    walk = ahead(pages())
    assert next(walk) == 1
    with pytest.raises(ConnectionError):
        next(walk)


def test_who_stops_early_fetches_no_more_than_one() -> None:
    asked: list[int] = []

    def pages() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    walk = ahead(pages())
    next(walk)
    walk.close()  # type: ignore[attr-defined]  # a generator
    assert len(asked) <= 2
