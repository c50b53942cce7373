"""What happens now, for whoever listens. Telling costs the worker one append, however many listen or how slowly."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KEPT: Final = 500
"""So many events are there to be read; who is slower than that misses some, and is told how many."""


@dataclass(slots=True)
class Event:
    """One thing that happened, numbered in the order of happening; ``at`` in epoch seconds.

    ``scene_id`` is the scene that it is about, None for none that is known.
    """

    number: int
    kind: str
    at: float
    describe: Callable[[], Mapping[str, object]] = field(repr=False)
    scene_id: int | None = None
    _text: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """What happened, as JSON: written for the first reader, kept for the others."""
        if not self._text:
            self._text = json.dumps({"at": self.at, **self.describe()}, ensure_ascii=False)
        return self._text


class EventRing:
    """The latest events. Who tells never waits; who listens comes and reads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._events: deque[Event] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self._number = 0

    def publish(self, kind: str, describe: Callable[[], Mapping[str, object]], *, scene_id: int | None = None) -> None:
        """Tell of something, from any thread; ``describe`` is called only if somebody reads it, and by whom."""
        at = time.time()
        with self._lock:
            self._number += 1
            self._events.append(Event(self._number, kind, at, describe, scene_id))

    @property
    def latest(self) -> int:
        """The number of the latest event, 0 if there was none."""
        return self._number

    def since(
        self, number: int, kinds: frozenset[str], scene_id: int | None = None
    ) -> tuple[Sequence[Event], int, int]:
        """Return the events after ``number`` of these kinds, up to which number was read, and how many were missed.

        With ``scene_id`` those that are about another scene are left out.
        """
        with self._lock:
            events = list(self._events) if self._number > number else []
            latest = self._number
        if not events:
            return (), latest, 0
        missed = max(0, events[0].number - number - 1) if number else 0
        wanted = [
            event
            for event in events
            if event.number > number
            and event.kind in kinds
            and (scene_id is None or event.scene_id is None or event.scene_id == scene_id)
        ]
        return wanted, latest, missed
