"""The queue alone: many jobs in at once, jobs out whatever else lies in the file, and jobs woken."""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import queue_bulk
from bench.child import side_by_side
from bench.figures import Benchmark, Beside, Figure, at_least, at_most, interleaved, paired_ratio
from bench.queue_rivals import Content, HandWritten, Ours, OursInBatches, Rival, Stock
from scenesync.domain.paths import name_key
from scenesync.queue.embedded import EmbeddedQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_ALONE: Final = "an empty queue"
_STOCK: Final = "stock"
_IN_BATCHES: Final = "in batches"
"""How the loop claims: shown beside an empty queue alone."""
_WALKS: Final = 2
RIVALS: Final[Mapping[str, type[Rival]]] = {
    "ours": Ours,
    _STOCK: Stock,
    "hand-written": HandWritten,
    _IN_BATCHES: OursInBatches,
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Claims in blocks of ``block``, ``rounds`` times, beside ``crowds``; blocks of a tenth for the stock queue.

    A block ends after ``block_limit_s``, however little was done. Of ``asleep`` jobs that wait for their files one is
    woken, ``wakings`` times.
    """

    bulk: queue_bulk.Sizes
    block: int
    rounds: int
    stock_rounds: int
    crowds: Mapping[str, Content]
    asleep: int
    wakings: int
    block_limit_s: float = 1.5

    @property
    def stock_block(self) -> int:
        """A tenth, for the stock queue."""
        return self.block // 10


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return the figures of bulk, hooks beside it, claims and waking."""
    bulk = queue_bulk.run(sizes.bulk, folder / "bulk")
    contents, asleep = _contents(sizes), {"few": sizes.asleep // 100, "many": sizes.asleep}
    side_by_side(
        [
            *(partial(_make_asleep, folder / name, count) for name, count in asleep.items()),
            *(partial(RIVALS[rival].make, folder / rival / crowd, content) for (rival, crowd), content in contents),
        ]
    )
    return [*bulk, *_claims(sizes, folder, [key for key, _ in contents]), *_waking(sizes, folder, asleep)]


def _contents(sizes: Sizes) -> list[tuple[tuple[str, str], Content]]:
    """Return what is to lie in the queue of each rival beside each crowd: that, and what is to be claimed."""
    crowds = {_ALONE: Content(), **sizes.crowds}
    found = []
    for rival in RIVALS:
        due = sizes.stock_rounds * sizes.stock_block if rival == _STOCK else sizes.rounds * sizes.block
        beside = crowds if rival != _IN_BATCHES else {_ALONE: crowds[_ALONE]}
        found += [((rival, crowd), replace(content, due=content.due + due)) for crowd, content in beside.items()]
    return found


# -- out


def _claims(sizes: Sizes, folder: Path, kinds: Sequence[tuple[str, str]]) -> list[Figure]:
    spent = _Spent()
    rates = _rates(sizes, folder, kinds, spent)
    alone = rates["ours", _ALONE]
    rate = statistics.median(alone)

    def beside(rival: str, name: str) -> Beside:
        theirs = rates[rival, _ALONE]
        # The stock queue has rounds of its own, so that there are no pairs.
        paired = len(theirs) == len(alone)
        ratio = paired_ratio(alone, theirs) if paired else rate / statistics.median(theirs)
        return Beside(name, statistics.median(theirs), ratio)

    return [
        Figure(
            "claim + complete",
            rate,
            "jobs/s",
            at_least(0.5),
            beside("hand-written", "hand-written queue"),
            headline="claim and completion of a job",
        ),
        Figure("claim + complete", rate, "jobs/s", beside=beside("stock", "stock persist-queue")),
        spent.figure("claim + complete: processor time", "ours", "hand-written"),
        Figure(
            f"claim {OursInBatches.at_once} at once as the loop does, complete each",
            statistics.median(rates[_IN_BATCHES, _ALONE]),
            "jobs/s",
            beside=Beside(
                "hand-written queue, one by one",
                statistics.median(rates["hand-written", _ALONE]),
                paired_ratio(rates[_IN_BATCHES, _ALONE], rates["hand-written", _ALONE]),
            ),
        ),
        spent.figure(
            f"claim {OursInBatches.at_once} at once, complete each: processor time", _IN_BATCHES, "hand-written"
        ),
        *(
            Figure(
                f"claim + complete beside {crowd}",
                statistics.median(rates["ours", crowd]),
                "jobs/s",
                at_most(1.3),
                Beside(_ALONE, rate, paired_ratio(alone, rates["ours", crowd])),
                headline=f"the same beside {crowd}",
            )
            for crowd in sizes.crowds
        ),
        *(
            Figure(f"claim + complete beside {crowd}: {rival}", statistics.median(rates[rival, crowd]), "jobs/s")
            for crowd in sizes.crowds
            for rival in ("hand-written", "stock")
        ),
    ]


class _Spent:
    """Processor time per job: what the other work of a busy machine hardly changes."""

    def __init__(self) -> None:
        self._us: dict[tuple[str, str], list[float]] = {}

    def rate(self, key: tuple[str, str], queue: Rival, block: int, limit_s: float) -> float:
        """Return jobs per second; 0 if none was found within the limit."""
        started, spent = time.monotonic(), time.process_time()
        done = queue.work(block, started + limit_s)
        self._us.setdefault(key, []).append((time.process_time() - spent) * 1e6 / max(done, 1))
        return done / (time.monotonic() - started)

    def figure(self, name: str, ours: str, theirs: str) -> Figure:
        """Return the time spent on a job beside that of a rival, both in an otherwise empty queue."""
        us, their_us = self._us[ours, _ALONE], self._us[theirs, _ALONE]
        beside = Beside(f"{theirs} queue", statistics.median(their_us), paired_ratio(us, their_us))
        return Figure(name, statistics.median(us), "µs/job", beside=beside)


def _rates(
    sizes: Sizes, folder: Path, kinds: Sequence[tuple[str, str]], spent: _Spent
) -> dict[tuple[str, str], list[float]]:
    with contextlib.ExitStack() as stack:
        measures: dict[tuple[str, str], Callable[[], float]] = {}
        for rival, crowd in kinds:
            queue = stack.enter_context(contextlib.closing(RIVALS[rival](folder / rival / crowd)))
            block = sizes.stock_block if rival == _STOCK else sizes.block
            measures[rival, crowd] = partial(spent.rate, (rival, crowd), queue, block, sizes.block_limit_s)
        # The stock queue by itself: it works to its limit, so that the rounds of the others would lie far apart.
        by_itself = {key: measures.pop(key) for key in kinds if key[0] == _STOCK}
        return interleaved(sizes.rounds, measures) | interleaved(sizes.stock_rounds, by_itself)


# -- woken


def _waking(sizes: Sizes, folder: Path, crowds: Mapping[str, int]) -> list[Figure]:
    """Let a file appear that one job waits for, among few others and among many."""
    with contextlib.ExitStack() as stack:
        queues = {name: stack.enter_context(contextlib.closing(EmbeddedQueue(folder / name))) for name in crowds}
        appeared = {name: iter(range(1, count + 1)) for name, count in crowds.items()}
        measures = {name: partial(_wake, queue, appeared[name]) for name, queue in queues.items()}
        taken_ms = interleaved(sizes.wakings, measures)
        taken_ms |= interleaved(_WALKS, {"walk": lambda: _walk(queues["many"])})
    median = statistics.median(taken_ms["many"])
    few, walk = statistics.median(taken_ms["few"]), statistics.median(taken_ms["walk"])
    name = f"a job woken by its file, of {crowds['many']:,}"
    return [
        Figure(
            name,
            median,
            "ms",
            at_most(1.3),
            Beside(f"of {crowds['few']:,}", few, paired_ratio(taken_ms["many"], taken_ms["few"])),
        ),
        Figure(name, median, "ms", beside=Beside("to look at each job's path", walk, median / walk)),
    ]


def _make_asleep(folder: Path, count: int) -> None:
    later = {"retry_count": 1, "next_retry_at": time.time() + 600, "last_error_type": "PlexNotFound"}
    with contextlib.closing(EmbeddedQueue(folder)) as queue:
        queue.put_many(job | later for job in queue_bulk.jobs(count))
        queue.wake_for_files([])  # once, what jobs wait for is read from them
        queue.maintain()


def _wake(queue: EmbeddedQueue, numbers: Iterator[int]) -> float:
    file_key = name_key(queue_bulk.path_of(next(numbers)))
    started = time.perf_counter()
    woken = queue.wake_for_files([file_key])
    taken_ms = (time.perf_counter() - started) * 1000
    if woken != 1:
        raise RuntimeError(f"{woken} jobs were woken.")
    return taken_ms


def _walk(queue: EmbeddedQueue) -> float:
    started = time.perf_counter()
    with queue.reading() as connection:
        rows = connection.execute(
            "SELECT json_extract(CAST(data AS TEXT), '$.data.path') FROM ack_queue_default WHERE status < 2"
        ).fetchall()
    {name_key(path) for (path,) in rows}
    return (time.perf_counter() - started) * 1000


def _crowds(count: int) -> dict[str, Content]:
    return {
        f"{count:,} pending": Content(due=count),
        f"{count // 2:,} in back-off": Content(in_backoff=count // 2),
        f"{count:,} completed": Content(completed=count),
    }


BENCHMARK: Final = Benchmark(
    "queue",
    full=partial(
        run,
        Sizes(
            bulk=queue_bulk.Sizes(rows=100_000, rounds=2, beside_rounds=2),
            # Two rounds of upkeep (pruning, checkpoint) fall into each block.
            block=1024,
            rounds=5,
            stock_rounds=1,
            crowds=_crowds(100_000),
            asleep=100_000,
            wakings=25,
        ),
    ),
    quick=partial(
        run,
        Sizes(
            bulk=queue_bulk.Sizes(rows=10_000, rounds=2, beside_rounds=1),
            block=512,
            rounds=3,
            stock_rounds=1,
            crowds=_crowds(5_000),
            asleep=10_000,
            wakings=9,
            block_limit_s=0.3,
        ),
    ),
)
