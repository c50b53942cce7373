from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenesync.domain.collection_order import Move, moves


@pytest.mark.parametrize(
    ("current", "places", "expected"),
    [
        ("", {}, []),
        ("abc", {"a": 1, "b": 2, "c": 3}, []),
        ("bca", {"a": 1, "b": 2, "c": 3}, [Move("a", "")]),
        ("acb", {"a": 1, "b": 2, "c": 3}, [Move("c", "b")]),
        ("cab", {"a": 1, "b": 2, "c": 3}, [Move("c", "b")]),
        ("axb", {"a": 2, "b": 1}, [Move("a", "b")]),  # x has no place: it stays where it is
        ("ab", {"a": 1, "b": 1}, []),  # equal places are no reason to move
        ("ab", {"a": 1, "b": 2, "gone": 0}, []),
    ],
)
def test_the_fewest_moves_are_made(current: str, places: dict[str, int], expected: list[Move]) -> None:
    assert list(moves(tuple(current), places)) == expected


def test_only_those_that_may_be_moved_are() -> None:
    places = {"a": 1, "b": 2, "c": 3}
    assert moves(("c", "b", "a"), places, movable={"a"}) == (Move("a", ""),)
    assert moves(("a", "c", "b"), places, movable={"a"}) == ()
    assert moves(("b", "a", "c"), places, movable={"c"}) == ()


@given(st.permutations("abcdefg"), st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 5)))
def test_carrying_the_moves_out_puts_all_at_their_places(current: list[str], places: dict[str, int]) -> None:
    steps = moves(current, places)
    shown = list(current)
    for step in steps:
        shown.remove(step.rating_key)
        shown.insert(shown.index(step.after) + 1 if step.after else 0, step.rating_key)
    placed = [places[key] for key in shown if key in places]
    assert placed == sorted(placed)
    assert len(steps) <= max(0, len(places) - 1)
    assert moves(shown, places) == ()
    assert [key for key in shown if key not in places] == [key for key in current if key not in places]
