"""The same tasks in small and in large libraries: what grows with the library, and what must not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.child import answers
from bench.figures import LIBRARIES, Benchmark, Beside, Curve, Figure, at_most
from bench.product import sync_some
from bench.served_libraries import library

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_FLAT: Final = at_most(1.5)
_MEMORY_MIB: Final = at_most(150)
COLD, WARM, BATCH = "from nothing to the first scene", "the next start", "changed scenes"


@dataclass(frozen=True, slots=True)
class Sizes:
    """``libraries`` are numbers of scenes, each with its item; ``batch`` scenes are synced in each."""

    libraries: tuple[int, ...]
    batch: int


@dataclass(frozen=True, slots=True)
class Task:
    """What one task cost in a library of ``scenes``."""

    name: str
    scenes: int
    seconds: float
    requests: int
    peak_mib: float


def run(sizes: Sizes, folder: Path) -> list[Figure | Curve]:
    """Return seconds, requests to Plex and peak memory of each task in each library."""
    tasks: list[Task] = []
    for scenes in sizes.libraries:
        with library(scenes) as served:
            for name, first, count in ((COLD, 0, 1), (WARM, 1, 1), (BATCH, 2, sizes.batch)):
                served.plex.take_records()
                with answers(sync_some, str(folder / str(scenes)), served.here, served.there, first, count) as answer:
                    seconds, peak = answer.recv()
                tasks.append(Task(name, scenes, seconds, len(served.plex.take_records()), peak))
    return [*_figures(tasks, sizes.batch), *_curves(tasks)]


def _figures(tasks: Sequence[Task], batch: int) -> list[Figure]:
    figures = []
    for name in (COLD, WARM, BATCH):
        mine = [task for task in tasks if task.name == name]
        label = f"{batch} {name}" if name == BATCH else name
        for task in mine:
            case = f"{task.scenes:,} scenes: {label}"
            figures += [
                Figure(f"{case}, requests", task.requests),
                Figure(f"{case}, peak memory", task.peak_mib, "MiB"),
                Figure(f"{case}, time", task.seconds, "s"),
            ]
        small, large = mine[0], mine[-1]
        times = Beside(f"s: among {small.scenes:,}", small.seconds, large.seconds / small.seconds)
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


def _curves(tasks: Sequence[Task]) -> list[Curve]:
    return [
        Curve(f"growth: {plot}", name, tuple((task.scenes, value(task)) for task in tasks if task.name == name))
        for plot, value in (
            ("seconds", lambda task: task.seconds),
            ("requests", lambda task: float(task.requests)),
            ("memory", lambda task: task.peak_mib),
        )
        for name in (COLD, WARM, BATCH)
    ]


BENCHMARK: Final = Benchmark(
    "growth",
    full=partial(run, Sizes(libraries=(1_000, 10_000, 100_000), batch=300)),
    quick=partial(run, Sizes(libraries=(200, 1_000), batch=50)),
    against_servers=True,
    group=LIBRARIES,
)
