"""The path index in libraries of several sizes, and the memory of a daemon that knows such a library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import daemon_memory, path_index
from bench.figures import LIBRARIES, Benchmark, Beside, Figure, at_most
from bench.path_index import Place
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
    """An index is built of each of ``built`` (numbers of items), and by a daemon, which is at rest then, of ``daemon``.

    The daemon's memory is looked at after ``idle_s``.
    """

    built: tuple[int, ...]
    daemon: int
    idle_s: float = 3.0


def run(sizes: Sizes, folder: Path) -> list[Figure | Curve]:
    """Return what building costs, what looking and starting cost with what was built, and the daemon's memory."""
    figures: list[Figure | Curve] = []
    folder.mkdir(exist_ok=True)
    for items in sizes.built:
        with library(items) as served:
            place = Place(folder / f"{items}.db")
            figures += _first_build(served.plex, served.there, place, items)
            if items != sizes.daemon:
                figures += _once_built(served.plex, served.there, place, items)
    with library(sizes.daemon) as served, ServerProcess("stash") as stash:
        here, data_dir = stash.begin(1), folder / "daemon"
        memory = daemon_memory.measure(here, served.there, data_dir, sizes.daemon, idle_s=sizes.idle_s)
        place = path_index.place_of_daemon(served.there, data_dir)
        figures += _once_built(served.plex, served.there, place, sizes.daemon)
    name = f"daemon at rest, with an index of {sizes.daemon:,} items"
    figures.append(Figure(name, memory.idle_mib, "MiB", _DAEMON_MIB, headline=name))
    most = f"the most that it had until then, comparing for the first time ({sizes.daemon:,})"
    figures.append(Figure(most, memory.peak_mib, "MiB"))
    return figures


def _first_build(plex: ServerProcess, there: Address, place: Place, items: int) -> Iterator[Figure]:
    path_index.ceiling(plex, there, items)  # lets the simulated Plex render its items
    bare = path_index.ceiling(plex, there, items)
    built = path_index.first_build(plex, there, place)
    of = f"{items:,} items: first build"
    beside = Beside("a client that only reads all pages", bare.seconds, built.seconds / bare.seconds)
    yield Figure(of, built.seconds, "s", beside=beside)
    yield Figure(f"{of}, processor time per item", built.cpu_s / items * 1e6, "µs")
    yield Figure(f"{of}, pages", built.pages)
    yield Figure(f"{of}, memory beyond that before it", built.peak_mib - built.base_mib, "MiB")


def _once_built(plex: ServerProcess, there: Address, place: Place, items: int) -> Iterator[Figure]:
    path_index.refresh(plex, there, place)
    looked = path_index.refresh(plex, there, place)
    changed = path_index.refresh_after_changes(plex, there, place, _CHANGED)
    warm = path_index.warm_start(plex, there, place, path_index.a_file(place))
    of = f"{items:,} items"
    yield Figure(f"{of}: a look when nothing changed, pages", looked.pages, target=_ONE_PAGE)
    yield Figure(f"{of}: a look when nothing changed", looked.seconds * 1e3, "ms")
    yield Figure(f"{of}: a look after {_CHANGED} have changed, pages", changed.pages)
    yield Figure(f"{of}: a look after {_CHANGED} have changed", changed.seconds * 1e3, "ms")
    start = f"{of}: opened until a file is found"
    yield Figure(
        start, warm.seconds, "s", _WARM_START_S, headline=f"start with an index of {items:,} items on the disk"
    )
    yield Figure(f"{of}: opened until a file is found, requests", warm.requests, target=_NONE)


BENCHMARK: Final = Benchmark(
    "index",
    full=partial(run, Sizes((1_000, 10_000), 100_000)),
    quick=partial(run, Sizes((1_000,), 1_000, idle_s=0.5)),
    against_servers=True,
    group=LIBRARIES,
    in_quick=False,  # what small libraries cost says nothing about large ones
)
