"""Work in processes of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.context import ForkServerContext, SpawnContext

SPAWN: Final = multiprocessing.get_context("spawn")
"""A process that loads what it needs and nothing else: its memory is the work's alone."""
LOADED: Final[ForkServerContext | SpawnContext] = (
    multiprocessing.get_context("forkserver") if "forkserver" in multiprocessing.get_all_start_methods() else SPAWN
)
"""A process that has all modules of the benchmarks from the start, where the system can do that: loading them takes
longer than many a measurement."""
LOADED.set_forkserver_preload(["bench.command_line"])
STATUS: Final = Path("/proc/self/status")
_MEBIBYTE: Final = 1024 * 1024
_RSS_UNIT_BYTES: Final = 1 if sys.platform == "darwin" else 1024
_spent_side_by_side_s: Final[list[float]] = []


@contextlib.contextmanager
def answers(work: Callable[..., None], *arguments: object) -> Iterator[Any]:
    """Run ``work(pipe, *arguments)`` in another process; give the end of the pipe from which answers can be received.

    To receive raises EOFError if the process ends without one.
    """
    ours, theirs = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()  # so that a process that dies ends the waiting
    try:
        yield ours
    finally:
        process.join()


def side_by_side(work: Sequence[Callable[[], object]]) -> None:
    """Do all of ``work``, each in another process, as many at a time as there are processors.

    It is for what is made beforehand: nothing is measured meanwhile.
    """
    with ProcessPoolExecutor(min(len(work), os.cpu_count() or 1), mp_context=LOADED) as pool:
        _spent_side_by_side_s.extend(pool.map(_processor_s_of, work))


def processor_s_side_by_side() -> float:
    """Return the processor time of all ``side_by_side`` so far: those processes are no children of this one."""
    return sum(_spent_side_by_side_s)


def _processor_s_of(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def peak_of_mib(pid: int) -> float:
    """Return the most memory that a process of Linux has had since its program began.

    What it tells of its use of resources may be that of the process by which it was started.
    """
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return kib / 1024


def peak_mib() -> float:
    """Return the most memory that this process has had so far."""
    if STATUS.exists():
        return peak_of_mib(os.getpid())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT_BYTES / _MEBIBYTE
