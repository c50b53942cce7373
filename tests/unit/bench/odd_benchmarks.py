"""Benchmarks that end in all ways, for the processes that the frame starts: imported there, hence light."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bench.figures import Benchmark, Curve, Figure, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Run = Callable[[Path], Sequence[Figure | Curve]]


def measure(name: str, value: float, _folder: Path) -> Sequence[Figure | Curve]:
    curve = Curve("outage", "edits", ((0.0, value), (1.0, 0.0)))
    return [Figure(name, value, "ms", at_most(2), headline=name), Figure("a detail", 7), curve]


def die(_folder: Path) -> Sequence[Figure | Curve]:
    os.kill(os.getpid(), signal.SIGTERM)
    return []


def break_down(_folder: Path) -> Sequence[Figure | Curve]:
    raise RuntimeError("the pier is closed")


def hang(_folder: Path) -> Sequence[Figure | Curve]:
    time.sleep(60)
    return []


def leave_a_process_behind(_folder: Path) -> Sequence[Figure | Curve]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.DEVNULL)
    return [Figure("its pid", child.pid)]


def say_pid(_folder: Path) -> Sequence[Figure | Curve]:
    time.sleep(0.1)  # as little as is told of how long it took
    return [Figure("its pid", os.getpid())]


def wait_for_the_other(meeting: Path, name: str, _folder: Path) -> Sequence[Figure | Curve]:
    (meeting / name).touch()
    deadline = time.monotonic() + 60
    while not all((meeting / each).exists() for each in ("one", "other")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} is alone")
        time.sleep(0.01)
    return []


def only_quick(name: str, run: Run) -> Benchmark:
    return Benchmark(name, full=break_down, quick=run)
