"""Find what changed in Stash although no hook said so: hooks can be off, killed with a browser tab, or never fired.

A cursor over ``updated_at`` in Stash's own words (facts/stash.md 0.6). It is kept only when what it has passed is
durable in the queue, so a crash repeats a look, which merges with what waits. Moved files and deletions do not show.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.job import PRIORITY_PERSON
from scenesync.intake.selection import enqueue_all, scene_jobs
from scenesync.stash.parse import to_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scenesync.intake.selection import BulkQueue
    from scenesync.queue.records import BulkResult
    from scenesync.stash.client import StashClient
    from scenesync.stash.parse import SceneHint

log = logging.getLogger(__name__)

FACT: Final = "stash poll"
OVERLAP_S: Final = 120.0
"""Looked at again each time: Stash commits in another order than it stamps."""
SETTLED_AFTER_S: Final = 10.0
"""Stash's times have whole seconds, so a scene may change twice under one of them. One stamped a moment ago is looked
at once more."""
URGENT_AT_MOST: Final = 20
"""So many at a time are what persons save; more are the work of a task, which must not overtake them."""
_BEGINNING: Final = "1970-01-01T00:00:00Z"


class ChangedScenes(Protocol):
    """Stash, as far as it tells of changes."""

    def scenes_updated_since(self, since: datetime | str, *, overlap_s: float = ...) -> Iterator[SceneHint]:
        """Walk the scenes changed since then, the last changed first."""
        ...


class Facts(Protocol):
    """Where the cursor is kept."""

    def recall(self, name: str) -> str | None:
        """Return a fact, None if it was never noted."""
        ...

    def note(self, name: str, value: str) -> None:
        """Remember a fact, in place of an earlier one."""
        ...


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far Stash was looked through: the latest time seen, and the scenes around it that are done with theirs."""

    at: str
    seen: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        """Return the cursor that ``to_text`` wrote. Raises ValueError, KeyError."""
        document = json.loads(text)
        return cls(document["at"], {int(scene_id): at for scene_id, at in document["seen"].items()})

    def to_text(self) -> str:
        """Return the cursor as text."""
        return json.dumps({"at": self.at, "seen": {str(scene_id): at for scene_id, at in self.seen.items()}})


class Poll:
    """Looks at Stash now and then. ``admit`` takes the many scenes of a task, to be judged before they are enqueued."""

    def __init__(
        self, stash: ChangedScenes, queue: BulkQueue, facts: Facts, admit: Callable[[Sequence[int]], None]
    ) -> None:
        self._stash = stash
        self._queue = queue
        self._facts = facts
        self._admit = admit

    def look(self) -> int:
        """Enqueue what changed since the last look; return how many scenes that were.

        The first look of all only notes where to begin. Raises what Stash, the queue, the store and ``admit`` raise.
        """
        known = self._facts.recall(FACT)
        if known is None:
            self._facts.note(FACT, latest_change(self._stash).to_text())
            return 0
        cursor = Cursor.from_text(known)
        hints = list(self._stash.scenes_updated_since(cursor.at, overlap_s=OVERLAP_S))
        changed = [hint for hint in hints if cursor.seen.get(hint.id) != hint.updated_at]
        if changed:
            self._enqueue(changed)
        moved = moved_on(cursor, hints, now=datetime.fromtimestamp(time.time(), UTC))
        if moved != cursor:
            self._facts.note(FACT, moved.to_text())
        return len(changed)

    def _enqueue(self, changed: Sequence[SceneHint]) -> None:
        log.info("found changes in Stash that are not done yet scenes=%d", len(changed))
        if len(changed) > URGENT_AT_MOST:
            self._admit([hint.id for hint in changed])
        else:
            self._queue.put_many(scene_jobs(changed), priority=PRIORITY_PERSON)


def latest_change(stash: ChangedScenes) -> Cursor:
    """Return the cursor that has passed all that changed until now. Raises what Stash's client raises."""
    latest = next(iter(stash.scenes_updated_since(_BEGINNING, overlap_s=0)), None)
    return Cursor(latest.updated_at if latest else _BEGINNING)


def enqueue_everything(stash: StashClient, queue: BulkQueue, facts: Facts) -> BulkResult:
    """Enqueue every scene that Stash has; polls go on from where this began to read. Raises like ``enqueue_all``."""
    begun = latest_change(stash)
    result = enqueue_all(stash, queue)
    facts.note(FACT, begun.to_text())
    return result


def moved_on(cursor: Cursor, hints: Iterable[SceneHint], *, now: datetime) -> Cursor:
    """Return the cursor after a look that found these scenes."""
    times = {hint: at for hint in hints if (at := to_time(hint.updated_at)) is not None}
    if not times:
        return cursor
    latest = max(times, key=lambda hint: times[hint])
    around = times[latest] - timedelta(seconds=OVERLAP_S)
    seen = {
        hint.id: hint.updated_at
        for hint, at in times.items()
        if at >= around and abs((now - at).total_seconds()) >= SETTLED_AFTER_S
    }
    before = to_time(cursor.at)
    return Cursor(latest.updated_at if before is None or times[latest] >= before else cursor.at, seen)
