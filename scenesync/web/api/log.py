"""The latest lines of the log."""

from typing import Annotated

from fastapi import APIRouter, Query

from scenesync.web.asking import Cursor, Limit, ServicesGiven, number_in
from scenesync.web.models.common import Page, SceneId
from scenesync.web.models.scenes import Level, LogEntry

router = APIRouter(tags=["log"])


@router.get("/log")
def entries(
    services: ServicesGiven,
    level: Annotated[Level | None, Query(description="Only lines of this level or above.")] = None,
    scene_id: Annotated[SceneId | None, Query(description="Only lines about this scene.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[LogEntry]:
    """List the latest lines, newest first. New ones come as ``log`` events."""
    before = number_in(cursor) or None
    return services.log.entries(level=level, scene_id=scene_id, before=before, limit=limit)
