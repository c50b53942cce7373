"""Find what changed in Stash although no hook said so: hooks can be off, killed with a browser tab, or never fired.

A cursor over ``updated_at`` in Stash's own words (facts/stash.md 0.6) finds what was edited (``intake.changes``), a
walk over the ids what is gone or moved (``intake.walking``). Both are kept only when what they have passed is durable
in the queue, so a crash repeats a look, which merges with what waits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.holds import fingerprint
from scenesync.domain.job import PRIORITY_PERSON
from scenesync.intake import walking
from scenesync.intake.changes import OVERLAP_S, Cursor, moved_on, sort_out
from scenesync.intake.selection import enqueue_all, scene_jobs
from scenesync.stash.client import ANY_ZONE_SLACK_S, BATCH, DST_SLACK_S
from scenesync.stash.parse import SceneHint, to_time

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from scenesync.domain.scene import Scene
    from scenesync.domain.showing import SceneTrace
    from scenesync.intake.changes import Sighting
    from scenesync.intake.selection import BulkQueue
    from scenesync.queue.records import BulkResult
    from scenesync.stash.client import StashClient

log = logging.getLogger(__name__)

FACT: Final = "stash poll"
URGENT_AT_MOST: Final = 20
"""So many at a time are what persons save; more are the work of a task, which must not overtake them."""
MANY: Final = 500
"""A page: while bulk work waits, no more is read than it takes to know that there is some."""
_BEGINNING: Final = "1970-01-01T00:00:00Z"


class ChangedScenes(Protocol):
    """Stash, as far as it tells of changes."""

    def scenes_updated_since(
        self, since: datetime | str, *, overlap_s: float = ..., zone_slack_s: float = ...
    ) -> Iterator[SceneHint]:
        """Walk the scenes changed since then, the last changed first."""
        ...

    def scenes_with_files_changed_since(self, since: datetime, zone_of: str) -> Sequence[SceneHint]:
        """Return the scenes, with their files, of which a file changed; ``zone_of`` is a time as Stash writes it."""
        ...

    @property
    def server_time(self) -> datetime | None:
        """Stash's own clock when it answered last."""
        ...

    def scenes(self, ids: Sequence[int]) -> Mapping[int, Scene]:
        """Return those of the scenes that exist."""
        ...


class PolledStash(ChangedScenes, walking.WalkedStash, Protocol):
    """Stash, as far as it is looked at here."""


class ReadScenes(walking.KnownScenes, Protocol):
    """What the worker has read of scenes (``store.traces``)."""

    def read(self, scene_id: int) -> SceneTrace | None:
        """Return what was read of a scene, None if nothing is remembered."""
        ...


class Admission(Protocol):
    """Judges what is too much to be a person's, and then enqueues it (``app.guarded_runs``)."""

    def changed(self, scene_ids: Sequence[int]) -> None:
        """Take many scenes that changed at once."""
        ...

    def gone(self, scene_ids: Sequence[int], *, is_all: bool) -> None:
        """Take scenes that are gone, few or many (none: those that were taken before); more may come unless all are."""
        ...


WaitingScenes = Callable[[Iterable[int]], set[int]]
"""Returns those of the scenes for which a job waits in the queue, due or not; or only a job of some kind."""


class Facts(Protocol):
    """Where the cursor is kept."""

    def recall(self, name: str) -> str | None:
        """Return a fact, None if it was never noted."""
        ...

    def note(self, name: str, value: str) -> None:
        """Remember a fact, in place of an earlier one."""
        ...


class Poll:
    """Looks at Stash now and then; not for several threads at once.

    ``departing`` are those of the waiting scenes of which a hook told that they are gone.
    """

    def __init__(
        self,
        stash: PolledStash,
        queue: BulkQueue,
        waiting: WaitingScenes,
        departing: WaitingScenes,
        facts: Facts,
        read: ReadScenes,
        admission: Admission,
    ) -> None:
        self._stash = stash
        self._queue = queue
        self._waiting = waiting
        self._departing = departing
        self._facts = facts
        self._read = read
        self._admission = admission
        self._held: frozenset[tuple[int, str]] = frozenset()

    def has_begun(self) -> bool:
        """Say whether it is known where to begin. Raises StoreError."""
        return bool(self._facts.recall(FACT))

    def look(
        self,
        *,
        thoroughly: bool = False,
        holds_bulk: bool = False,
        is_busy: bool = False,
        tells_tasks: bool = True,
    ) -> int:
        """Enqueue what changed, moved or vanished since the last look; return how many scenes that were.

        ``thoroughly`` goes down to what any change of Stash's time zone could have hidden: it orders its times as
        texts, and after it was moved to another zone what changes stands below what changed hours ago. With
        ``holds_bulk`` many changes are left to a later look; while Stash ``is_busy`` scenes that are gone are gathered,
        and judged when it is through, since a task of its own may be taking away more; where Stash ``tells_tasks`` to
        nobody, they are gathered until a look finds no more.
        The first look of all only notes where to begin. Raises what Stash, the queue, the store and the admission
        raise; the next look then finds the same again.
        """
        known = self._facts.recall(FACT)
        if not known:
            self._facts.note(FACT, latest_change(self._stash).to_text())
            return 0
        cursor = Cursor.from_text(known)
        changed = self._look_for_changes(cursor, ANY_ZONE_SLACK_S if thoroughly else DST_SLACK_S, holds_bulk=holds_bulk)
        if changed is None:
            return 0
        done = {hint.id for hint in changed}
        return len(changed) + self._walk_on(done, zone_of=cursor.at, is_busy=is_busy, tells_tasks=tells_tasks)

    def _look_for_changes(self, cursor: Cursor, zone_slack_s: float, *, holds_bulk: bool) -> Sequence[SceneHint] | None:
        """Enqueue and return what was edited, None if that is for a later look, or if all has to be looked at."""
        found_now = self._stash.scenes_updated_since(cursor.at, overlap_s=OVERLAP_S, zone_slack_s=zone_slack_s)
        hints = list(islice(found_now, MANY) if holds_bulk else found_now)
        is_all = not holds_bulk or len(hints) < MANY
        if is_all and self._went_back(cursor, {hint.id for hint in hints}):
            log.warning("Stash went back to an earlier state: both libraries are compared as a whole")
            self._facts.note(FACT, "")  # where nobody knows where to begin, everything is looked at
            return None
        now, clock = time.time(), self._stash.server_time
        ahead_s = None if clock is None else clock.timestamp() - now
        found = sort_out(cursor, hints, self._read.read, now=now, ahead_s=ahead_s)
        doubtful = dict(list(found.doubtful.items())[:BATCH])  # the others stay fresh until the next look
        changed = self._unannounced([*found.news, *self._read_too_early(doubtful)])
        if holds_bulk and self._are_for_later(changed, is_all=is_all):
            return None
        self._enqueue(changed)
        seen = {**found.seen, **{scene_id: sighting.updated_at for scene_id, sighting in doubtful.items()}}
        waiting = {scene_id: each for scene_id, each in found.doubtful.items() if scene_id not in doubtful}
        moved = moved_on(cursor, hints, seen, {**found.fresh, **waiting})
        if moved != cursor:
            self._facts.note(FACT, moved.to_text())
        return changed

    def _went_back(self, cursor: Cursor, found: Collection[int]) -> bool:
        """Say whether a scene that was seen with a late time has an earlier one by now: a backup was put back."""
        absent = [scene_id for scene_id in cursor.seen if scene_id not in found]
        if not absent:
            return False
        for scene_id, scene in self._stash.scenes(absent[:BATCH]).items():
            now, before = to_time(scene.updated_at), to_time(cursor.seen[scene_id])
            if now is not None and before is not None and now < before:
                return True
        return False

    def _are_for_later(self, changed: Sequence[SceneHint], *, is_all: bool) -> bool:
        """Say whether changes wait for the end of Stash's task: many do, and few until a second look finds no more.

        Between two looks a task may touch as few as a person does.
        """
        versions = frozenset((hint.id, hint.updated_at) for hint in changed)
        before, self._held = self._held, versions
        return not is_all or len(changed) > URGENT_AT_MOST or not versions <= before

    def _walk_on(self, done: Collection[int], *, zone_of: str, is_busy: bool, tells_tasks: bool) -> int:
        """Enqueue what the walk finds beside what this look is ``done`` with."""
        place = walking.Place.from_text(self._facts.recall(walking.FACT))
        found = walking.step(place, self._stash, self._read)
        clock, before = self._stash.server_time, to_time(place.clock)
        moved = self._moved_lately(before or clock, zone_of) if clock is not None else ()
        hints = {hint.id: hint for hint in (*found.changed, *moved) if hint.id not in done}
        changed = self._unannounced(hints.values())
        self._enqueue(changed)
        # Of what a hook told the worker asks by itself; a job that waits for another reason is no word of a deletion.
        gone = sorted(set(found.gone) - self._departing(found.gone))
        if gone:
            log.info("scenes are gone from Stash without a word scenes=%d", len(gone))
        is_all = not is_busy and (tells_tasks or not gone)
        if gone or is_all:
            self._admission.gone(gone, is_all=is_all)
        after = walking.with_told(found.place, found.gone)
        after = replace(after, clock=clock.isoformat() if clock is not None else "")
        if after != place:
            self._facts.note(walking.FACT, after.to_text())
        return len(changed) + len(gone)

    def _moved_lately(self, since: datetime, zone_of: str) -> Iterator[SceneHint]:
        """Yield the scenes whose files a scan found elsewhere or changed, where Stash has a filter for that."""
        for hint in self._stash.scenes_with_files_changed_since(since - timedelta(seconds=OVERLAP_S), zone_of):
            trace = self._read.read(hint.id)
            if trace is not None and trace.files != hint.files:
                yield hint

    def _read_too_early(self, doubtful: Mapping[int, Sighting]) -> Iterator[SceneHint]:
        """Yield those that are not now as they were read, or may have got a cover since, which no text tells."""
        if not doubtful:
            return
        for scene_id, scene in self._stash.scenes(list(doubtful)).items():
            trace = self._read.read(scene_id)
            if doubtful[scene_id].is_new or trace is None or trace.fingerprint != fingerprint(scene):
                yield SceneHint(scene_id, scene.title, scene.files[0].path if scene.files else "", scene.updated_at)

    def _unannounced(self, hints: Collection[SceneHint]) -> list[SceneHint]:
        """Return those for which no job waits: one that does will read them, and may know more of them than we do."""
        waiting = self._waiting([hint.id for hint in hints]) if hints else set()
        return [hint for hint in hints if hint.id not in waiting]

    def _enqueue(self, changed: Sequence[SceneHint]) -> None:
        if not changed:
            return
        log.info("found changes in Stash that are not done yet scenes=%d", len(changed))
        if len(changed) > URGENT_AT_MOST:
            self._admission.changed([hint.id for hint in changed])
        else:
            self._queue.put_many(scene_jobs(changed), priority=PRIORITY_PERSON)


def latest_change(stash: ChangedScenes) -> Cursor:
    """Return the cursor that has passed all that changed until now. Raises what Stash's client raises."""
    latest = next(iter(stash.scenes_updated_since(_BEGINNING, overlap_s=0)), None)
    return Cursor(latest.updated_at if latest else _BEGINNING)


def enqueue_everything(stash: StashClient, queue: BulkQueue, facts: Facts, *, look: bool = False) -> BulkResult:
    """Enqueue every scene that Stash has; polls go on from where this began to read. As ``enqueue_all`` otherwise."""
    begun = latest_change(stash)
    result = enqueue_all(stash, queue, look=look)
    facts.note(FACT, begun.to_text())
    return result
