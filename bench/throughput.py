"""Scenes per second at a given latency: the product, and beside it in the same run a loop that only sends requests."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.bare_loop import PreparedScene, prepare, send_all
from bench.figures import Benchmark, Beside, Figure, at_least, at_most, paired_ratio
from bench.product import open_product
from bench.simulated_servers import ServerProcess, begin_both

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scenesync.simulators.plex.records import RequestRecord

_TARGET: Final = 0.85
_SERIAL_TARGET: Final = 0.9
_WAITING_TARGET: Final = 0.1
_WRITES_TIMED: Final = 50


@dataclass(frozen=True, slots=True)
class Load:
    """``scenes`` per run at ``latency_s`` per request of Plex, ``rounds`` times."""

    latency_s: float
    scenes: int
    rounds: int


@dataclass(frozen=True, slots=True)
class SerialLoad:
    """``scenes`` for a Plex that does one write at a time, each of which takes ``write_s``."""

    write_s: float
    scenes: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The loads, each with ``workers`` threads.

    ``ramp_edits`` are left out of all rates: the product begins with one writer, and finds out how many Plex bears.
    What the simulated Plex does at best is found out for ``ceiling_s``.
    """

    loads: tuple[Load, ...]
    serial: tuple[SerialLoad, ...] = ()
    workers: int = 4
    ramp_edits: int = 50
    ceiling_s: float = 1.0


@dataclass(frozen=True, slots=True)
class _Run:
    """``seconds`` as the caller sees them, and Plex's ``records``; ``rate`` is in scenes per second, after the ramp.

    ``own_ms`` is the processor time that a scene took of this process, ``plex_ms`` that of the simulated Plex: they
    share the processors.
    """

    seconds: float
    own_ms: float
    plex_ms: float
    records: Sequence[RequestRecord]
    ramp_edits: int

    @property
    def rate(self) -> float:
        return rate_of(self.records, self.ramp_edits)


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return for each load both rates and their ratio, and what the simulated Plex can do at best."""
    figures: list[Figure] = []
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        rig = _Rig(plex, stash, sizes, folder)
        prepared: list[PreparedScene] = []
        for load in sizes.loads:
            prepared = rig.prepare(load)
            products, bares = [], []
            for _ in range(load.rounds):
                products.append(rig.product(load))
                bares.append(rig.bare(load, prepared))
            figures += _compared(load, products, bares)
            figures.append(rig.ceiling(load, prepared))
        for serial in sizes.serial:
            figures += rig.one_write_at_a_time(serial, prepared)
    return figures


class _Rig:
    """Both servers, begun anew for each run, so that every edit changes something."""

    def __init__(self, plex: ServerProcess, stash: ServerProcess, sizes: Sizes, folder: Path) -> None:
        self._plex = plex
        self._stash = stash
        self._workers = sizes.workers
        self._ramp_edits = sizes.ramp_edits
        self._ceiling_s = sizes.ceiling_s
        self._folder = folder
        self._runs = 0

    def prepare(self, load: Load) -> list[PreparedScene]:
        """Return the requests that the product makes itself, of a Plex without latency; also the warm-up."""
        return prepare(self.product(replace(load, latency_s=0.0)).records)

    def product(self, load: Load, *, write_s: float = 0.0) -> _Run:
        """Let the product work off a full queue."""
        there, here = begin_both(self._plex, self._stash, load.scenes, plex_latency_s=load.latency_s)
        self._plex.set_write_latency(write_s)
        self._runs += 1
        with open_product(self._folder / f"run-{self._runs}", here, there, workers=self._workers) as product:
            product.enqueue(here.scene_ids)
            return self._timed(load.scenes, lambda: product.drain(load.scenes))

    def bare(self, load: Load, prepared: Sequence[PreparedScene]) -> _Run:
        """Send the same requests without a product."""
        there = self._plex.begin(load.scenes, latency_s=load.latency_s)
        return self._timed(load.scenes, lambda: send_all(there.url, there.token, prepared, threads=self._workers))

    def _timed(self, scenes: int, work: Callable[[], object]) -> _Run:
        started, own_s, plex_s = time.monotonic(), time.process_time(), self._plex.processor_s()
        work()
        seconds = time.monotonic() - started
        own_s, plex_s = time.process_time() - own_s, self._plex.processor_s() - plex_s
        each_ms = 1000 / scenes
        return _Run(seconds, own_s * each_ms, plex_s * each_ms, self._plex.take_records(), self._ramp_edits)

    def ceiling(self, load: Load, prepared: Sequence[PreparedScene]) -> Figure:
        """Send them as fast as they go, without latency."""
        there = self._plex.begin(load.scenes)
        started = time.monotonic()
        requests = send_all(there.url, there.token, prepared, threads=self._workers, seconds=self._ceiling_s)
        rate = requests / (time.monotonic() - started)
        return Figure("simulated Plex without latency", rate, "requests/s")

    def one_write_at_a_time(self, load: SerialLoad, prepared: Sequence[PreparedScene]) -> list[Figure]:
        """Let the product work off a full queue where Plex does one write after the other.

        How long one takes is found out by a client that sends some of ``prepared`` one by one and does nothing else.
        """
        there = self._plex.begin(load.scenes)
        self._plex.set_write_latency(load.write_s)
        started = time.monotonic()
        writes = [replace(each, read="") for each in prepared[: min(_WRITES_TIMED, load.scenes)]]
        send_all(there.url, there.token, writes, threads=1)
        write_s = (time.monotonic() - started) / len(writes)
        records = self.product(Load(0.0, load.scenes, 1), write_s=load.write_s).records
        edits = sorted(record.at_monotonic for record in records if record.kind == "edit")
        case = f"one write at a time, {load.write_s * 1000:g} ms each"
        rate = (len(edits) - 1) / (edits[-1] - edits[0])
        # By the server's own time: what the client saw may be longer than what the product sees, and would add up.
        share = waited(edits, load.write_s) / len(edits)
        beside = Beside("writes/s: 1 / write time", 1 / write_s, rate * write_s)
        return [
            Figure(f"{case}: product", rate, "scenes/s", target=at_least(_SERIAL_TARGET), beside=beside, headline=case),
            Figure(f"{case}: share of edits that waited behind ours", share, target=at_most(_WAITING_TARGET)),
        ]


def waited(arrivals: Sequence[float], write_s: float) -> int:
    """Return how many writes came, by more than half of a write, before the one ahead of them was done."""
    found, done_at = 0, 0.0
    for at in arrivals:
        found += done_at - at > write_s / 2
        done_at = max(at, done_at) + write_s
    return found


def rate_of(records: Sequence[RequestRecord], ramp_edits: int) -> float:
    """Return scenes per second from the end of the ramp to the last edit."""
    edits = sorted(record.at_monotonic for record in records if record.kind == "edit")[ramp_edits:]
    return (len(edits) - 1) / (edits[-1] - edits[0])


def _compared(load: Load, products: Sequence[_Run], bares: Sequence[_Run]) -> list[Figure]:
    case = f"{load.latency_s * 1000:g} ms"
    product = statistics.median(run.rate for run in products)
    bare = statistics.median(run.rate for run in bares)
    ratio = paired_ratio([run.rate for run in products], [run.rate for run in bares])
    whole = load.scenes / statistics.median(run.seconds for run in products)
    return [
        Figure(
            f"{case}: product",
            product,
            "scenes/s",
            at_least(_TARGET),
            Beside("scenes/s: bare loop", bare, ratio),
            headline=f"bulk sync, {case} per request",
        ),
        Figure(f"{case}: product with start and last proof ({load.scenes} scenes)", whole, "scenes/s"),
        _spent(
            f"{case}: processor time of the product", [run.own_ms for run in products], [run.own_ms for run in bares]
        ),
        _spent(
            f"{case}: processor time of the simulated Plex",
            [run.plex_ms for run in products],
            [run.plex_ms for run in bares],
        ),
    ]


def _spent(name: str, products_ms: Sequence[float], bares_ms: Sequence[float]) -> Figure:
    """Say what a scene takes of a processor, which neighbours change less than the time."""
    product_ms, bare_ms = statistics.median(products_ms), statistics.median(bares_ms)
    ratio = paired_ratio(products_ms, bares_ms)
    return Figure(name, product_ms, "ms/scene", beside=Beside("ms/scene: bare loop", bare_ms, ratio))


BENCHMARK: Final = Benchmark(
    "throughput",
    full=partial(run, Sizes((Load(0.005, 600, 3), Load(0.05, 120, 2)), (SerialLoad(0.02, 200), SerialLoad(0.05, 150)))),
    quick=partial(run, Sizes((Load(0.005, 200, 1),), (SerialLoad(0.02, 60),), ceiling_s=0.3)),
    against_servers=True,
)
