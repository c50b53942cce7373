"""The path index in libraries of several sizes, and the memory of a daemon that knows such a library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import daemon_memory, path_index
from bench.figures import LIBRARIES, Benchmark, Beside, Figure, at_most
from bench.served_libraries import library
from bench.simulated_servers import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.address import Address
    from bench.figures import Curve

_WARM_START_S: Final = at_most(1.0)
_NONE: Final = at_most(0)
_CHANGED: Final = 100
_ONE_PAGE: Final = at_most(1)
_DAEMON_MIB: Final = at_most(150)


@dataclass(frozen=True, slots=True)
class Sizes:
    """``libraries`` are numbers of items; the daemon is measured with the last one, after ``idle_s``."""

    libraries: tuple[int, ...]
    idle_s: float = 3.0


def run(sizes: Sizes, folder: Path) -> list[Figure | Curve]:
    """Return what building, looking and starting cost in each library, and the daemon's memory with the last."""
    figures: list[Figure | Curve] = []
    for items in sizes.libraries[:-1]:
        with library(items) as served:
            figures += _of_library(served.plex, served.there, folder / str(items), items)
    largest = sizes.libraries[-1]
    with library(largest) as served, ServerProcess("stash") as stash:
        figures += _of_library(served.plex, served.there, folder / str(largest), largest)
        here = stash.begin(1)
        memory = daemon_memory.measure(here, served.there, folder / "daemon", largest, idle_s=sizes.idle_s)
    name = f"daemon at rest, with an index of {largest:,} items"
    figures.append(Figure(name, memory.idle_mib, "MiB", _DAEMON_MIB, headline=name))
    most = f"the most that it had until then, comparing for the first time ({largest:,})"
    figures.append(Figure(most, memory.peak_mib, "MiB"))
    return figures


def _of_library(plex: ServerProcess, there: Address, folder: Path, items: int) -> Iterator[Figure]:
    folder.mkdir()
    path_index.ceiling(plex, there, items)  # lets the simulated Plex render its items
    bare = path_index.ceiling(plex, there, items)
    built = path_index.first_build(plex, there, _new(folder / "index"))
    path_index.refresh(plex, there, folder / "index")
    looked = path_index.refresh(plex, there, folder / "index")
    changed = path_index.refresh_after_changes(plex, there, folder / "index", _CHANGED)
    warm = path_index.warm_start(plex, there, folder / "index", path_index.a_file(folder / "index"))
    of = f"{items:,} items"
    beside = Beside("a client that only reads all pages", bare.seconds, built.seconds / bare.seconds)
    yield Figure(f"{of}: first build", built.seconds, "s", beside=beside)
    yield Figure(f"{of}: first build, processor time per item", built.cpu_s / items * 1e6, "µs")
    yield Figure(f"{of}: first build, pages", built.pages)
    yield Figure(f"{of}: first build, memory beyond that before it", built.peak_mib - built.base_mib, "MiB")
    yield Figure(f"{of}: a look when nothing changed, pages", looked.pages, target=_ONE_PAGE)
    yield Figure(f"{of}: a look when nothing changed", looked.seconds * 1e3, "ms")
    yield Figure(f"{of}: a look after {_CHANGED} have changed, pages", changed.pages)
    yield Figure(f"{of}: a look after {_CHANGED} have changed", changed.seconds * 1e3, "ms")
    start = f"{of}: opened until a file is found"
    yield Figure(
        start, warm.seconds, "s", _WARM_START_S, headline=f"start with an index of {items:,} items on the disk"
    )
    yield Figure(f"{of}: opened until a file is found, requests", warm.requests, target=_NONE)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


BENCHMARK: Final = Benchmark(
    "index",
    full=partial(run, Sizes((1_000, 100_000))),
    quick=partial(run, Sizes((1_000,), idle_s=0.5)),
    against_servers=True,
    group=LIBRARIES,
)
