"""Automatic runs that were stopped before they changed too much."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path

from scenesync.web.asking import Cursor, Limit, ServicesGiven, number_in
from scenesync.web.models.common import LARGEST_ID, Count, Page
from scenesync.web.models.state import StoppedRun
from scenesync.web.models.work import PlannedScene
from scenesync.web.problems import documented

router = APIRouter(prefix="/stopped", tags=["stopped runs"])

RunInPath = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("")
def list_runs(services: ServicesGiven) -> Sequence[StoppedRun]:
    """List the runs that wait for a decision."""
    return services.stopped_runs.all()


@router.get("/{run}/scenes", responses=documented(404))
def scenes(services: ServicesGiven, run: RunInPath, cursor: Cursor = None, limit: Limit = 100) -> Page[PlannedScene]:
    """Show what a stopped run would change, as of when it was stopped."""
    return services.stopped_runs.scenes(run, after=number_in(cursor), limit=limit)


@router.post("/{run}/continue", responses=documented(404))
def go_on(services: ServicesGiven, run: RunInPath) -> Count:
    """Let it go on: its scenes are enqueued, and what then differs is written."""
    return Count(count=services.stopped_runs.go_on(run))


@router.post("/{run}/drop", responses=documented(404, 409))
def drop(services: ServicesGiven, run: RunInPath) -> Count:
    """Forget it: its changes do not reach Plex until their scenes are synced again."""
    services.stopped_runs.drop(run)
    return Count(count=1)
