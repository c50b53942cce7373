"""Many jobs in at once: how fast, in how much memory, and what a hook feels of it."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.child import SPAWN, answers, peak_mib
from bench.figures import Beside, Figure, at_least, at_most, interleaved, paired_ratio
from scenesync.domain.batches import batched
from scenesync.domain.job import scene_job
from scenesync.queue import inbox
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.owner_lock import KernelLock
from scenesync.queue.schema import READY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.synchronize import Event
    from pathlib import Path

_BATCH_ROWS: Final = 500
_CREATE: Final = "CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB, timestamp FLOAT, status INTEGER)"
_INSERT: Final = "INSERT INTO jobs (data, timestamp, status) VALUES (?, ?, ?)"
_EVENT_EVERY_S: Final = 0.01
_FIRST_HOOK_SCENE: Final = 10_000_000
_ANSWERS_WITHIN_S: Final = 60.0
_SLICE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Sizes:
    """``rows`` per bulk; ``rounds`` of the rivals, ``beside_rounds`` of a bulk with hooks beside it."""

    rows: int
    rounds: int
    beside_rounds: int


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return the figures of a bulk."""
    return [
        *_speed(sizes, folder / "speed"),
        _memory(sizes.rows, folder / "memory"),
        *_beside(sizes, folder / "beside"),
    ]


def jobs(count: int) -> Iterator[dict[str, Any]]:
    """Yield jobs as a bulk selection makes them."""
    now = time.time()
    for number in range(1, count + 1):
        yield scene_job(number, now, data={"path": path_of(number), "title": f"Harbour concert {number}"})


def path_of(scene_id: int) -> str:
    """Return where the file of a job of ``jobs`` lies."""
    return f"/data/stash/Travel/H/Harbour concert {scene_id}.mp4"


# -- speed


def _speed(sizes: Sizes, folder: Path) -> list[Figure]:
    """Let both sides store the same jobs, made beforehand: encode them, insert them, sync each transaction.

    Nobody checkpoints meanwhile: ours leaves that to the worker, so the rival's automatic one is off.
    """
    made = list(jobs(sizes.rows))
    numbers = itertools.count()

    def ours() -> float:
        with contextlib.closing(EmbeddedQueue(folder / str(next(numbers)))) as queue:
            return _seconds(lambda: queue.put_many(made))

    def plain(rows_per_transaction: int) -> float:
        path = folder / str(next(numbers))
        path.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(path / "plain.db", isolation_level=None)) as file:
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
                file.execute(f"PRAGMA {pragma}")
            file.execute(_CREATE)
            return _seconds(lambda: _executemany(file, made, rows_per_transaction))

    spent_us: dict[str, list[float]] = {"ours": [], "batches": []}

    def noting(name: str, work: Callable[[], float]) -> float:
        began = time.process_time()
        seconds = work()
        spent_us[name].append((time.process_time() - began) * 1e6 / sizes.rows)
        return seconds

    seconds = interleaved(
        sizes.rounds,
        {
            "ours": lambda: noting("ours", ours),
            "batches": lambda: noting("batches", lambda: plain(_BATCH_ROWS)),
            "whole": lambda: plain(sizes.rows),
        },
    )
    rates = {name: sizes.rows / statistics.median(taken) for name, taken in seconds.items()}
    ratios = {name: paired_ratio(seconds[name], seconds["ours"]) for name in ("batches", "whole")}
    rival = "plain executemany"
    return [
        Figure(
            f"bulk of {sizes.rows:,} in one call",
            rates["ours"],
            "jobs/s",
            at_least(0.5),
            Beside(f"{rival}, {_BATCH_ROWS} rows per transaction too", rates["batches"], ratios["batches"]),
            headline=f"{sizes.rows:,} jobs enqueued in one call",
        ),
        Figure(
            f"bulk of {sizes.rows:,} in one call",
            rates["ours"],
            "jobs/s",
            beside=Beside(f"{rival}, all in one transaction", rates["whole"], ratios["whole"]),
        ),
        Figure(
            f"bulk of {sizes.rows:,}: processor time",
            statistics.median(spent_us["ours"]),
            "µs/job",
            beside=Beside(
                f"{rival}, {_BATCH_ROWS} rows per transaction too",
                statistics.median(spent_us["batches"]),
                paired_ratio(spent_us["ours"], spent_us["batches"]),
            ),
        ),
    ]


def _executemany(file: sqlite3.Connection, made: Iterable[object], rows_per_transaction: int) -> None:
    now = time.time()
    for batch in batched(made, rows_per_transaction):
        rows = [(json.dumps(job).encode(), now, READY) for job in batch]
        file.execute("BEGIN IMMEDIATE")
        file.executemany(_INSERT, rows)
        file.execute("COMMIT")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# -- memory


def _memory(rows: int, folder: Path) -> Figure:
    """Return by how much a process grows between a tenth of the jobs and all of them."""
    with answers(_grow, str(folder), rows) as answer:
        grown_mib: float = answer.recv()
    return Figure(f"memory for {rows:,} in one call beyond that for {rows // 10:,}", grown_mib, "MiB", at_most(16))


def _grow(answer: Any, folder: str, rows: int) -> None:  # noqa: ANN401 - a private class
    with contextlib.closing(EmbeddedQueue(folder)) as queue:
        queue.put_many(jobs(rows // 10))
        before = peak_mib()
        queue.put_many(job for job in jobs(rows + rows // 10) if job["scene_id"] > rows // 10)
    answer.send(peak_mib() - before)


# -- beside it


def _beside(sizes: Sizes, folder: Path) -> list[Figure]:
    """Let another process store events as the hook does, beside a bulk and, in turns, beside mere computing.

    The computing takes as much of a processor, for as long, and never touches the queue: what an event waits then is
    the machine's own doing.
    """
    bulk_ms: list[float] = []
    busy_ms: list[float] = []
    for number in range(sizes.beside_rounds):
        data_dir = folder / str(number)
        with contextlib.closing(EmbeddedQueue(data_dir / inbox.QUEUE_FOLDER)) as queue, at_work(data_dir):
            with _events(data_dir, bulk_ms, _FIRST_HOOK_SCENE):
                wall_s, processor_s = time.perf_counter(), time.process_time()
                queue.put_many(jobs(sizes.rows))
                wall_s, processor_s = time.perf_counter() - wall_s, time.process_time() - processor_s
            with _events(data_dir, busy_ms, 2 * _FIRST_HOOK_SCENE):
                _compute(wall_s, processor_s / wall_s)
            if queue.take_in_spool():
                raise RuntimeError("An event went to the spool, so its wait says nothing about the queue.")
    worst, worst_busy = max(bulk_ms), max(busy_ms)
    median, median_busy = statistics.median(bulk_ms), statistics.median(busy_ms)
    return [
        Figure(
            f"slowest of {len(bulk_ms)} events stored beside a bulk",
            worst,
            "ms",
            at_most(50),
            headline="slowest event stored beside a bulk",
        ),
        Figure(f"slowest of {len(busy_ms)} beside as much computing without a queue", worst_busy, "ms"),
        Figure(
            "event stored beside a bulk, p50",
            median,
            "ms",
            beside=Beside("beside computing", median_busy, median / median_busy),
        ),
    ]


@contextlib.contextmanager
def at_work(data_dir: Path) -> Iterator[None]:
    """Be who works there, as whoever enqueues many jobs is: else hooks would take the long log for one left behind."""
    lock = KernelLock(data_dir / inbox.DAEMON_LOCK)
    if not lock.acquire():
        raise RuntimeError("Somebody works in the bench's own folder.")
    try:
        yield
    finally:
        lock.release()


def _compute(seconds: float, share: float) -> None:
    """Use ``share`` of a processor for a while, in slices."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.process_time()
        while time.process_time() - began < _SLICE_S * share:
            json.dumps({"title": "Harbour concert"})
        time.sleep(_SLICE_S * max(0.0, 1 - share))


@contextlib.contextmanager
def _events(data_dir: Path, waits_ms: list[float], first_scene: int) -> Iterator[None]:
    """Store events from another process during the block; add to ``waits_ms`` how long each took."""
    ready, done = SPAWN.Event(), SPAWN.Event()
    with answers(_store_events, str(data_dir), first_scene, ready, done) as answer:
        try:
            if not ready.wait(_ANSWERS_WITHIN_S):
                raise RuntimeError("The process that stores events did not start.")
            yield
        finally:
            done.set()
        waits_ms += answer.recv()


def _store_events(answer: Any, data_dir: str, first_scene: int, ready: Event, done: Event) -> None:  # noqa: ANN401
    waits_ms = []
    ready.set()
    for number in itertools.count(first_scene):
        document = inbox.Document(is_hook=True, trigger="Scene.Update.Post", object_id=number)
        waits_ms.append(_seconds(partial(inbox.store, document, data_dir)) * 1000)
        if done.wait(_EVENT_EVERY_S):
            break
    answer.send(waits_ms)
