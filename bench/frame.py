"""Runs benchmarks, each in a process of its own: what one leaves in memory, or how it ends, is its own affair."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from bench.figures import Curve, Figure

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from bench.figures import Benchmark

_SPAWN: Final = multiprocessing.get_context("spawn")
LIMIT_S: Final = 900.0
"""A benchmark takes far less; on a machine with much else to do it may take long, and is none the worse for it."""
_ENDING_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one benchmark. ``error`` is empty if it ran; ``loads`` are the machine's before and after it."""

    name: str
    seconds: float
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
        return cls(document["name"], document["seconds"], (before, after), figures, curves, document["error"])


def run(benchmark: Benchmark, *, quick: bool, limit_s: float = LIMIT_S) -> Result:
    """Run ``benchmark`` in a new process and return what it measured, or why it could not."""
    started, load = time.monotonic(), _load()
    ours, theirs = _SPAWN.Pipe(duplex=False)
    with ours:
        process = _SPAWN.Process(target=_measure, args=(theirs, benchmark, quick), name=f"bench-{benchmark.name}")
        process.start()
        theirs.close()  # so that a process that dies ends the waiting
        try:
            measured, error = _answer(ours, limit_s)
            process.join(0.0 if error == _too_long(limit_s) else _ENDING_S)
        finally:
            _end(process)
        if not (measured or error):
            error = f"The process ended with {process.exitcode} and gave no figures."
    return Result(
        benchmark.name,
        round(time.monotonic() - started, 1),
        (load, _load()),
        tuple(one for one in measured if isinstance(one, Figure)),
        tuple(one for one in measured if isinstance(one, Curve)),
        error,
    )


def _end(process: SpawnProcess) -> None:
    """End ``process``, and with it all that it started and left behind: servers, daemons, hooks."""
    if hasattr(os, "killpg") and process.pid is not None:
        with contextlib.suppress(ProcessLookupError):  # nobody is left, or it never came to lead a group
            os.killpg(process.pid, signal.SIGKILL)
    if process.exitcode is None:
        process.kill()
        process.join()


def _answer(pipe: Connection, limit_s: float) -> tuple[list[Figure | Curve], str]:
    if not pipe.poll(limit_s):
        return [], _too_long(limit_s)
    try:
        answer: tuple[list[Figure | Curve], str] = pipe.recv()
    except EOFError:
        return [], ""
    return answer


def _too_long(limit_s: float) -> str:
    return f"It took longer than {limit_s:.0f} s."


def _measure(pipe: Connection, benchmark: Benchmark, quick: bool) -> None:  # noqa: FBT001 - passed by position only
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # so that whatever it starts can be ended with it
    with pipe:
        try:
            with tempfile.TemporaryDirectory(prefix=f"scenesync-bench-{benchmark.name}-") as folder:
                measured = list((benchmark.quick if quick else benchmark.full)(Path(folder)))
        except Exception:  # noqa: BLE001 - shown in the table; the other benchmarks go on
            pipe.send(([], traceback.format_exc()))
        else:
            pipe.send((measured, ""))


def _load() -> float:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0
