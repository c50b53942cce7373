"""A performer, studio, tag or group changed: find the scenes that show it, page by page, and hand them on.

Stash is asked who shows it now, the traces who showed it before: of what was deleted or merged Stash knows nothing any
more (facts/stash.md 0.5). How far a fan-out is stands in its job, so a crash repeats one page at most.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.entities import change_of, continued, fan_out_job, found_up_to
from scenesync.domain.job import PRIORITY_FANOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scenesync.domain.entities import Entity, EntityChange
    from scenesync.domain.job import Job
    from scenesync.domain.showing import Showing
    from scenesync.queue.records import EnqueueResult

log = logging.getLogger(__name__)

PAGE_SIZE: Final = 500
"""Scenes of one step: a page of Stash, a transaction of the queue, and all that a fan-out ever holds in memory."""


class PresentScenes(Protocol):
    """Who shows an entity now: Stash."""

    def scene_ids_of_entity_after(
        self, entity: Entity, ids: Sequence[int], last_id: int, limit: int, *, depth: int = 0
    ) -> Sequence[int]:
        """Return the next scenes' ids above ``last_id`` in rising order; ``depth`` levels below count too."""
        ...

    def existing_scenes(self, ids: Iterable[int]) -> set[int]:
        """Return those of the scenes that there are."""
        ...


class Versions(Protocol):
    """Remembers up to which version of an entity its scenes were looked for (``intake.entity_poll``)."""

    def note(self, change: EntityChange) -> None:
        """Remember the present version."""
        ...


class EarlierScenes(Protocol):
    """Who showed an entity when SceneSync last looked."""

    def scenes_showing(self, entity: Entity, ids: Sequence[int], after: int, limit: int) -> Sequence[int]:
        """Return the next scenes' ids above ``after`` in rising order."""
        ...


class SceneReceiver(Protocol):
    """What becomes of the scenes that a change concerns."""

    def receive(self, change: EntityChange, scene_ids: Sequence[int]) -> None:
        """Take one page of a fan-out; the same page may come again after a crash."""
        ...

    def conclude(self, change: EntityChange) -> None:
        """Hear that all pages were handed on; this too may come again."""
        ...


class JobQueue(Protocol):
    """A queue that merges what waits already."""

    def put_job(self, job: Job, priority: int) -> EnqueueResult:
        """Enqueue one job durably."""
        ...


class FanOut:
    """Takes fan-out jobs one step further each; implements ``worker.fan_out_steps.FanOut``."""

    def __init__(
        self,
        present: PresentScenes,
        earlier: EarlierScenes,
        showing: Showing,
        receiver: SceneReceiver,
        versions: Versions | None = None,
    ) -> None:
        self._versions = versions
        self._present = present
        self._earlier = earlier
        self._showing = showing
        self._receiver = receiver

    def step(self, job: Job) -> Job | None:
        """Hand on the next page of scenes; return the job as it goes on from there, None if that was the last page.

        Raises PermanentError for a job that names no change, and what Stash, store and queue raise.
        """
        change = change_of(job)
        if not self._showing.shows(change.entity):
            log.info("change shows nowhere under the current settings entity=%s", change)
            return None
        if self._versions is not None and not found_up_to(job):
            self._versions.note(change)
        page = self._next_page(change, found_up_to(job))
        scene_ids = self._living(page)
        if scene_ids:
            self._receiver.receive(change, scene_ids)
        log.info(
            "scenes found that show a change entity=%s scenes=%d last_page=%s", change, len(scene_ids), page.is_last
        )
        if not page.is_last:
            return continued(job, page.scene_ids[-1])
        self._receiver.conclude(change)
        return None

    def _next_page(self, change: EntityChange, after: int) -> _Page:
        """Return the next scenes of both sources.

        Of two lists that may go on, all is known only up to where the first of them ends.
        """
        depth = self._showing.levels_below(change.entity)
        # Only what is left is asked for: what was merged into it is gone from Stash.
        present = self._present.scene_ids_of_entity_after(change.entity, [change.id], after, PAGE_SIZE, depth=depth)
        earlier = self._earlier.scenes_showing(change.entity, change.ids, after, PAGE_SIZE)
        lists = [[scene_id for scene_id in found if scene_id > after] for found in (present, earlier)]
        known_up_to = min((found[-1] for found in lists if len(found) >= PAGE_SIZE), default=None)
        scene_ids = sorted({each for found in lists for each in found if known_up_to is None or each <= known_up_to})
        return _Page(scene_ids, frozenset(present), is_last=known_up_to is None)

    def _living(self, page: _Page) -> Sequence[int]:
        """Return the scenes of a page without those that Stash does not have any more.

        They are not for a fan-out to part with: scenes that are gone are judged as such (``reconciliation.gone_run``).
        """
        unsure = [scene_id for scene_id in page.scene_ids if scene_id not in page.present]
        if not unsure:
            return page.scene_ids
        gone = set(unsure) - self._present.existing_scenes(unsure)
        return [scene_id for scene_id in page.scene_ids if scene_id not in gone]


@dataclass(frozen=True, slots=True)
class _Page:
    """Scenes in the order of their ids; those in ``present`` were named by Stash just now."""

    scene_ids: Sequence[int]
    present: frozenset[int]
    is_last: bool


def ask_for(queue: JobQueue, change: EntityChange) -> EnqueueResult:
    """Enqueue the fan-out of a change that no hook announced; one that waits already begins anew."""
    return queue.put_job(fan_out_job(change, time.time()), PRIORITY_FANOUT)
