"""How long Stash waits for a hook, from the start of the process to its end, beside a Python that does nothing."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.figures import Benchmark, Figure, at_most, interleaved
from scenesync.domain.job import scene_job
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.inbox import QUEUE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROOT: Final = Path(__file__).resolve().parent.parent
_CAPTURE: Final = _ROOT / "tests" / "unit" / "simulators" / "stash-captures" / "hook-scene-update.json"
_TARGET: Final = 1.6
_FIRST_SCENE: Final = 10_000_000
"""The hook's scenes are none of those that wait already, so that each run inserts a row."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """``runs`` of each kind at each depth; ``depths`` are numbers of waiting jobs."""

    runs: int
    depths: tuple[int, ...]


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return the times in ms and their ratio for each depth. Raises RuntimeError if a hook did not store its event."""
    figures = []
    for depth in sizes.depths:
        data_dir = folder / f"depth-{depth}"
        queue = EmbeddedQueue(data_dir / QUEUE_FOLDER)
        with contextlib.closing(queue):
            now = time.time()
            queue.put_many(scene_job(number, now) for number in range(1, depth + 1))
            queue.maintain()  # as the daemon does from time to time; the hook never tidies up
            figures += _measure(depth, sizes.runs, data_dir)
            _require_stored(queue, sizes.runs + 1)
    return figures


def _measure(depth: int, runs: int, data_dir: Path) -> list[Figure]:
    documents = _documents(runs + 1)
    environment = {"SCENESYNC_DATA_DIR": str(data_dir), "SCENESYNC_AUTOSTART": "0"}

    def hook() -> float:
        return _process_ms([str(_ROOT / "hook.py")], next(documents), environment, b'{"output": "ok"}\n')

    def empty() -> float:
        return _process_ms(["-c", "pass"], b"", environment, b"")

    hook()  # compiles the modules
    times = interleaved(runs, {"empty": empty, "hook": hook})
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return [
        Figure(f"empty process, p50 (depth {depth:,})", medians["empty"], "ms"),
        Figure(f"hook process, p50 (depth {depth:,})", medians["hook"], "ms"),
        Figure(f"hook / empty (depth {depth:,})", medians["hook"] / medians["empty"], target=at_most(_TARGET)),
    ]


def _process_ms(arguments: Sequence[str], stdin: bytes, environment: dict[str, str], expected: bytes) -> float:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-I", "-S", *arguments], input=stdin, capture_output=True, check=True, env=environment
    )
    milliseconds = (time.perf_counter() - started) * 1000
    if done.stdout != expected:
        raise RuntimeError(f"The process answered {done.stdout!r}: {done.stderr!r}")
    return milliseconds


def _documents(count: int) -> Iterator[bytes]:
    """Yield what Stash wrote to a hook's stdin, each for another scene."""
    captured: dict[str, Any] = json.loads(_CAPTURE.read_bytes())
    for number in range(count):
        context = captured["args"]["hookContext"]
        context["id"] = _FIRST_SCENE + number
        context["input"]["id"] = str(_FIRST_SCENE + number)
        yield json.dumps(captured, ensure_ascii=False, separators=(",", ":")).encode()


def _require_stored(queue: EmbeddedQueue, count: int) -> None:
    # Not those in the spool: a hook that could not write to the queue would have been measured doing something else.
    with queue.reading() as connection:
        (stored,) = connection.execute(
            "SELECT COUNT(*) FROM ack_queue_default WHERE json_extract(CAST(data AS TEXT), '$.scene_id') >= ?",
            (_FIRST_SCENE,),
        ).fetchone()
    if stored != count:
        raise RuntimeError(f"Of {count} events {stored} are in the queue.")


BENCHMARK: Final = Benchmark(
    "hook",
    full=partial(run, Sizes(runs=60, depths=(0, 100_000))),
    quick=partial(run, Sizes(runs=25, depths=(0, 20_000))),
)
