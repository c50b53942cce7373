"""Counters, gauges and histograms, and the text format in which Prometheus reads them."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Labels = tuple[str, ...]


class Counter:
    """Something that only grows, by the values of its labels. Thread-safe."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = ()) -> None:
        self.name, self._meaning, self._labels = name, meaning, tuple(labels)
        self._values: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def add(self, *values: str, by: float = 1.0) -> None:
        """Let it grow."""
        with self._lock:
            self._values[values] = self._values.get(values, 0.0) + by

    def lines(self) -> Iterator[str]:
        """Yield its lines."""
        with self._lock:
            values = dict(self._values)
        yield from _head(self.name, self._meaning, "counter")
        for key in sorted(values):
            yield f"{self.name}{_labels(self._labels, key)} {_number(values[key])}"


class Histogram:
    """How long something took in seconds, by the values of its labels. Thread-safe."""

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str] = (), buckets_s: Sequence[float] = BUCKETS_S
    ) -> None:
        self.name, self._meaning, self._labels, self._buckets = name, meaning, tuple(labels), tuple(buckets_s)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def observe(self, seconds: float, *values: str) -> None:
        """Note that it took so long once."""
        place = next((place for place, bound in enumerate(self._buckets) if seconds <= bound), len(self._buckets))
        with self._lock:
            counts = self._counts.get(values)
            if counts is None:
                counts = self._counts[values] = [0] * (len(self._buckets) + 1)
            counts[place] += 1
            self._sums[values] = self._sums.get(values, 0.0) + seconds

    def lines(self) -> Iterator[str]:
        """Yield its lines: how many took at most so long, for every bound."""
        with self._lock:
            counts = {key: list(each) for key, each in self._counts.items()}
            sums = dict(self._sums)
        yield from _head(self.name, self._meaning, "histogram")
        for key in sorted(counts):
            so_far = 0
            for bound, count in zip((*self._buckets, math.inf), counts[key], strict=True):
                so_far += count
                labels = _labels((*self._labels, "le"), (*key, "+Inf" if bound == math.inf else _number(bound)))
                yield f"{self.name}_bucket{labels} {so_far}"
            yield f"{self.name}_sum{_labels(self._labels, key)} {_number(sums[key])}"
            yield f"{self.name}_count{_labels(self._labels, key)} {so_far}"


def gauge(name: str, meaning: str, value: float) -> Iterator[str]:
    """Yield the lines of something that goes up and down, as it is now."""
    yield from _head(name, meaning, "gauge")
    yield f"{name} {_number(value)}"


def gauges(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Iterator[str]:
    """Yield the lines of several such things, told apart by a label."""
    yield from _head(name, meaning, "gauge")
    for key, value in values.items():
        yield f"{name}{_labels([label], [key])} {_number(value)}"


def total(name: str, meaning: str, value: float) -> Iterator[str]:
    """Yield the lines of something that only grows and is counted elsewhere."""
    yield from _head(name, meaning, "counter")
    yield f"{name} {_number(value)}"


def _head(name: str, meaning: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
