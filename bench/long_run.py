"""Memory of a process that works off job after job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.child import peak_mib
from bench.figures import Benchmark, Figure, at_most
from bench.product import open_product
from bench.simulated_servers import ServerProcess, begin_both

if TYPE_CHECKING:
    from pathlib import Path

_FLAT_MIB: Final = at_most(4)


@dataclass(frozen=True, slots=True)
class Sizes:
    """All of ``scenes`` change and are synced, round after round: ``first`` rounds until it is warm, then ``more``."""

    scenes: int
    first: int
    more: int


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return by how much the peak of this process grows once it is warm."""
    peaks: list[float] = []
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        there, here = begin_both(plex, stash, sizes.scenes)
        with open_product(folder / "data", here, there) as product:
            for number in range(sizes.first + sizes.more):
                stash.edit(here.scene_ids, number)
                product.enqueue(here.scene_ids)
                product.drain(sizes.scenes)
                peaks.append(peak_mib())
    jobs = sizes.scenes * sizes.first
    warm, last = peaks[sizes.first - 1], peaks[-1]
    return [
        Figure(f"peak memory after {jobs:,} jobs", warm, "MiB"),
        Figure(
            f"growth of it with {sizes.scenes * sizes.more:,} more jobs",
            last - warm,
            "MiB",
            _FLAT_MIB,
            headline=f"growth of memory over {sizes.scenes * sizes.more:,} jobs",
        ),
    ]


BENCHMARK: Final = Benchmark(
    "memory",
    full=partial(run, Sizes(scenes=250, first=3, more=6)),
    quick=partial(run, Sizes(scenes=100, first=2, more=2)),
    against_servers=True,
    weighs_itself=True,
    is_timed=False,
)
