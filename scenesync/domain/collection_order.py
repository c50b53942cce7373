"""Put the members of a collection into an order with as few moves as possible. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Move:
    """Put an item right behind another, or with "" before all others."""

    rating_key: str
    after: str


def moves(
    current: Sequence[str], places: Mapping[str, int], movable: Collection[str] | None = None
) -> tuple[Move, ...]:
    """Return what makes those of ``current`` that have a place stand in its order; the others stay where they are.

    ``movable`` names those that may be moved (None: all). Of equal places the one that stands before stays before.
    """
    wanted = sorted((key for key in current if key in places), key=lambda key: places[key])
    if movable is None:
        rank = {key: number for number, key in enumerate(wanted)}
        rise = _longest_rise([rank[key] for key in current if key in rank])
        staying = {key for key in wanted if rank[key] in rise}
    else:
        staying = {key for key in wanted if key not in movable or _is_between_neighbours(key, wanted, current)}
    behind = dict(zip(wanted, ["", *wanted], strict=False))
    return tuple(Move(key, behind[key]) for key in wanted if key not in staying)


def _is_between_neighbours(key: str, wanted: Sequence[str], current: Sequence[str]) -> bool:
    """Say whether a member stands behind the one and before the other that it is to stand between."""
    here = wanted.index(key)
    stands = [current.index(each) for each in wanted[max(0, here - 1) : here + 2]]
    return stands == sorted(stands)


def _longest_rise(numbers: Sequence[int]) -> frozenset[int]:
    """Return the longest choice of different numbers that rise in the order given."""
    ends: list[int] = []  # the lowest number on which a rise of each length can end
    before: dict[int, int | None] = {}
    for number in numbers:
        length = bisect_left(ends, number)
        before[number] = ends[length - 1] if length else None
        ends[length : length + 1] = [number]
    last = ends[-1] if ends else None
    rise: set[int] = set()
    while last is not None:
        rise.add(last)
        last = before[last]
    return frozenset(rise)
