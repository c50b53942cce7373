"""Put many scenes into the queue: all of them, those changed lately, or some by id; in bounded memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.job import PRIORITY_BULK, PRIORITY_PERSON, scene_job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from scenesync.domain.job import Job
    from scenesync.queue.records import BulkResult
    from scenesync.stash.client import StashClient
    from scenesync.stash.parse import SceneHint

PAGE_SIZE: Final = 500


class BulkQueue(Protocol):
    """A queue that takes many jobs at once."""

    def put_many(self, jobs: Iterable[Job], priority: int = PRIORITY_BULK) -> BulkResult:
        """Enqueue in short transactions; jobs for a scene that waits already merge into the waiting one."""
        ...


def enqueue_all(stash: StashClient, queue: BulkQueue, *, look: bool = False) -> BulkResult:
    """Enqueue every scene that Stash has; ``look`` as in ``scene_job``.

    Raises what Stash's client raises; what was enqueued by then stays.
    """
    return queue.put_many(scene_jobs(all_scenes(stash), look=look), priority=PRIORITY_BULK)


def enqueue_since(stash: StashClient, queue: BulkQueue, since: datetime, *, look: bool = False) -> BulkResult:
    """Enqueue the scenes that Stash says were changed at or after ``since``; ``look`` as in ``scene_job``."""
    changed = stash.scenes_updated_since(since, overlap_s=0)
    return queue.put_many(scene_jobs(changed, look=look), priority=PRIORITY_BULK)


def enqueue_ids(queue: BulkQueue, scene_ids: Sequence[int]) -> BulkResult:
    """Enqueue scenes that a person asked for: they go before any bulk."""
    now = time.time()
    return queue.put_many((scene_job(scene_id, now) for scene_id in scene_ids), priority=PRIORITY_PERSON)


def all_scenes(stash: StashClient) -> Iterator[SceneHint]:
    """Yield every scene that Stash has, in the order of their ids, page by page."""
    last_id = 0
    while page := stash.scene_hints_after(last_id, PAGE_SIZE):
        yield from page
        last_id = page[-1].id


def scene_jobs(scenes: Iterable[SceneHint], *, look: bool = False) -> Iterator[Job]:
    """Yield a job for each scene; ``look`` as in ``scene_job``."""
    for scene in scenes:
        hint = {key: text for key, text in (("path", scene.path), ("title", scene.title)) if text}
        yield scene_job(scene.id, time.time(), data=hint, look=look)
