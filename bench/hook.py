"""How long Stash waits for a hook, from the start of the process to its end, beside a Python that does nothing.

Shown as well: a Python that only appends the event to a file and syncs it, the least that keeps an event.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.figures import Benchmark, Beside, Figure, at_most, interleaved
from bench.queue_bulk import at_work
from scenesync.domain.job import scene_job
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.inbox import QUEUE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_ROOT: Final = Path(__file__).resolve().parent.parent
_HOOK: Final = _ROOT / "hook.py"
_CAPTURE: Final = _ROOT / "tests" / "unit" / "simulators" / "stash-captures" / "hook-scene-update.json"
_TARGET: Final = 1.6
_SAME: Final = 1.15
_AT_ONCE: Final = 16
_EVENT_BYTES: Final = 1500
_IN_A_ROW: Final = 50
"""Processes of one kind in a row, before those of the other kind have their turn."""
_LESS_OFTEN: Final = {"hook": 1, "empty": 2, "append": 5}
"""Of so many runs in a row of a hook one of these; what they take is counted as if there were as many."""
_FIRST_SCENE: Final = 10_000_000
"""The hook's scenes are none of those that wait already, so that each run inserts a row."""
_APPEND: Final = """
import sys
if sys.platform == "win32": import os as posix
else: import posix
file = posix.open(sys.argv[1], posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT)
posix.write(file, sys.stdin.buffer.read())
posix.fsync(file)
"""
_FORGET: Final = """
import os, sys
for path in sys.argv[1:]:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # the queue's log comes and goes
        continue
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
"""
_LOADED: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from scenesync.queue import inbox
print(*(line.split()[-1] for line in open("/proc/self/maps") if "/" in line), sep="\\n")
cached = (getattr(module, "__cached__", None) for module in list(sys.modules.values()))
print(*filter(None, cached), sep="\\n")
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many processes of each kind, at each of ``depths`` (numbers of waiting jobs).

    ``runs`` one by one, ``cold_runs`` with nothing cached, ``volleys`` of many at once, ``saves`` one after the other,
    of each depth as many.
    """

    runs: int
    depths: tuple[int, ...]
    cold_runs: int = 0
    volleys: int = 0
    saves: tuple[int, ...] = ()


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return the times beside those of an empty process. Raises RuntimeError if an event is lost."""
    figures: list[Figure] = []
    for depth, saves in zip_longest(sizes.depths, sizes.saves, fillvalue=0):
        data_dir = folder / f"depth-{depth}"
        queue = EmbeddedQueue(data_dir / QUEUE_FOLDER)
        # As nearly always, a daemon runs, and the hook has to find that out.
        with contextlib.closing(queue), at_work(data_dir):
            now = time.time()
            queue.put_many(scene_job(number, now) for number in range(1, depth + 1))
            queue.maintain()  # as the daemon does from time to time; the hook never tidies up
            hooks = _Hooks(data_dir)
            hooks.run()  # compiles the modules
            figures += [
                *_one_by_one(depth, sizes.runs, hooks),
                *_cold(depth, sizes.cold_runs, hooks),
                *_at_once(depth, sizes.volleys, hooks),
                *_in_a_row(depth, saves, hooks),
            ]
            figures += _kept(depth, queue, hooks)
    return [*figures, *_same_at_each_depth(sizes, figures)]


def _same_at_each_depth(sizes: Sizes, figures: Sequence[Figure]) -> list[Figure]:
    """Hold the largest depth against the smallest, each by its ratio to the empty Python of the same turn."""
    ratios = {figure.name: figure.beside.ratio for figure in figures if figure.beside and figure.target}
    first, last = (ratios[_case(sizes.runs, depth)] for depth in (sizes.depths[0], sizes.depths[-1]))
    name = f"hook / empty Python, at depth {sizes.depths[-1]:,} / at {sizes.depths[0]:,}"
    return [Figure(name, last / first, target=at_most(_SAME))] if len(sizes.depths) > 1 else []


class _Hooks:
    """Runs hooks, each for another scene, and counts them."""

    def __init__(self, data_dir: Path) -> None:
        self.count = 0
        self.data_dir = data_dir
        self._environment = {"SCENESYNC_DATA_DIR": str(data_dir)}
        self._documents = _documents()

    def next_document(self) -> bytes:
        """Return the event of one more hook."""
        self.count += 1
        return next(self._documents)

    def run(self, document: bytes | None = None) -> float:
        """Return how long one hook takes, in ms."""
        event = self.next_document() if document is None else document
        return _process_ms([str(_HOOK)], event, self._environment, b'{"output": "ok"}\n')

    def append(self) -> float:
        """Return how long it takes to start a Python that only keeps an event of this length."""
        return _process_ms(["-c", _APPEND, str(self.data_dir / "appended")], bytes(_EVENT_BYTES), {}, b"")


def _empty() -> float:
    return _process_ms(["-c", "pass"], b"", {}, b"")


def _one_by_one(depth: int, runs: int, hooks: _Hooks) -> list[Figure]:
    times = interleaved(runs, {"empty": _empty, "append": hooks.append, "hook": hooks.run})
    return _figures(_case(runs, depth), times, f"hook process, {depth:,} jobs waiting")


def _case(runs: int, depth: int) -> str:
    return f"hook, p50 of {runs} (depth {depth:,})"


def _cold(depth: int, runs: int, hooks: _Hooks) -> list[Figure]:
    """Take the files that either process reads out of the page cache before each start.

    What other processes have mapped stays there, for both alike: mostly the interpreter itself.
    """
    if runs == 0 or not hasattr(os, "posix_fadvise") or not Path("/proc/self/maps").exists():
        return []
    files = [*_files_loaded(), _HOOK, *(hooks.data_dir / QUEUE_FOLDER).iterdir()]

    def hook() -> float:
        _forget(files)
        return hooks.run()

    def empty() -> float:
        _forget(files)
        return _empty()

    def append() -> float:
        _forget(files)
        return hooks.append()

    times = interleaved(runs, {"empty": empty, "append": append, "hook": hook})
    return _figures(f"hook, files not cached, p50 of {runs} (depth {depth:,})", times)


def _files_loaded() -> list[Path]:
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LOADED, str(_ROOT)], capture_output=True, check=True, text=True
    )
    return [path for path in map(Path, sorted(set(found.stdout.split("\n")))) if path.is_file()]


def _forget(files: Sequence[Path]) -> None:
    # In another process: to close a file of the queue here would drop the locks that our own connection has on it, and
    # every hook from then on would take itself for the first one and read the whole log.
    subprocess.run([sys.executable, "-I", "-S", "-c", _FORGET, *map(str, files)], check=True)


def _at_once(depth: int, volleys: int, hooks: _Hooks) -> list[Figure]:
    """Start many at the same time; each figure is that of one process among them."""
    if volleys == 0:
        return []
    with ThreadPoolExecutor(_AT_ONCE) as pool:

        def all_hooks() -> list[float]:
            documents = [hooks.next_document() for _ in range(_AT_ONCE)]
            return list(pool.map(hooks.run, documents))

        taken = interleaved(
            volleys,
            {
                "empty": lambda: list(pool.map(lambda _: _empty(), range(_AT_ONCE))),
                "append": lambda: list(pool.map(lambda _: hooks.append(), range(_AT_ONCE))),
                "hook": all_hooks,
            },
        )
    times = {kind: list(chain.from_iterable(all_times)) for kind, all_times in taken.items()}
    name = f"hook, {_AT_ONCE} at a time, p50 of {volleys * _AT_ONCE} (depth {depth:,})"
    return _figures(name, times, f"one of {_AT_ONCE} hooks at a time, {depth:,} jobs waiting")


def _in_a_row(depth: int, saves: int, hooks: _Hooks) -> list[Figure]:
    """Run as many hooks as a bulk edit of ``saves`` scenes does, one after the other, while the person waits."""
    if saves == 0:
        return []
    rounds = max(1, saves // _IN_A_ROW)
    kinds: dict[str, Callable[[], float]] = {"empty": _empty, "append": hooks.append, "hook": hooks.run}
    processor_s = dict.fromkeys(kinds, 0.0)

    def seconds(kind: str) -> float:
        before = _processor_s_of_children()
        in_turn = saves // rounds
        runs = max(1, in_turn // _LESS_OFTEN[kind])
        taken = sum(kinds[kind]() for _ in range(runs)) / 1000
        processor_s[kind] += (_processor_s_of_children() - before) * in_turn / runs
        return taken * in_turn / runs

    times = interleaved(rounds, {kind: partial(seconds, kind) for kind in kinds})
    hook, empty = processor_s["hook"], processor_s["empty"]
    return [
        *_beside_both(
            f"{saves} hooks one after the other (depth {depth:,})",
            "s",
            {kind: sum(taken) for kind, taken in times.items()},
            f"{saves} hooks one after the other, {depth:,} jobs waiting",
        ),
        Figure(
            f"{saves} hooks: processor time (depth {depth:,})",
            hook,
            "s",
            beside=Beside("empty Python", empty, hook / empty),
        ),
    ]


def _processor_s_of_children() -> float:
    """Return what all processes that ended have used: what the other work of a busy machine hardly changes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _figures(name: str, times_ms: dict[str, list[float]], headline: str = "") -> list[Figure]:
    return _beside_both(name, "ms", {kind: statistics.median(taken) for kind, taken in times_ms.items()}, headline)


def _beside_both(name: str, unit: str, taken: dict[str, float], headline: str = "") -> list[Figure]:
    hook, empty, append = taken["hook"], taken["empty"], taken["append"]
    return [
        Figure(name, hook, unit, at_most(_TARGET), Beside("empty Python", empty, hook / empty), headline),
        Figure(name, hook, unit, beside=Beside("Python that appends and syncs", append, hook / append)),
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


def _documents() -> Iterator[bytes]:
    """Yield what Stash wrote to a hook's stdin, each for another scene."""
    captured: dict[str, Any] = json.loads(_CAPTURE.read_bytes())
    scene_id = _FIRST_SCENE
    while True:
        context = captured["args"]["hookContext"]
        context["id"] = scene_id
        context["input"]["id"] = str(scene_id)
        yield json.dumps(captured, ensure_ascii=False, separators=(",", ":")).encode()
        scene_id += 1


def _kept(depth: int, queue: EmbeddedQueue, hooks: _Hooks) -> list[Figure]:
    """Say how many events went beside the queue because it was busy for too long: few, or something else was measured.

    Raises RuntimeError if an event is lost.
    """
    spooled = queue.take_in_spool()
    with queue.reading() as connection:
        (stored,) = connection.execute(
            "SELECT COUNT(*) FROM ack_queue_default WHERE json_extract(CAST(data AS TEXT), '$.scene_id') >= ?",
            (_FIRST_SCENE,),
        ).fetchone()
    if stored != hooks.count:
        raise RuntimeError(f"Of {hooks.count} events {stored} were kept.")
    return [Figure(f"of {hooks.count} events, found in the spool (depth {depth:,})", spooled)]


BENCHMARK: Final = Benchmark(
    "hook",
    full=partial(run, Sizes(runs=50, depths=(0, 100_000), cold_runs=9, volleys=6, saves=(500, 200))),
    quick=partial(run, Sizes(runs=15, depths=(0, 20_000), cold_runs=3, volleys=1, saves=(20,))),
)
