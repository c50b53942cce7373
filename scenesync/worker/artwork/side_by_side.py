"""Do a few things at the same time, and go on when all of them are over: nothing is left that still writes."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Result = TypeVar("Result")


def side_by_side(tasks: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run ``tasks``, the first in this thread and each other in one of its own; return their results in this order.

    When all have ended, raises what the first of those that failed raised.
    """
    others: list[_Other[Result]] = []
    try:
        others.extend(_Other(task) for task in tasks[1:])
        results = [task() for task in tasks[:1]]
    finally:
        for other in others:
            other.join()
    return [*results, *(other.result() for other in others)]


@contextmanager
def beside(task: Callable[[], object]) -> Iterator[None]:
    """Run ``task`` in a thread of its own while the block runs; at its end wait for it, and raise what it raised."""
    other = _Other(task)
    try:
        yield
    finally:
        other.join()
    other.result()


class _Other(Generic[Result]):
    """A task in a thread of its own, which begins at once."""

    def __init__(self, task: Callable[[], Result]) -> None:
        self._task = task
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="picture", daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._task())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            self._error = error
