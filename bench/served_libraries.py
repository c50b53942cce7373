"""Libraries of some size in both simulated servers, made once for all benchmarks of a process that share them.

A library of 100,000 takes longer to make than to measure. So the benchmarks that need one run in one process, one after
the other; each finds it as the last one left it, and is the same with that. What is measured there has processes of its
own.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.simulated_servers import ServerProcess, begin_both, processor_s_of_ended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.address import Address


@dataclass(frozen=True, slots=True)
class Library:
    """Both servers with a library of some size, and where they answer."""

    plex: ServerProcess
    stash: ServerProcess
    there: Address
    """Plex's."""
    here: Address
    """Stash's."""
    data_dir: Path
    """Of an installation between both: whoever has one made, or finds one made, works on in it."""


class _Kept:
    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._libraries: dict[int, Library] = {}

    def library(self, scenes: int) -> Library:
        if scenes not in self._libraries:
            self._libraries[scenes] = self._stack.enter_context(_made(scenes))
        return self._libraries[scenes]

    def processor_s(self) -> float:
        libraries = self._libraries.values()
        return sum(server.processor_s() for library in libraries for server in (library.plex, library.stash))


_kept: list[_Kept] = []
"""Of the block of ``keeping`` that runs, if one does."""


@contextmanager
def keeping() -> Iterator[None]:
    """Keep every library that is made in the block until its end."""
    with ExitStack() as stack:
        _kept.append(_Kept(stack))
        try:
            yield
        finally:
            _kept.pop()


@contextmanager
def library(scenes: int) -> Iterator[Library]:
    """Serve a library of so many scenes, each with its item, during the block: a new one, or one that was kept."""
    if _kept:
        yield _kept[-1].library(scenes)
    else:
        with _made(scenes) as made:
            yield made


def processor_s() -> float:
    """Return the processor time that simulated servers have taken so far, those of kept libraries among them."""
    return processor_s_of_ended() + sum(kept.processor_s() for kept in _kept)


@contextmanager
def _made(scenes: int) -> Iterator[Library]:
    with (
        tempfile.TemporaryDirectory(prefix="scenesync-bench-library-") as folder,
        ServerProcess("plex") as plex,
        ServerProcess("stash") as stash,
    ):
        there, here = begin_both(plex, stash, scenes)
        yield Library(plex, stash, there, here, Path(folder) / "data")
