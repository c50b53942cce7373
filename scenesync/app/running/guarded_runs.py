"""Scenes that nobody asked for by hand: gathered, judged as one run, and only then enqueued."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from scenesync.domain.blast_radius import FEW_GONE, why_too_many_gone
from scenesync.domain.lately import Lately
from scenesync.intake import walking
from scenesync.reconciliation import gone_run
from scenesync.reconciliation.automatic_run import GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from scenesync.domain.blast_radius import BlastLimits
    from scenesync.domain.entities import EntityChange
    from scenesync.reconciliation.automatic_run import Judge, Queue
    from scenesync.store.automatic_runs import AutomaticRunStore
    from scenesync.store.memory import Memory
    from scenesync.store.traces import TraceStore

POLL: Final = "changes found in Stash"
LATELY: Final = "scenes parted with lately"
COUNT_AGAIN_AFTER_S: Final = 2.0
"""So long it is believed which scenes Stash lacks: to ask takes a request for each thousand of its scenes."""
PARTED_REMEMBERED: Final = 10_000


class GuardedScenes:
    """What a fan-out found, until it is through. Implements ``intake.fan_out.SceneReceiver``.

    ``judge`` gives the judge for the Plex server of the moment.
    """

    def __init__(self, judge: Callable[[], Judge]) -> None:
        self._judge = judge

    def receive(self, change: EntityChange, scene_ids: Sequence[int]) -> None:
        """Keep a page of scenes. Raises StoreError."""
        self._judge().gather(change.key, _cause(change), scene_ids)

    def conclude(self, change: EntityChange) -> None:
        """Enqueue what was gathered, or stop it if that would change too much. Raises what ``Judge.conclude`` does."""
        self._judge().conclude(change.key, _cause(change))


class PolledScenes:
    """What a look at Stash found, before it is enqueued. Implements ``intake.polling.Admission``.

    ``judge`` is as in ``GuardedScenes``. What is ``gone`` is judged without Plex.
    """

    def __init__(self, runs: AutomaticRunStore, judge: Callable[[], Judge], gone: GoneScenes) -> None:
        self._runs = runs
        self._judge = judge
        self._gone = gone

    def changed(self, scene_ids: Sequence[int]) -> None:
        """Judge and enqueue many. Raises what ``Judge`` does; the scenes are then still gathered.

        Those that wait for a person already are left to that person, however often they are found.
        """
        waiting = self._runs.stopped_scenes(POLL, scene_ids)
        if waiting.issuperset(scene_ids):
            return
        judge = self._judge()
        judge.gather(POLL, POLL, scene_ids)
        judge.conclude(POLL, POLL)

    def gone(self, scene_ids: Sequence[int], *, is_all: bool) -> None:
        """Gather them, and if these are all let them be parted with, unless they are too many.

        Raises what the queue and the store raise.
        """
        gone_run.gather(self._runs, scene_ids)
        if is_all:
            self._gone.part_with_gathered()


class GoneScenes:
    """Scenes that Stash no longer has, counted together whoever tells of them, so that not too many go at once.

    A clean whose disk was not mounted deletes scene by scene, each with its hook; who deletes one cannot tell. So it is
    asked which of all known scenes Stash lacks. ``departing`` gives those of scenes of which a job tells that they are
    gone. Implements ``worker.departures.MassDeletions``; may be shared by threads.
    """

    def __init__(
        self,
        runs: AutomaticRunStore,
        queue: Queue,
        stash: walking.WalkedStash,
        traces: TraceStore,
        memory: Memory,
        departing: Callable[[Iterable[int]], set[int]],
        *,
        limits: BlastLimits,
        plans: Path,
    ) -> None:
        self._runs = runs
        self._queue = queue
        self._stash = stash
        self._traces = traces
        self._memory = memory
        self._departing = departing
        self._limits = limits
        self._plans = plans
        self._lock = threading.Lock()
        self._missing: set[int] = set()
        self._parted: OrderedDict[int, None] = OrderedDict()
        self._counted_at: float | None = None
        self._met_since = 0

    def part_with_gathered(self) -> bool:
        """Let what was gathered be parted with, or stop it; as ``gone_run.part_with``."""
        return gone_run.part_with(
            self._runs,
            self._queue,
            known=self._traces.count(),
            lately=self._lately().count(time.time()),
            limits=self._limits,
            plans=self._plans,
        )

    def is_stopped(self, scene_id: int) -> bool:
        """Say whether the scene is among those that wait for a person's word. Raises StoreError."""
        return bool(self._runs.stopped_scenes(GONE, [scene_id]))

    def stops(self, scene_id: int) -> bool:
        """Say whether a scene is gone with too many others; all of these then wait for a person.

        Raises what Stash's client, the queue and the store raise.
        """
        with self._lock:
            if self.is_stopped(scene_id):  # by another thread, a moment ago
                return True
            if not self._are_too_many(self._missing_with(scene_id)):
                return False
            missing = self._missing_with(scene_id, anew=True)  # some may have come back, or been decided about
            if not self._are_too_many(missing):
                return False
            gone_run.gather(self._runs, sorted(missing))
            return not self.part_with_gathered()

    def parted_with(self, scene_id: int) -> None:
        """Take note that a scene has been parted with; a second try counts no more. Raises StoreError."""
        with self._lock:
            self._missing.discard(scene_id)
            if scene_id not in self._parted:
                self._memory.note(LATELY, self._lately().with_one(time.time()).to_text())
                self._parted[scene_id] = None
            while len(self._parted) > PARTED_REMEMBERED:
                self._parted.popitem(last=False)

    def _are_too_many(self, missing: Collection[int]) -> bool:
        known, lately = self._traces.count(), self._lately().count(time.time())
        return bool(why_too_many_gone(len(missing), known, self._limits, lately=lately))

    def _missing_with(self, scene_id: int, *, anew: bool = False) -> set[int]:
        """Return the scenes that Stash lacks, this one included, without those that somebody decided about."""
        now = time.monotonic()
        is_fresh = self._counted_at is not None and now - self._counted_at < COUNT_AGAIN_AFTER_S
        is_known = scene_id in self._missing or (is_fresh and self._met_since < FEW_GONE)
        if anew or not is_known:
            missing = set(walking.all_missing(self._stash, self._traces))
            told = missing.intersection(walking.Place.from_text(self._memory.recall(walking.FACT)).told)
            self._missing = missing - (told - self._departing(told))
            self._counted_at, self._met_since = time.monotonic(), 0
        self._missing.add(scene_id)
        self._met_since += 1
        return self._missing

    def _lately(self) -> Lately:
        return Lately.from_text(self._memory.recall(LATELY))


def _cause(change: EntityChange) -> str:
    return f"change of {change}"
