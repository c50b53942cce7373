"""Show how work goes on: a bar on a terminal, plain lines elsewhere, Stash's own bar under Stash."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Protocol, Self

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import Console

LINE_EVERY_S: Final = 5.0


class ProgressView(Protocol):
    """Is told how many jobs are done and how many are left."""

    def show(self, done: int, left: int) -> None:
        """Update the view."""
        ...


class BarView:
    """A bar on a terminal; use as a context manager."""

    def __init__(self, console: Console, label: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("scenes"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task(label, total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, done: int, left: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=done + left)


class LineView:
    """A plain line now and then, for logs and pipes."""

    def __init__(self, write: Callable[[str], None] | None = None, every_s: float = LINE_EVERY_S) -> None:
        self._write = write or (lambda line: click.echo(line, err=True))
        self._every_s = every_s
        self._last = time.monotonic()

    def show(self, done: int, left: int) -> None:
        """Write a line if the last one is some time ago."""
        if time.monotonic() - self._last >= self._every_s:
            self._last = time.monotonic()
            self._write(f"done={done} waiting={left}")


class FractionView:
    """Stash's own bar: a fraction from 0 to 1."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        self._progress = progress

    def show(self, done: int, left: int) -> None:
        """Move the bar."""
        self._progress(done / (done + left) if done + left else 1.0)


class ProgressWatch:
    """Asks a few times a second how things stand and tells the view, until it is left."""

    def __init__(self, view: ProgressView, ask: Callable[[], tuple[int, int]], every_s: float = 0.25) -> None:
        self._view = view
        self._ask = ask
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._view.show(*self._ask())

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._view.show(*self._ask())
