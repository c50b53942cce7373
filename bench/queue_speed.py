"""The queue alone: many jobs in at once, what a hook feels of that, and jobs out whatever else lies in the file."""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import sqlite3
import statistics
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.figures import Benchmark, Figure, at_least, at_most, interleaved, paired_ratio
from bench.queue_rivals import Content, HandWritten, Ours, Rival, Stock
from scenesync.domain.job import scene_job
from scenesync.queue import inbox
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.schema import READY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.synchronize import Event
    from pathlib import Path

_SPAWN: Final = multiprocessing.get_context("spawn")
_BATCH_ROWS: Final = 500
_CREATE: Final = "CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB, timestamp FLOAT, status INTEGER)"
_INSERT: Final = "INSERT INTO jobs (data, timestamp, status) VALUES (?, ?, ?)"
_HOOK_EVERY_S: Final = 0.02
_ALONE: Final = "an empty queue"
_FIRST_HOOK_SCENE: Final = 10_000_000
_STARTED_WITHIN_S: Final = 30.0
RIVALS: Final[Mapping[str, Callable[[Path, Content], Rival]]] = {
    "ours": Ours,
    "stock": Stock,
    "hand-written": HandWritten,
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """``rows`` per bulk, ``bulk_rounds`` times; claims in blocks of ``block``, ``rounds`` times, beside ``crowds``.

    A block ends after ``block_limit_s``, however little was done.
    """

    rows: int
    bulk_rounds: int
    block: int
    rounds: int
    stock_rounds: int
    crowds: Mapping[str, Content]
    block_limit_s: float = 2.5


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return the figures of bulk, hooks beside it, and claims."""
    return [*_bulk(sizes, folder / "bulk"), _beside(sizes, folder / "beside"), *_claims(sizes, folder / "claims")]


# -- in


def _bulk(sizes: Sizes, folder: Path) -> list[Figure]:
    numbers = itertools.count()

    def ours() -> float:
        with contextlib.closing(EmbeddedQueue(folder / str(next(numbers)))) as queue:
            return _seconds(lambda: queue.put_many(_jobs(sizes.rows)))

    def plain(rows_per_transaction: int) -> float:
        path = folder / str(next(numbers))
        path.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(path / "plain.db", isolation_level=None)) as file:
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("PRAGMA synchronous = FULL")
            file.execute(_CREATE)
            return _seconds(lambda: _executemany(file, sizes.rows, rows_per_transaction))

    seconds = interleaved(
        sizes.bulk_rounds,
        {"ours": ours, "whole": lambda: plain(sizes.rows), "batches": lambda: plain(_BATCH_ROWS)},
    )
    rates = {name: sizes.rows / statistics.median(taken) for name, taken in seconds.items()}
    return [
        Figure(f"bulk of {sizes.rows:,}: ours", rates["ours"], "jobs/s"),
        Figure("bulk: plain executemany, one transaction", rates["whole"], "jobs/s"),
        Figure(f"bulk: plain executemany, {_BATCH_ROWS} rows each", rates["batches"], "jobs/s"),
        Figure(
            "bulk: ours / plain, one transaction",
            paired_ratio(seconds["whole"], seconds["ours"]),
            target=at_least(0.5),
        ),
        Figure("bulk: ours / plain, equal transactions", paired_ratio(seconds["batches"], seconds["ours"])),
    ]


def _executemany(file: sqlite3.Connection, rows: int, rows_per_transaction: int) -> None:
    now = time.time()
    values = ((json.dumps(job).encode(), now, READY) for job in _jobs(rows))
    while batch := list(itertools.islice(values, rows_per_transaction)):
        file.execute("BEGIN IMMEDIATE")
        file.executemany(_INSERT, batch)
        file.execute("COMMIT")


def _jobs(count: int) -> Iterator[dict[str, Any]]:
    now = time.time()
    for number in range(1, count + 1):
        path = f"/data/stash/Travel/H/Harbour concert {number}.mp4"
        yield scene_job(number, now, data={"path": path, "title": f"Harbour concert {number}"})


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# -- beside it


def _beside(sizes: Sizes, data_dir: Path) -> Figure:
    """Let another process store events, as hooks do, while a bulk goes in; return the slowest of them."""
    ready, done = _SPAWN.Event(), _SPAWN.Event()
    with contextlib.closing(EmbeddedQueue(data_dir / inbox.QUEUE_FOLDER)) as queue:
        ours, theirs = _SPAWN.Pipe(duplex=False)
        hooks = _SPAWN.Process(target=_store_events, args=(str(data_dir), ready, done, theirs), daemon=True)
        hooks.start()
        try:
            if not ready.wait(_STARTED_WITHIN_S):
                raise RuntimeError("The process that stores events did not start.")
            queue.put_many(_jobs(sizes.rows))
            done.set()
            waits_ms: list[float] = ours.recv()
        finally:
            done.set()
            hooks.join()
    return Figure(f"slowest of {len(waits_ms)} events stored beside the bulk", max(waits_ms), "ms", at_most(50))


def _store_events(data_dir: str, ready: Event, done: Event, answer: Any) -> None:  # noqa: ANN401 - a private class
    waits_ms = []
    ready.set()
    for number in itertools.count(_FIRST_HOOK_SCENE):
        document = inbox.Document(is_hook=True, trigger="Scene.Update.Post", scene_id=number)
        waits_ms.append(_seconds(partial(inbox.store, document, data_dir)) * 1000)
        if done.wait(_HOOK_EVERY_S):
            break
    answer.send(waits_ms)


# -- out


def _claims(sizes: Sizes, folder: Path) -> list[Figure]:
    crowds = {_ALONE: Content(), **sizes.crowds}
    with contextlib.ExitStack() as stack:

        def measures(rival: str, rounds: int) -> dict[tuple[str, str], Callable[[], float]]:
            taken: dict[tuple[str, str], Callable[[], float]] = {}
            for crowd, content in crowds.items():
                whole = replace(content, due=content.due + sizes.block * rounds)
                queue = stack.enter_context(contextlib.closing(RIVALS[rival](folder / rival / crowd, whole)))
                taken[rival, crowd] = partial(_rate, queue, sizes.block, sizes.block_limit_s)
            return taken

        rates = interleaved(sizes.rounds, measures("ours", sizes.rounds) | measures("hand-written", sizes.rounds))
        # By itself: it fills its time to the limit, so that the rounds of the others would lie far apart.
        rates |= interleaved(sizes.stock_rounds, measures("stock", sizes.stock_rounds))
    figures = [
        Figure(f"claim + complete, {crowd}: {rival}", statistics.median(rates[rival, crowd]), "jobs/s")
        for crowd in crowds
        for rival in RIVALS
    ]
    alone = rates["ours", _ALONE]
    figures += [
        Figure(
            f"claim + complete: {_ALONE} / {crowd}, ours", paired_ratio(alone, rates["ours", crowd]), "", at_most(1.3)
        )
        for crowd in sizes.crowds
    ]
    hand_written = paired_ratio(alone, rates["hand-written", _ALONE])
    return [*figures, Figure("claim + complete: ours / hand-written", hand_written, "", at_least(0.5))]


def _rate(queue: Rival, block: int, limit_s: float) -> float:
    """Return jobs per second; 0 if none was found within the limit."""
    started = time.monotonic()
    done = queue.work(block, started + limit_s)
    return done / (time.monotonic() - started)


def _crowds(count: int) -> dict[str, Content]:
    return {
        f"{count:,} pending": Content(due=count),
        f"{count // 2:,} in back-off": Content(in_backoff=count // 2),
        f"{count:,} completed": Content(completed=count),
    }


BENCHMARK: Final = Benchmark(
    "queue",
    full=partial(
        run, Sizes(rows=100_000, bulk_rounds=3, block=300, rounds=11, stock_rounds=3, crowds=_crowds(100_000))
    ),
    quick=partial(
        run,
        Sizes(
            rows=20_000, bulk_rounds=2, block=100, rounds=6, stock_rounds=2, crowds=_crowds(20_000), block_limit_s=0.7
        ),
    ),
)
