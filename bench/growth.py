"""The same tasks in small and in large libraries: what grows with the library, and what must not."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.child import answers
from bench.figures import LIBRARIES, Benchmark, Beside, Curve, Figure, at_most, interleaved, paired_ratio
from bench.product import sync_some
from bench.served_libraries import library

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.served_libraries import Library

_FLAT: Final = at_most(1.5)
_MEMORY_MIB: Final = at_most(150)
COLD, WARM, BATCH = "from nothing to the first scene", "the next start", "changed scenes"


@dataclass(frozen=True, slots=True)
class Sizes:
    """``libraries`` are numbers of scenes, each with its item; ``batch`` are synced in each, ``rounds`` times."""

    libraries: tuple[int, ...]
    batch: int
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """What one task cost in a library of ``scenes``."""

    name: str
    scenes: int
    seconds: float
    requests: int
    peak_mib: float


def run(sizes: Sizes, _folder: Path) -> list[Figure | Curve]:
    """Return seconds, requests to Plex and peak memory of each task in each library."""
    with contextlib.ExitStack() as stack:
        places = {scenes: _Place(stack.enter_context(library(scenes))) for scenes in sizes.libraries}
        once = [place.task(name, 1) for place in places.values() for name in (COLD, WARM)]
        batches = {scenes: partial(place.task, BATCH, sizes.batch) for scenes, place in places.items()}
        # What lies between the smallest and the largest is drawn, and not judged.
        between = {scenes: [batches.pop(scenes)()] for scenes in sorted(batches)[1:-1]}
        rounds = between | interleaved(sizes.rounds, batches)
    # A round lasts a second, in which whatever else the machine does shows: the round in the middle is drawn.
    tasks = [*once, *(sorted(mine, key=lambda task: task.seconds)[len(mine) // 2] for mine in rounds.values())]
    growth = paired_ratio(*([task.seconds for task in rounds[scenes]] for scenes in (max(rounds), min(rounds))))
    return [*figures_of(tasks, sizes.batch, growth), *_curves(tasks)]


class _Place:
    """Where tasks are done one after the other, each with the next scenes of the library."""

    def __init__(self, served: Library) -> None:
        self._served = served
        self._next = 0

    def task(self, name: str, count: int) -> Task:
        """Sync the next ``count`` scenes in a process of its own."""
        served, first = self._served, self._next
        self._next += count
        served.plex.take_records()
        with answers(sync_some, str(served.data_dir), served.here, served.there, first, count) as answer:
            seconds, peak_mib = answer.recv()
        return Task(name, len(served.here.scene_ids), seconds, len(served.plex.take_records()), peak_mib)


def figures_of(tasks: Sequence[Task], batch: int, growth: float) -> list[Figure]:
    """Return what each task cost, the smallest library first, and what the largest costs beside it.

    That is ``growth`` for the batch, whose rounds are paired.
    """
    figures = []
    for name in (COLD, WARM, BATCH):
        mine = _by_size(tasks, name)
        label = f"{batch} {name}" if name == BATCH else name
        for task in mine:
            case = f"{task.scenes:,} scenes: {label}"
            figures += [
                Figure(f"{case}, requests", task.requests),
                Figure(f"{case}, peak memory", task.peak_mib, "MiB"),
                Figure(f"{case}, time", task.seconds, "s"),
            ]
        small, large = mine[0], mine[-1]
        ratio = growth if name == BATCH else large.seconds / small.seconds
        times = Beside(f"s: among {small.scenes:,}", small.seconds, ratio)
        figures.append(
            Figure(
                f"{label}: time among {large.scenes:,}",
                large.seconds,
                "s",
                _FLAT if name == BATCH else None,
                times,
                headline=f"{label}, in a library of {large.scenes:,}" if name == BATCH else "",
            )
        )
    at_work = max((task for task in tasks if task.name != COLD), key=lambda task: (task.scenes, task.peak_mib))
    name = f"peak memory at work, with an index of {at_work.scenes:,} items"
    return [*figures, Figure(name, at_work.peak_mib, "MiB", _MEMORY_MIB, headline=name)]


def _by_size(tasks: Sequence[Task], name: str) -> list[Task]:
    return sorted((task for task in tasks if task.name == name), key=lambda task: task.scenes)


def _curves(tasks: Sequence[Task]) -> list[Curve]:
    return [
        Curve(f"growth: {plot}", name, tuple((task.scenes, value(task)) for task in _by_size(tasks, name)))
        for plot, value in (
            ("seconds", lambda task: task.seconds),
            ("requests", lambda task: float(task.requests)),
            ("memory", lambda task: task.peak_mib),
        )
        for name in (COLD, WARM, BATCH)
    ]


BENCHMARK: Final = Benchmark(
    "growth",
    full=partial(run, Sizes(libraries=(1_000, 10_000, 100_000), batch=300, rounds=3)),
    quick=partial(run, Sizes(libraries=(200, 1_000), batch=50)),
    against_servers=True,
    group=LIBRARIES,
    in_quick=False,  # what small libraries cost says nothing about large ones
)
