"""What was written to Plex, and taking it back."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from scenesync.web.asking import Cursor, Limit, ServicesGiven, number_in
from scenesync.web.models.common import Page, SceneId, ShortText
from scenesync.web.models.scenes import JournalEntry, Run
from scenesync.web.models.work import Task, UndoWhat
from scenesync.web.problems import documented

router = APIRouter(tags=["journal"])

Since = Annotated[ShortText | None, Query(description="An age (90s, 24h, 7d, 1w) or an ISO time.")]


@router.get("/journal")
def edits(
    services: ServicesGiven,
    scene_id: Annotated[list[SceneId] | None, Query(max_length=100)] = None,
    since: Since = None,
    run: Annotated[ShortText | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[JournalEntry]:
    """List the edits made in Plex, field by field, newest first."""
    before = number_in(cursor) or None
    return services.journal.edits(scene_ids=scene_id or (), since=since, run=run or "", before=before, limit=limit)


@router.get("/journal/runs")
def runs(services: ServicesGiven, since: Since = None, limit: Limit = 50) -> Sequence[Run]:
    """List the runs that made them, newest first."""
    return services.journal.runs(since=since, limit=limit)


@router.post("/undo", status_code=HTTPStatus.ACCEPTED, responses=documented(404, 409))
def undo(services: ServicesGiven, what: UndoWhat) -> Task:
    """Put back what Plex showed before these edits, as a task. An undone scene is held."""
    return services.tasks.undo(what)
