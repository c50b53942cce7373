"""Wait for something to happen, notice when it cannot any more, and let a person stop the demo at any moment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.app.opening import queue_figures
from scenesync.app.overview import Overview, read_overview

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from scenesync.app.demo.narration import Narrator
    from scenesync.app.demo.worker_process import WorkerProcess
    from scenesync.app.settings import Settings
    from scenesync.queue.records import QueueSnapshot

_LOOK_EVERY_S: Final = 0.05
_TELL_EVERY_S: Final = 5.0


class StoryBroken(Exception):
    """The story cannot go on: something did not happen, or the worker ended by itself."""


class Interrupted(Exception):
    """A person stopped the demo."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Looks at the queue and the workers. ``stop`` is set by SIGINT and SIGTERM; ``patience_s`` bounds every wait."""

    settings: Settings
    workers: Sequence[WorkerProcess]
    narrator: Narrator
    stop: threading.Event
    patience_s: float

    def queue(self) -> QueueSnapshot:
        """Return how the queue stands."""
        return queue_figures(self.settings)

    def overview(self) -> Overview:
        """Return what ``status`` knows."""
        return read_overview(self.settings)

    def check_stop(self) -> None:
        """Raise Interrupted if a person wants the demo to end."""
        if self.stop.is_set():
            raise Interrupted

    def wait_for(self, what: str, condition: Callable[[], bool]) -> float:
        """Wait until ``condition`` holds and return the seconds it took; a long wait is told about.

        Raises StoryBroken and Interrupted.
        """
        began = told_at = time.monotonic()
        while not condition():
            self.stop.wait(_LOOK_EVERY_S)
            self.check_stop()
            if any(worker.ended_by_itself for worker in self.workers):
                raise StoryBroken(f"A worker ended by itself while waiting for {what}.")
            now = time.monotonic()
            if now - began > self.patience_s:
                raise StoryBroken(f"Waited {self.patience_s:.0f} s in vain for {what}.")
            if now - told_at > _TELL_EVERY_S:
                told_at = now
                queue = self.queue()
                self.narrator.say(f"… {queue.completed_total} jobs done, {queue.pending + queue.in_progress} to go.")
        return time.monotonic() - began
