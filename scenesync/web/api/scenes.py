"""Scenes: where they stand and why, pins, holds, coverage."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query

from scenesync.web.asking import Cursor, Limit, ServicesGiven, asking_servers, number_in
from scenesync.web.models.common import LARGEST_ID, Count, Page, ShortText
from scenesync.web.models.scenes import Coverage, Hold, Pinned, PinTo, Scene, SceneCounts, SceneStateName, SceneSummary
from scenesync.web.models.work import SceneIds
from scenesync.web.problems import NotFound, documented

router = APIRouter(tags=["scenes"])

SceneInPath = Annotated[int, Path(ge=1, le=LARGEST_ID, description="The id of a scene in Stash.")]


@router.get("/scenes")
def list_scenes(
    services: ServicesGiven,
    state: Annotated[SceneStateName | None, Query()] = None,
    search: Annotated[ShortText | None, Query(description="Part of the title or of the path.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[SceneSummary]:
    """List the scenes that are known, in the order of their ids, each with what was last found out about it.

    Those that were never looked at are not known yet; a reconciliation of all, or a plan, looks at every one.
    """
    return services.scenes.page(state=state, search=search or "", after=number_in(cursor), limit=limit)


@router.get("/scenes/counts")
def counts(services: ServicesGiven) -> SceneCounts:
    """Count the known scenes by their state."""
    return services.scenes.counts()


@router.get("/scenes/{scene_id}", responses=documented(404))
def explain(services: ServicesGiven, scene_id: SceneInPath) -> Scene:
    """Say why a scene is or is not in sync: asks Stash and Plex now, and writes nothing."""
    with asking_servers():
        return services.scenes.show(scene_id)


@router.put("/scenes/{scene_id}/pin", responses=documented(404, 409))
def pin(services: ServicesGiven, scene_id: SceneInPath, to: PinTo) -> Pinned:
    """Say that a Plex item shows a scene, whatever the files are called."""
    with asking_servers():
        return services.scenes.pin(scene_id, to.rating_key)


@router.delete("/scenes/{scene_id}/pin", responses=documented(404, 409))
def unpin(services: ServicesGiven, scene_id: SceneInPath) -> Count:
    """Take a pin back: the rules decide again."""
    with asking_servers():
        if not services.scenes.unpin(scene_id):
            raise NotFound(f"Scene {scene_id} is not pinned.")
    return Count(count=1)


@router.get("/holds")
def holds(services: ServicesGiven) -> Sequence[Hold]:
    """List the scenes that are left alone since they were undone."""
    return services.scenes.holds()


@router.post("/holds/release")
def release(services: ServicesGiven, which: SceneIds) -> Count:
    """Let held scenes be synced again; nothing is written now."""
    return Count(count=services.scenes.release(None if which.all else which.scene_ids))


@router.get("/coverage")
def coverage(services: ServicesGiven) -> Coverage:
    """Return how much of both libraries met when it was last looked at. The task ``coverage`` looks anew."""
    return services.coverage.latest()
