"""Which of the scenes that Stash calls changed are news. Pure: values in, values out.

Stash's times have whole seconds, so a scene may change twice under one of them: that it was read with a time says for
sure that nothing is missing only if that second was over by then. The clocks may be wrong and differ: Stash's texts are
compared with each other, moments of our clock with each other, and both only by how far Stash says that it is ahead.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scenesync.stash.parse import to_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from scenesync.domain.showing import SceneTrace
    from scenesync.stash.parse import SceneHint

OVERLAP_S: Final = 120.0
"""Looked at again each time: Stash commits in another order than it stamps."""
TICK_S: Final = 2.0
"""A second that Stash has stamped is over so long after it was first seen."""
WELL_AFTER_S: Final = 5.0
"""A read so long after a stamp was not in its second, however roughly Stash's clock is known (to a second or two)."""
NEW_FOR: Final = timedelta(seconds=60)
"""A scene that changed last so shortly after it was made may get its cover in the same second, without a word."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A version of a scene that is not done with: Stash's text, when it was first seen (epoch s, our clock).

    ``is_new``: the scene was made a moment before.
    """

    updated_at: str
    first_at: float
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far Stash was looked through: the latest time seen, and the scenes around it that are done with theirs.

    ``fresh`` are the versions that were seen and may not be all of what happened in their second.
    """

    at: str
    seen: Mapping[int, str] = field(default_factory=dict)
    fresh: Mapping[int, Sighting] = field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        """Return the cursor that ``to_text`` wrote, in this version or an earlier one. Raises ValueError, KeyError."""
        document = json.loads(text)
        fresh = {int(scene_id): Sighting(*values) for scene_id, values in document.get("fresh", {}).items()}
        return cls(document["at"], {int(scene_id): at for scene_id, at in document["seen"].items()}, fresh)

    def to_text(self) -> str:
        """Return the cursor as text."""
        fresh = {
            str(scene_id): [sighting.updated_at, sighting.first_at, sighting.is_new]
            for scene_id, sighting in self.fresh.items()
        }
        return json.dumps(
            {"at": self.at, "seen": {str(scene_id): at for scene_id, at in self.seen.items()}, "fresh": fresh}
        )


@dataclass(frozen=True, slots=True)
class SortedOut:
    """What a look found: scenes that nobody has read as they are now, and those that were read, maybe too early.

    ``seen`` and ``fresh`` are as in ``Cursor``; what is doubtful is in neither.
    """

    news: tuple[SceneHint, ...]
    doubtful: Mapping[int, Sighting]
    seen: Mapping[int, str]
    fresh: Mapping[int, Sighting]


def sort_out(
    cursor: Cursor,
    hints: Iterable[SceneHint],
    trace_of: Callable[[int], SceneTrace | None],
    *,
    now: float,
    ahead_s: float | None = None,
) -> SortedOut:
    """Return what is to be done about the scenes that a look found; ``trace_of`` tells what the worker read of one.

    ``now`` is by our clock, of which Stash's is ``ahead_s`` (None: unknown).
    A version is news once, when it is first seen and was not read. Its job, or a hook's, then reads it later than this.
    """
    news: list[SceneHint] = []
    seen: dict[int, str] = {}
    open_ones = {**cursor.fresh}
    for hint in hints:
        if cursor.seen.get(hint.id) == hint.updated_at:
            seen[hint.id] = hint.updated_at
        elif hint.id not in open_ones or open_ones[hint.id].updated_at != hint.updated_at:
            open_ones[hint.id] = Sighting(hint.updated_at, now, _is_new(hint))
            trace = trace_of(hint.id)
            if trace is None or trace.updated_at != hint.updated_at:
                news.append(hint)
    doubtful: dict[int, Sighting] = {}
    fresh: dict[int, Sighting] = {}
    for scene_id, sighting in open_ones.items():
        if abs(now - sighting.first_at) < TICK_S:
            fresh[scene_id] = sighting
        elif _was_read_early(trace_of(scene_id), sighting, ahead_s):
            doubtful[scene_id] = sighting
        else:
            seen[scene_id] = sighting.updated_at
    return SortedOut(tuple(news), doubtful, seen, fresh)


def moved_on(
    cursor: Cursor, hints: Iterable[SceneHint], seen: Mapping[int, str], fresh: Mapping[int, Sighting]
) -> Cursor:
    """Return the cursor after a look that found these scenes; it never goes back."""
    times = {hint: time for hint in hints if (time := to_time(hint.updated_at)) is not None}
    before = to_time(cursor.at)
    at = cursor.at
    if times and (before is None or max(times.values()) >= before):
        at = max(times, key=lambda hint: times[hint]).updated_at
    end = to_time(at)
    if end is None:
        return Cursor(at, dict(seen), dict(fresh))
    around = end - timedelta(seconds=OVERLAP_S)
    kept = {scene_id: text for scene_id, text in seen.items() if _is_at_or_after(text, around)}
    return Cursor(at, kept, dict(fresh))


def _is_at_or_after(text: str, moment: datetime) -> bool:
    time = to_time(text)
    return time is None or time >= moment


def _was_read_early(trace: SceneTrace | None, sighting: Sighting, ahead_s: float | None) -> bool:
    """Say whether this version was read, and not surely after its second had ended."""
    if trace is None or trace.updated_at != sighting.updated_at:
        return False
    stamped = to_time(sighting.updated_at)
    if stamped is not None and ahead_s is not None and trace.read_at + ahead_s >= stamped.timestamp() + WELL_AFTER_S:
        return False
    return trace.read_at < sighting.first_at + TICK_S


def _is_new(hint: SceneHint) -> bool:
    made, changed = to_time(hint.created_at), to_time(hint.updated_at)
    return made is not None and changed is not None and abs(changed - made) <= NEW_FOR
