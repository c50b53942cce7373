"""Runs benchmarks, each in a process of its own unless they share what is dear to make.

What one leaves in memory, or how it ends, is its own affair.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from bench import served_libraries
from bench.child import LOADED, SPAWN, processor_s_side_by_side
from bench.figures import Curve, Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from bench.figures import Benchmark

LIMIT_S: Final = 900.0
"""A benchmark takes far less; on a machine with much else to do it may take long, and is none the worse for it."""
_ENDING_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one benchmark. ``error`` is empty if it ran; ``loads`` are the machine's before and after it.

    ``processor_s`` is what it took of processors, all its processes together: what neighbours hardly change.
    """

    name: str
    seconds: float
    processor_s: float
    loads: tuple[float, float]
    figures: tuple[Figure, ...] = ()
    curves: tuple[Curve, ...] = ()
    error: str = ""

    @property
    def missed(self) -> tuple[Figure, ...]:
        """The figures that miss their targets."""
        return tuple(figure for figure in self.figures if figure.is_met is False)

    def as_document(self) -> dict[str, object]:
        """Return the result as JSON has it."""
        figures = [figure.as_document() for figure in self.figures]
        curves = [asdict(curve) for curve in self.curves]
        return {
            "name": self.name,
            "seconds": self.seconds,
            "processor_s": self.processor_s,
            "loads": self.loads,
            "figures": figures,
            "curves": curves,
            "error": self.error,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Return the result of ``as_document``."""
        before, after = document["loads"]
        figures = tuple(map(Figure.from_document, document["figures"]))
        curves = tuple(map(Curve.from_document, document["curves"]))
        seconds, processor_s = document["seconds"], document.get("processor_s", 0.0)
        return cls(document["name"], seconds, processor_s, (before, after), figures, curves, document["error"])


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the process of a benchmark says about it."""

    measured: tuple[Figure | Curve, ...] = ()
    error: str = ""
    processor_s: float = 0.0


def run(benchmark: Benchmark, *, quick: bool, limit_s: float = LIMIT_S) -> Result:
    """Run ``benchmark`` in a new process and return what it measured, or why it could not."""
    (result,) = run_group([benchmark], quick=quick, limit_s=limit_s)
    return result


def run_group(benchmarks: Sequence[Benchmark], *, quick: bool, limit_s: float = LIMIT_S) -> Iterator[Result]:
    """Run ``benchmarks`` in one new process, one after the other; yield of each what it measured, or why it could not.

    If one of them takes the process with it, or longer than ``limit_s``, those after it have not run.
    """
    way = SPAWN if any(benchmark.weighs_itself for benchmark in benchmarks) else LOADED
    ours, theirs = way.Pipe(duplex=False)
    with ours:
        names = "-".join(benchmark.name for benchmark in benchmarks)
        process = way.Process(target=_measure_all, args=(theirs, benchmarks, quick), name=f"bench-{names}")
        process.start()
        theirs.close()  # so that a process that dies ends the waiting
        try:
            for benchmark in benchmarks:
                started, load = time.monotonic(), _load()
                answer = _answer(ours, process, limit_s)
                yield Result(
                    benchmark.name,
                    round(time.monotonic() - started, 1),
                    round(answer.processor_s, 1),
                    (load, _load()),
                    tuple(one for one in answer.measured if isinstance(one, Figure)),
                    tuple(one for one in answer.measured if isinstance(one, Curve)),
                    answer.error,
                )
            process.join(_ENDING_S)
        finally:
            _end(process)


def _end(process: BaseProcess) -> None:
    """End ``process``, and with it all that it started and left behind: servers, daemons, hooks."""
    if hasattr(os, "killpg") and process.pid is not None:
        with contextlib.suppress(ProcessLookupError):  # nobody is left, or it never came to lead a group
            os.killpg(process.pid, signal.SIGKILL)
    if process.exitcode is None:
        process.kill()
        process.join()


def _answer(pipe: Connection, process: BaseProcess, limit_s: float) -> _Answer:
    """Return what the process says next; after one that took too long it has been ended."""
    if not pipe.poll(limit_s):
        _end(process)
        return _Answer(error=f"It took longer than {limit_s:.0f} s.")
    try:
        answer: _Answer = pipe.recv()
    except EOFError:
        process.join(_ENDING_S)
        return _Answer(error=f"The process ended with {process.exitcode} and gave no figures.")
    return answer


def _measure_all(pipe: Connection, benchmarks: Sequence[Benchmark], quick: bool) -> None:  # noqa: FBT001 - passed by position only
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # so that whatever it starts can be ended with it
    gc.freeze()  # what others need is not to be looked through again and again
    with pipe, served_libraries.keeping():
        for benchmark in benchmarks:
            pipe.send(_measure(benchmark, quick=quick))


def _measure(benchmark: Benchmark, *, quick: bool) -> _Answer:
    spent_s = _processor_s()
    try:
        with tempfile.TemporaryDirectory(prefix=f"scenesync-bench-{benchmark.name}-") as folder:
            measured = tuple((benchmark.quick if quick else benchmark.full)(Path(folder)))
    except Exception:  # noqa: BLE001 - shown in the table; the other benchmarks go on
        return _Answer(error=traceback.format_exc())
    return _Answer(measured, processor_s=_processor_s() - spent_s)


def _processor_s() -> float:
    """Return what this process has taken so far, with its children that ended and its servers."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own_s = sum(each.ru_utime + each.ru_stime for each in used)
    return own_s + served_libraries.processor_s() + processor_s_side_by_side()


def _load() -> float:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0
