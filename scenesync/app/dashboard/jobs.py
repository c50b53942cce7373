"""Implements ``web.ports.Jobs``: the queue."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from scenesync.app.opening import look_into_queue
from scenesync.app.wording.jobs import every_pending, lane, pending_of_scene
from scenesync.domain.job import retry_count, scene_key
from scenesync.web.models import work
from scenesync.web.models.common import Page

if TYPE_CHECKING:
    from scenesync.app.dashboard.desk import Desk
    from scenesync.queue.port import QueueView
    from scenesync.queue.records import PendingJob

LOOKED_AT: Final = 5_000
"""A page that hardly any job is for is returned with fewer, lest one request read the whole queue."""


class QueuedJobs:
    """The jobs that wait."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def waiting(self, *, scene_id: int | None, error: str | None, after: int, limit: int) -> Page[work.Job]:
        """Return jobs that wait, oldest first, those behind row ``after``."""
        settings = self._desk.loaded.settings
        return look_into_queue(settings, lambda queue: _page(queue, scene_id, error, after, limit), checked=False)

    def clear(self, which: work.ClearJobs) -> int:
        """Drop jobs that wait; return how many."""
        job_key = None if which.scene_id is None else scene_key(which.scene_id)
        return self._desk.installation.queue.drop_pending(job_key=job_key, older_than=which.older_than)


def _page(queue: QueueView, scene_id: int | None, error: str | None, after: int, limit: int) -> Page[work.Job]:
    jobs = every_pending(queue, after) if scene_id is None else pending_of_scene(queue, scene_id)
    found: list[PendingJob] = []
    last_row, looked_at = 0, 0
    for pending in islice(jobs, LOOKED_AT):
        looked_at += 1
        last_row = pending.row_id or last_row
        if error in {None, pending.job.get("last_error_type")}:
            found.append(pending)
            if len(found) >= limit:
                break
    # What hooks left beside the queue has no number to go on behind: it is on the last page, however long that is.
    is_more = scene_id is None and (len(found) >= limit or looked_at >= LOOKED_AT) and last_row > after
    if is_more and found and not found[-1].row_id:
        is_more = False
    return Page(items=[_document(pending) for pending in found], next_cursor=str(last_row) if is_more else None)


def _document(pending: PendingJob) -> work.Job:
    job = pending.job
    scene_id, error, at = job.get("scene_id"), job.get("last_error_type"), job.get("enqueued_at")
    return work.Job(
        pqid=pending.row_id or None,
        scene_id=scene_id if isinstance(scene_id, int) else None,
        job_key=str(job["job_key"]) if job.get("job_key") else None,
        update_type=str(job.get("update_type", "metadata")),
        data=data if isinstance(data := job.get("data"), dict) else {},
        enqueued_at=at if isinstance(at, int | float) else None,
        lane=lane(pending),
        due_at=pending.due_at,
        deliveries=pending.deliveries,
        retry_count=retry_count(job),
        last_error_type=str(error) if error else None,
    )
