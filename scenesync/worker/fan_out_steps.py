"""The doors through which the loop works on fan-outs and lets be remembered what scenes show."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scenesync.domain.job import Job
    from scenesync.domain.scene import Scene
    from scenesync.domain.showing import SceneTrace, Showing


class FanOut(Protocol):
    """Finds the scenes that show what changed."""

    def step(self, job: Job) -> Job | None:
        """Go one page further; return the job as it is to go on, None at its end."""
        ...


class Traces(Protocol):
    """Where it is kept what scenes showed."""

    def keep(self, traces: Sequence[SceneTrace]) -> int:
        """Remember the traces; return how many were news."""
        ...


class SceneMemory:
    """Remembers of each scene that is about to be synced what it shows, for when Stash cannot say it any more.

    It is also what a look at Stash is compared with: what was read here needs no second job.
    """

    def __init__(self, traces: Traces, showing: Showing) -> None:
        self._traces = traces
        self._showing = showing

    def note(self, scenes: Iterable[Scene]) -> None:
        """Remember these scenes, together. Raises StoreError."""
        now = time.time()
        self._traces.keep(self._showing.traces(scenes, read_at=now))
