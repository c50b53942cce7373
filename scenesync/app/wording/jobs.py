"""Jobs that wait, as people and scripts see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.domain.job import PRIORITY_BULK, PRIORITY_FANOUT, PRIORITY_PERSON, scene_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.queue.port import QueueView
    from scenesync.queue.records import PendingJob

PAGE_SIZE: Final = 500
LANES: Final = {PRIORITY_PERSON: "person", PRIORITY_BULK: "bulk", PRIORITY_FANOUT: "fan-out"}


def every_pending(waiting: QueueView, after: int = 0) -> Iterator[PendingJob]:
    """Yield the jobs that wait behind row ``after``, oldest first, then the events beside the queue.

    Raises QueueError.
    """
    while page := waiting.list_pending(PAGE_SIZE, after):
        yield from page
        after = page[-1].row_id
    yield from waiting.spooled()


def pending_of_scene(waiting: QueueView, scene_id: int) -> Iterator[PendingJob]:
    """Yield the jobs that wait for a scene. Raises QueueError."""
    job_key = scene_key(scene_id)
    yield from waiting.find(job_key).waiting
    yield from (event for event in waiting.spooled() if event.job["job_key"] == job_key)


def job_document(pending: PendingJob) -> dict[str, object]:
    """Return a job for ``--json``."""
    return {
        **pending.job,
        "pqid": pending.row_id or None,
        "lane": lane(pending),
        "due_at": pending.due_at,
        "deliveries": pending.deliveries,
    }


def lane(pending: PendingJob) -> str:
    """Return what kind of work a job is."""
    return LANES.get(pending.priority, str(pending.priority))
