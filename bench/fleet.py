"""Many workers on one PostgreSQL: what their number brings, and what a claim costs whatever else lies in the queue.

Beside the embedded queue in the same run, both on the same disk, both with all synced that they promise.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.child import side_by_side
from bench.figures import Benchmark, Beside, Figure, at_least, at_most, interleaved, paired_ratio
from bench.fleet_workers import Noting, Task, Workers, fill, open_queue, prepare, spent_s, work
from bench.product import open_product
from bench.simulated_servers import ServerProcess
from scenesync.domain.job import scene_job
from scenesync.queue.records import PRIORITY_PERSON
from scenesync.simulators.postgres import private_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scenesync.queue.port import Queue
    from scenesync.simulators.postgres import PrivatePostgres

_POSTGRES, _EMBEDDED = "PostgreSQL", "embedded"
_BARE: Final = "the edits alone"
_TURNS: Final = 2
_OF_THE_EDITS: Final = at_least(0.85)
_WHATEVER_ELSE: Final = at_most(1.3)
_ALONE: Final = "an empty queue"
_LOOP: Final = 16
"""Jobs that the worker's loop claims at once, by default."""
_MORE_THAN_PER_S: Final = {_POSTGRES: 3_000, _EMBEDDED: 15_000}


@dataclass(frozen=True, slots=True)
class Sizes:
    """``fleets`` of so many worker processes; ``rounds`` of ``block`` claims at each depth.

    Each worker does ``jobs`` twice with an edit for each, whole claims of them, and mere claims for ``seconds``.
    ``puts`` jobs are put one by one, ``bulk`` in one call. The whole product syncs ``product_scenes``.
    """

    fleets: tuple[int, ...]
    jobs: int
    seconds: float
    depths: tuple[int, ...]
    block: int
    rounds: int
    puts: int
    bulk: int
    latency_s: float = 0.05
    scenes: int = 500
    product_scenes: int = 150


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return the rates of every fleet, of claims at every depth, and of puts. Raises NoPostgresHere."""
    with private_postgres(durable=True) as postgres:
        queues = {_POSTGRES: prepare(postgres.new_database("fleet")), _EMBEDDED: str(folder / "fleet")}
        crowds = {_ALONE: prepare(postgres.new_database("alone"))}
        fillings = []
        for depth in sizes.depths:
            for state in ("waiting", "asleep"):
                where = crowds[f"{depth:,} {state}"] = prepare(postgres.new_database(f"{state}_{depth}"))
                fillings.append(partial(fill, where, depth, asleep=state == "asleep"))
        side_by_side(fillings)
        return [
            *_fleets(sizes, queues),
            *_writers(sizes, postgres.new_database("state")),
            *_products(sizes, postgres, folder / "products"),
            *_claims(sizes, postgres.pid, {**crowds, _EMBEDDED: str(folder / "alone")}),
            *_puts(sizes, {_POSTGRES: prepare(postgres.new_database("puts")), _EMBEDDED: str(folder / "puts")}),
        ]


# -- more workers


def _fleets(sizes: Sizes, queues: Mapping[str, str]) -> Iterator[Figure]:
    most = max(sizes.fleets)
    with ServerProcess("plex") as plex, Workers(most) as workers:
        there = plex.begin(sizes.scenes, latency_s=sizes.latency_s)

        def rate_at(count: int, where: str) -> float:
            if where:
                _put(where, count * (sizes.jobs + _LOOP))
            return workers.rate(Task(where, _LOOP, sizes.jobs, plex=there), count)

        for count in sizes.fleets:
            # One after the other, forwards and backwards: what else the machine does meets all of them alike.
            kinds = {_BARE: "", **queues}
            rates = interleaved(_TURNS, {kind: partial(rate_at, count, where) for kind, where in kinds.items()})
            for engine in queues:
                yield _beside_the_edits_alone(engine, count, rates[engine], rates[_BARE], sizes.latency_s)
        for engine, where in queues.items():
            _put(where, round(sizes.seconds * _MORE_THAN_PER_S[engine]))
            rate = workers.rate(Task(where, _LOOP, seconds=sizes.seconds), most)
            yield Figure(f"{engine}: {most} processes that only claim and complete", rate, "jobs/s")


def _put(where: str, jobs: int) -> None:
    with contextlib.closing(open_queue(where)) as queue:
        queue.put_many(scene_job(number, time.time()) for number in range(1, jobs + 1))


def _beside_the_edits_alone(
    engine: str, count: int, rates: Sequence[float], bare: Sequence[float], latency_s: float
) -> Figure:
    many = "1 worker" if count == 1 else f"{count} workers"
    return Figure(
        f"{engine}: {many} at {latency_s * 1000:g} ms per request",
        statistics.median(rates),
        "scenes/s",
        _OF_THE_EDITS,
        Beside("scenes/s: the same edits without a queue", statistics.median(bare), paired_ratio(rates, bare)),
        headline=f"{count} worker processes on one PostgreSQL" if engine == _POSTGRES and count > 1 else "",
    )


# -- what they write into the state, one at a time


def _writers(sizes: Sizes, url: str) -> Iterator[Figure]:
    with Workers(max(sizes.fleets)) as workers:
        for at_once in (1, _LOOP):
            alone = 0.0
            for count in sizes.fleets:
                rate = workers.rate(Noting(url, sizes.seconds, at_once), count)
                alone = alone or rate
                many = "1 process notes" if count == 1 else f"{count} processes note"
                case = f"state on PostgreSQL: {many} edits, {at_once} in a commit"
                yield Figure(case, rate, "scenes/s", beside=Beside("1 process", alone, rate / alone))


# -- all of it: queue, state, Stash and Plex


def _products(sizes: Sizes, postgres: PrivatePostgres, folder: Path) -> Iterator[Figure]:
    rates, spent_ms, count = {}, 0.0, sizes.product_scenes
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        for engine, url in ((_EMBEDDED, ""), (_POSTGRES, postgres.new_database("product"))):
            there, here = plex.begin(count, latency_s=sizes.latency_s), stash.begin(count)
            with open_product(folder / engine, here, there, database_url=url) as product:
                product.enqueue(here.scene_ids)
                before = spent_s(postgres.pid)
                rates[engine] = count / product.drain(count)
                spent_ms = (spent_s(postgres.pid) - before) * 1000 / count
    case, theirs = f"PostgreSQL: the whole product, 4 threads at {sizes.latency_s * 1000:g} ms", rates[_EMBEDDED]
    beside = Beside(_EMBEDDED, theirs, rates[_POSTGRES] / theirs)
    yield Figure(case, rates[_POSTGRES], "scenes/s", beside=beside)
    yield Figure("PostgreSQL: the whole product: its processor time", spent_ms, "ms/scene")


# -- more jobs


def _claims(sizes: Sizes, postgres_pid: int, wheres: Mapping[str, str]) -> Iterator[Figure]:
    """Measure claim and completion one by one: what a batch shares it would hide."""
    spent_ms: dict[str, list[float]] = {name: [] for name in wheres}

    def rate(name: str) -> float:
        before, started = spent_s(postgres_pid), time.monotonic()
        _work_off(queues[name], sizes.block)
        took_s = time.monotonic() - started
        spent_ms[name].append((spent_s(postgres_pid) - before) * 1000 / sizes.block)
        return sizes.block / took_s

    with contextlib.ExitStack() as stack:
        queues = {name: stack.enter_context(contextlib.closing(open_queue(where))) for name, where in wheres.items()}
        for queue in queues.values():
            jobs = (scene_job(number, time.time()) for number in range(sizes.block * (sizes.rounds + 1)))
            queue.put_many(jobs, PRIORITY_PERSON)
            _work_off(queue, sizes.block)  # connections, plans
        rates = interleaved(sizes.rounds, {name: partial(rate, name) for name in queues})
    alone, embedded = statistics.median(rates[_ALONE]), statistics.median(rates[_EMBEDDED])
    beside = Beside("embedded queue", embedded, paired_ratio(rates[_ALONE], rates[_EMBEDDED]))
    yield Figure("PostgreSQL: claim + complete", alone, "jobs/s", beside=beside)
    yield Figure("PostgreSQL: claim + complete: its processor time", statistics.median(spent_ms[_ALONE]), "ms/job")
    for crowd in [name for name in rates if name not in {_ALONE, _EMBEDDED}]:
        yield _beside_an_empty_queue(crowd, "jobs/s", rates[crowd], rates[_ALONE])
        yield _beside_an_empty_queue(crowd, "ms/job", spent_ms[crowd], spent_ms[_ALONE])


def _beside_an_empty_queue(crowd: str, unit: str, found: Sequence[float], alone: Sequence[float]) -> Figure:
    """Judge by the processor time: how long a commit takes is for the disk and its other users to say."""
    case, beside = f"PostgreSQL: claim + complete beside {crowd}", partial(Beside, _ALONE, statistics.median(alone))
    if unit == "jobs/s":
        return Figure(case, statistics.median(found), unit, beside=beside(paired_ratio(found, alone)))
    return Figure(
        f"{case}: its processor time",
        statistics.median(found),
        unit,
        _WHATEVER_ELSE,
        beside(paired_ratio(found, alone)),
        headline=f"processor time of a claim and completion on PostgreSQL beside {crowd}",
    )


def _work_off(queue: Queue, block: int) -> None:
    done = work(queue, 1, lambda done: done < block)
    if done != block:
        raise RuntimeError(f"Of {block} due jobs {done} were found.")


# -- in


def _puts(sizes: Sizes, wheres: Mapping[str, str]) -> Iterator[Figure]:
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in wheres}
    for name, where in wheres.items():
        with contextlib.closing(open_queue(where)) as queue:
            rates[name].append(_put_rates(queue, sizes))
    [(one, many)], [(their_one, their_many)] = rates[_POSTGRES], rates[_EMBEDDED]
    yield Figure("PostgreSQL: put one by one", one, "jobs/s", beside=Beside(_EMBEDDED, their_one, one / their_one))
    yield Figure(
        f"PostgreSQL: put {sizes.bulk:,} in one call",
        many,
        "jobs/s",
        beside=Beside(_EMBEDDED, their_many, many / their_many),
    )


def _put_rates(queue: Queue, sizes: Sizes) -> tuple[float, float]:
    started = time.monotonic()
    for number in range(sizes.puts):
        queue.put_job(scene_job(number, time.time()))
    between = time.monotonic()
    queue.put_many(scene_job(sizes.puts + number, time.time()) for number in range(sizes.bulk))
    return sizes.puts / (between - started), sizes.bulk / (time.monotonic() - between)


BENCHMARK: Final = Benchmark(
    "fleet",
    full=partial(
        run, Sizes((1, 2, 4), 16, 0.5, (100_000,), block=80, rounds=3, puts=60, bulk=5_000, product_scenes=100)
    ),
    quick=partial(run, Sizes((1, 4), 16, 0.5, (10_000,), block=60, rounds=1, puts=60, bulk=1_000, product_scenes=40)),
    huge=partial(run, Sizes((1, 2, 4), 80, 8.0, (100_000, 1_000_000), block=400, rounds=5, puts=1_000, bulk=100_000)),
    against_servers=True,
    in_quick=False,  # it needs a PostgreSQL, and its start alone takes long
)
