"""The jobs that wait."""

from typing import Annotated

from fastapi import APIRouter, Query

from scenesync.web.asking import Cursor, Limit, ServicesGiven, number_in
from scenesync.web.models.common import Count, Page, SceneId, ShortText
from scenesync.web.models.work import ClearJobs, Job

router = APIRouter(prefix="/queue", tags=["queue"])


@router.get("")
def list_jobs(
    services: ServicesGiven,
    scene_id: Annotated[SceneId | None, Query()] = None,
    error: Annotated[ShortText | None, Query(description="Only jobs that wait after this error.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Job]:
    """List the jobs that wait, the oldest first; events that hooks left beside the queue come last."""
    return services.jobs.waiting(scene_id=scene_id, error=error, after=number_in(cursor), limit=limit)


@router.post("/clear")
def clear(services: ServicesGiven, which: ClearJobs) -> Count:
    """Drop jobs that wait: these changes will not reach Plex by themselves any more."""
    return Count(count=services.jobs.clear(which))
