"""Look through both libraries for what Plex does not show as it should, and see to it that it will.

Items come from listings and stay in memory as glimpses; scenes come page by page. After each step the jobs of what was
found are durable and the place is noted, so that what a killed process was in the middle of is gone on with there.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.batches import batched
from scenesync.domain.gaps import GapKind
from scenesync.domain.glimpse import Glimpses
from scenesync.domain.job import scene_job
from scenesync.reconciliation.ahead import ahead
from scenesync.reconciliation.comparison import Comparison
from scenesync.reconciliation.findings import Findings, Looked
from scenesync.worker.backoff import calculate_delay

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from scenesync.domain.fields import Field
    from scenesync.domain.item import Library
    from scenesync.domain.job import Job
    from scenesync.domain.scene import Scene
    from scenesync.domain.shown_item import ShownItem
    from scenesync.reconciliation.comparison import Comparing, FullReads, Written
    from scenesync.reconciliation.taking import Taker
    from scenesync.store.reconciliations import Reconciliation

log = logging.getLogger(__name__)

SCENES_PER_PAGE: Final = 1000
SCENES_PER_STEP: Final = 5000
IDS_PER_READ: Final = 100
MOST_BY_ID: Final = 5000
"""More than so many are looked at together with all others, page by page."""
ITEMS_AHEAD: Final = 1000
RESUMED_WITHIN_S: Final = 24 * 3600.0
"""What was begun longer ago is begun anew: too much may have changed in what it has passed."""
MISSING_WAITS_S: Final = (60.0, 540.0)
"""A scene that Plex lacks is not looked for at once, since that was done just now; and not all at the same time."""


class Scope(StrEnum):
    """Which scenes are looked at: all, or those that Stash changed within this time or whose items changed in Plex."""

    DAY = "24h"
    WEEK = "7d"
    ALL = "all"

    @property
    def reaches_back(self) -> timedelta | None:
        """How far, None for all."""
        return {Scope.DAY: timedelta(days=1), Scope.WEEK: timedelta(days=7)}.get(self)


class Scenes(Protocol):
    """Stash."""

    def scenes_after(self, last_id: int, limit: int) -> Sequence[Scene]:
        """Return the next scenes in the order of their ids."""
        ...

    def scenes(self, ids: Sequence[int]) -> Mapping[int, Scene]:
        """Return those that exist."""
        ...

    def scene_count(self) -> int:
        """Return how many scenes there are."""
        ...


class Index(Protocol):
    """The path index."""

    def refresh(self) -> None:
        """Bring it up to date."""
        ...

    def read_showing(self, walk: Callable[[Library], Iterator[ShownItem]], look: Callable[[ShownItem], object]) -> None:
        """Read every library anew, showing each item to ``look``."""
        ...


class Runs(Protocol):
    """Where it is kept how far a comparison has come (``store.reconciliations``)."""

    def begin(self, new: Reconciliation) -> Reconciliation:
        """Note that one begins; return it with its number."""
        ...

    def unfinished(self, scope: str, cause: str, *, since: float) -> Reconciliation | None:
        """Return one that was begun since then and never ended."""
        ...

    def advance(self, run: int, last_scene_id: int, found: Mapping[str, object]) -> None:
        """Note how far it has come."""
        ...

    def end(self, run: int, found: Mapping[str, object], *, at: float) -> None:
        """Note its end."""
        ...


class Read(Protocol):
    """What the worker has read of scenes (``store.traces``)."""

    def versions_between(self, after: int, through: int) -> Mapping[int, str]:
        """Return which version of each scene of a range of ids was read."""
        ...


class Watch(Protocol):
    """Is told how it goes on."""

    def show(self, done: int, left: int) -> None:
        """So many scenes are compared, and so many left."""
        ...


@dataclass(frozen=True, slots=True)
class Sides:
    """Both libraries and what SceneSync knows of them."""

    scenes: Scenes
    scenes_changed: Callable[[datetime], Iterator[int]]
    scenes_moved_on: Callable[[], Sequence[int]]
    """Those whose items Plex says to have changed since they were seen to be right (``store.proofs``)."""
    syncing: Comparing
    written: Written
    read: Read
    server: FullReads
    index: Index
    walk: Callable[[Library], Iterator[ShownItem]]
    looking_up: Callable[[], AbstractContextManager[None]]
    watched: frozenset[Field]
    plainly: bool


@dataclass(frozen=True, slots=True)
class Polls:
    """Where polls of Stash go on: ``begin`` says where Stash is now, ``keep`` lets them go on from there."""

    begin: Callable[[], str]
    keep: Callable[[str], None]


class Interrupted(Exception):
    """It was told to stop; what it has done is noted, and the next one goes on there."""


class Reconciler:
    """Compares and sees to what it finds. With ``runs`` None nothing is noted, and ``taker`` should take nothing.

    ``on_looked`` hears what became of scenes, step by step.
    """

    def __init__(
        self,
        sides: Sides,
        taker: Taker,
        runs: Runs | None,
        polls: Polls,
        given_up: Collection[int],
        *,
        on_looked: Callable[[Sequence[Looked]], None] | None = None,
    ) -> None:
        self._on_looked = on_looked
        self._sides = sides
        self._taker = taker
        self._runs = runs
        self._polls = polls
        self._given_up = given_up

    def run(self, wanted: Reconciliation, stop: threading.Event, watch: Watch) -> Findings:
        """Compare, go on where an earlier one of this scope and cause was killed; return what was found.

        Raises Interrupted, and what Stash, Plex, the queue and the stores raise.
        """
        run = self._begun(wanted)
        scenes = self._scenes_in(Scope(run.scope), run)
        glimpses = None if scenes is not None else self._look_at_all_of_plex(stop)
        sides = self._sides
        comparison = Comparison(
            sides.syncing, sides.written, sides.server, glimpses, watched=sides.watched, plainly=sides.plainly
        )
        found = Findings.from_document(run.found)
        before = found.items_read
        left, pages = self._pages(scenes, run.last_scene_id)
        for step in _steps(pages):
            if stop.is_set():
                raise Interrupted
            self._step(step, comparison, found)
            found.items_read = before + comparison.items_read
            if self._runs is not None:
                self._runs.advance(run.id, step[-1].id, found.as_document())
            left = max(0, left - len(step))
            watch.show(found.scenes, left)
        return self._ended(run, found)

    def _begun(self, wanted: Reconciliation) -> Reconciliation:
        if self._runs is None:
            return wanted
        known = self._runs.unfinished(wanted.scope, wanted.cause, since=wanted.began_at - RESUMED_WITHIN_S)
        if known is not None:
            log.info("reconciliation goes on scope=%s scenes_done_up_to=%d", known.scope, known.last_scene_id)
            return known
        begins_at = self._polls.begin() if wanted.scope == Scope.ALL else ""
        begun = self._runs.begin(replace(wanted, poll_cursor=begins_at))
        log.info("reconciliation begins scope=%s cause=%s", begun.scope, begun.cause)
        return begun

    def _scenes_in(self, scope: Scope, run: Reconciliation) -> Sequence[int] | None:
        """Return the scenes to be looked at, None for all: also where so many are that all cost fewer requests."""
        age = scope.reaches_back
        if age is None:
            return None
        self._sides.index.refresh()
        since = datetime.fromtimestamp(run.began_at, UTC) - age
        found = sorted({*self._sides.scenes_changed(since), *self._sides.scenes_moved_on()})
        return None if len(found) > MOST_BY_ID else found

    def _look_at_all_of_plex(self, stop: threading.Event) -> Glimpses:
        glimpses = Glimpses()

        def look(shown: ShownItem) -> None:
            if stop.is_set():
                raise Interrupted
            glimpses.add(shown)

        def walk(library: Library) -> Iterator[ShownItem]:
            return chain.from_iterable(ahead(batched(self._sides.walk(library), ITEMS_AHEAD)))

        self._sides.index.read_showing(walk, look)
        return glimpses

    def _pages(self, scenes: Sequence[int] | None, last_id: int) -> tuple[int, Iterator[Sequence[Scene]]]:
        """Return how many scenes are left, and those scenes in pages, in the order of their ids."""
        source = self._sides.scenes
        if scenes is None:
            return source.scene_count(), _all_after(source, last_id)
        ids = [scene_id for scene_id in scenes if scene_id > last_id]
        return len(ids), (_present(source, batch) for batch in batched(ids, IDS_PER_READ))

    def _step(self, scenes: Sequence[Scene], comparison: Comparison, found: Findings) -> None:
        read = self._sides.read.versions_between(scenes[0].id - 1, scenes[-1].id)
        jobs: list[Job] = []
        missing: list[Job] = []
        with self._sides.looking_up():
            all_looked = list(comparison.compare(scenes, read))
        for looked in all_looked:
            found.count(looked)
            if looked.gap is not None and looked.gap.kind is GapKind.MISSING:
                if looked.scene_id not in self._given_up:
                    missing.append(_waiting_job(looked))
            elif looked.gap is not None or looked.looks:
                jobs.append(_job(looked))
        if self._on_looked is not None:
            self._on_looked(all_looked)
        self._taker.take(jobs)
        self._taker.wait_for_plex(missing)
        if self._runs is not None:
            found.enqueued += len(jobs) + len(missing)

    def _ended(self, run: Reconciliation, found: Findings) -> Findings:
        found.stopped = not self._taker.conclude()
        if self._runs is not None:
            if run.poll_cursor:
                self._polls.keep(run.poll_cursor)
            self._runs.end(run.id, found.as_document(), at=time.time())
            gaps = ",".join(f"{kind.value}={found.gaps[kind]}" for kind in GapKind)
            log.info("reconciliation ended scope=%s scenes=%d gaps: %s", run.scope, found.scenes, gaps)
        return found


def _all_after(source: Scenes, last_id: int) -> Iterator[Sequence[Scene]]:
    while page := source.scenes_after(last_id, SCENES_PER_PAGE):
        yield page
        last_id = page[-1].id


def _present(source: Scenes, ids: Sequence[int]) -> Sequence[Scene]:
    found = source.scenes(ids)
    return [found[scene_id] for scene_id in ids if scene_id in found]


def _steps(pages: Iterable[Sequence[Scene]]) -> Iterator[Sequence[Scene]]:
    return batched(chain.from_iterable(ahead(pages)), SCENES_PER_STEP)


def _job(looked: Looked) -> Job:
    hint = {key: text for key, text in (("path", looked.path), ("title", looked.title)) if text}
    return scene_job(looked.scene_id, time.time(), data=hint, look=True)


def _waiting_job(looked: Looked) -> Job:
    """Return a job that is due later, or as soon as the path index hears of its file."""
    least_s, spread_s = MISSING_WAITS_S
    due_at = time.time() + least_s + calculate_delay(0, spread_s, spread_s, jitter_seed=looked.scene_id)
    return {**_job(looked), "retry_count": 1, "next_retry_at": due_at, "last_error_type": "PlexNotFound"}
