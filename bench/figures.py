"""What benchmarks hand back, and how it is shown."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Key = TypeVar("Key")
Value = TypeVar("Value")
LIBRARIES: Final = "libraries"
"""The group of those that need the same large libraries."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be: at most, or at least, ``limit``."""

    kind: Literal["≤", "≥"]
    limit: float

    def is_met_by(self, value: float) -> bool:
        """Say whether ``value`` is good enough."""
        return value <= self.limit if self.kind == "≤" else value >= self.limit

    def __str__(self) -> str:
        return f"{self.kind} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Beside:
    """The rival or limit that was measured in the same run, in the unit of the figure, and the ratio to it."""

    name: str
    value: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One result. ``unit`` is empty for ratios and plain counts; with ``beside`` the target is one of the ratio.

    ``headline`` is what the README calls the figure, if it stands there.
    """

    name: str
    value: float
    unit: str = ""
    target: Target | None = None
    beside: Beside | None = None
    headline: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met, None without one."""
        judged = self.value if self.beside is None else self.beside.ratio
        return None if self.target is None else self.target.is_met_by(judged)

    def as_document(self) -> dict[str, object]:
        """Return the figure as JSON has it."""
        return {**asdict(self), "met": self.is_met}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Return the figure of ``as_document``."""
        target, beside = document["target"], document["beside"]
        return cls(
            document["name"],
            document["value"],
            document["unit"],
            None if target is None else Target(**target),
            None if beside is None else Beside(**beside),
            document["headline"],
        )


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of the plot ``plot``: ``points`` are pairs of x and y."""

    plot: str
    name: str
    points: tuple[tuple[float, float], ...]

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Return the curve that JSON holds."""
        return cls(document["plot"], document["name"], tuple((x, y) for x, y in document["points"]))


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark in its long and its quick form, and perhaps a huge one; each gets an empty folder to work in.

    What it measures ``against_servers`` that are simulated cannot be faster than these. Neighbours of the same
    ``group`` run in one process, one after the other, and share their libraries (``bench.served_libraries``).
    One that ``weighs_itself`` measures the memory of its own process. Neighbours in which no time is measured that
    others could spoil are not ``is_timed``, and run beside each other; so do those that nearly all of the time wait for
    Plex (``waits``, or in the quick form ``waits_when_quick``), in the quick form beside the former too. The quick form
    of all leaves out what is not ``in_quick``.
    """

    name: str
    full: Callable[[Path], Sequence[Figure | Curve]]
    quick: Callable[[Path], Sequence[Figure | Curve]]
    against_servers: bool = False
    group: str = ""
    huge: Callable[[Path], Sequence[Figure | Curve]] | None = None
    weighs_itself: bool = False
    is_timed: bool = True
    waits: bool = False
    waits_when_quick: bool = False
    in_quick: bool = True


def at_most(limit: float) -> Target:
    """Return the target of something that should be small."""
    return Target("≤", limit)


def at_least(limit: float) -> Target:
    """Return the target of something that should be large."""
    return Target("≥", limit)


def interleaved(rounds: int, measures: Mapping[Key, Callable[[], Value]]) -> dict[Key, list[Value]]:
    """Take each measure once per round and return all values, round by round.

    What the machine does meanwhile meets all of them alike, so their ratios mean more than their values. Every second
    round goes backwards, so that none always follows the same other one.
    """
    values: dict[Key, list[Value]] = {name: [] for name in measures}
    for number in range(rounds):
        for name in list(measures) if number % 2 == 0 else reversed(list(measures)):
            values[name].append(measures[name]())
    return values


def paired_ratio(upper: Sequence[float], lower: Sequence[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(upper, lower, strict=True))
