"""Work in a process of its own, whose memory is then the work's alone."""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPAWN: Final = multiprocessing.get_context("spawn")
_MEBIBYTE: Final = 1024 * 1024
_RSS_UNIT_BYTES: Final = 1 if sys.platform == "darwin" else 1024


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


def peak_mib() -> float:
    """Return the most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT_BYTES / _MEBIBYTE
