"""What benchmarks hand back, and how it is shown."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Key = TypeVar("Key")
_WHOLE_FROM: Final = 100
_HEADINGS: Final = ("benchmark", "figure", "value", "beside it", "ratio", "target", "")


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
    """One result. ``unit`` is empty for ratios and plain counts; with ``beside`` the target is one of the ratio."""

    name: str
    value: float
    unit: str = ""
    target: Target | None = None
    beside: Beside | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met, None without one."""
        judged = self.value if self.beside is None else self.beside.ratio
        return None if self.target is None else self.target.is_met_by(judged)

    def as_document(self) -> dict[str, object]:
        """Return the figure for ``--json``."""
        target = None if self.target is None else str(self.target)
        beside = None if self.beside is None else {"name": self.beside.name, "value": self.beside.value}
        ratio = None if self.beside is None else self.beside.ratio
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "beside": beside,
            "ratio": ratio,
            "target": target,
            "met": self.is_met,
        }


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark in its long and its quick form; both get an empty folder to work in."""

    name: str
    full: Callable[[Path], Sequence[Figure]]
    quick: Callable[[Path], Sequence[Figure]]


def at_most(limit: float) -> Target:
    """Return the target of something that should be small."""
    return Target("≤", limit)


def at_least(limit: float) -> Target:
    """Return the target of something that should be large."""
    return Target("≥", limit)


def interleaved(rounds: int, measures: Mapping[Key, Callable[[], float]]) -> dict[Key, list[float]]:
    """Take each measure once per round and return all values, round by round.

    What the machine does meanwhile meets all of them alike, so their ratios mean more than their values. Every second
    round goes backwards, so that none always follows the same other one.
    """
    values: dict[Key, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        for name in list(measures) if number % 2 == 0 else reversed(list(measures)):
            values[name].append(measures[name]())
    return values


def paired_ratio(upper: Sequence[float], lower: Sequence[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(upper, lower, strict=True))


def _readable(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"


def as_table(results: Mapping[str, Sequence[Figure]]) -> str:
    """Return the figures of all benchmarks as lines in columns."""
    rows = [_HEADINGS]
    for benchmark, figures in results.items():
        for figure in figures:
            target = "" if figure.target is None else str(figure.target)
            verdict = {None: "", True: "met", False: "missed"}[figure.is_met]
            value = f"{_readable(figure.value)} {figure.unit}".rstrip()
            beside = "" if figure.beside is None else f"{_readable(figure.beside.value)} {figure.beside.name}"
            ratio = "" if figure.beside is None else _readable(figure.beside.ratio)
            rows.append((benchmark, figure.name, value, beside, ratio, target, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths).rstrip(), *lines[1:]])
