"""The queue: what waits, for what, and dropping it or letting it go first."""

import time
from dataclasses import dataclass
from typing import Any, Final

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse

from scenesync.domain.job import entity_words
from scenesync.domain.quantities import counted
from scenesync.web.api.scenes import SceneInPath
from scenesync.web.asking import ServicesGiven, number_in
from scenesync.web.models.state import Status
from scenesync.web.models.work import ClearJobs, Job
from scenesync.web.pages.error_words import lane_name
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.listing import Named, Part, PartNamed, named
from scenesync.web.pages.scenes import query
from scenesync.web.pages.words import ahead
from scenesync.web.ports import Services

JOBS_A_PAGE: Final = 50

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Row:
    """A job, what it is about, and what it waits for."""

    job: Job
    about: Named
    waits: str


@router.get("/queue")
def queue(request: Request, services: ServicesGiven, part: PartNamed) -> Response:
    """Show what waits, oldest first."""
    return pages_of(request).render(request, "queue.html", **_facts(services, part))


@router.get("/parts/queue")
async def queue_part(request: Request, services: ServicesGiven, part: PartNamed) -> Response:
    """Show the same list as it is now."""
    pages = pages_of(request)

    def make() -> HTMLResponse:
        return pages.render(request, "queue_now.html", **_facts(services, part))

    return await (pages.shared("queue", make) if part.is_whole else to_thread.run_sync(make))


@router.post("/queue/scenes/{scene_id}/first")
def first(request: Request, services: ServicesGiven, scene_id: SceneInPath) -> Response:
    """Let a scene go before all other work."""
    services.one_scene.sync_now(scene_id)
    return _done(request, f"Scene {scene_id} goes first.")


@router.post("/queue/scenes/{scene_id}/drop")
def drop(request: Request, services: ServicesGiven, scene_id: SceneInPath) -> Response:
    """Drop what waits for a scene."""
    dropped = services.jobs.clear(ClearJobs(scene_id=scene_id))
    if not dropped:
        return _done(request, f"Nothing waits for scene {scene_id} any more: it was carried over meanwhile.")
    return _done(request, f"The job of scene {scene_id} is dropped. Sync now, on the scene's page, queues it again.")


@router.post("/queue/clear")
def clear(request: Request, services: ServicesGiven) -> Response:
    """Drop all that waits."""
    return _done(request, f"{counted(services.jobs.clear(ClearJobs(all=True)), 'job')} dropped.")


def _done(request: Request, said: str) -> Response:
    """Say what was done, and let the list show what came of it."""
    pages = pages_of(request)
    pages.forget("queue")
    answer = pages.render(request, "said.html", said=said)
    answer.headers["HX-Trigger"] = "queue-changed"
    return answer


def _facts(services: Services, part: Part) -> dict[str, Any]:
    status = services.standing.status()
    found = services.jobs.waiting(
        scene_id=part.scene, error=part.error or None, after=number_in(part.cursor), limit=JOBS_A_PAGE
    )
    titles = services.scenes.titles({job.scene_id for job in found.items if job.scene_id})
    return {
        "status": status,
        "blocked": blocked(status),
        "rows": [Row(job, named(job.scene_id, _about(job), titles), waits(job)) for job in found.items],
        "tabs": tabs(status, part.error),
        "error": part.error,
        "scene": part.scene or "",
        "is_first": part.cursor is None,
        "here": part.address(part.cursor),
        "beginning": part.address(),
        "following": part.following(found.next_cursor),
    }


def blocked(status: Status) -> bool:
    """Say whether all that waits, waits for a server or a person."""
    return status.paused is not None or "down" in {status.plex, status.stash} or status.circuit == "open"


def waits(job: Job) -> str:
    """Return what a job waits for."""
    if job.pqid is None:
        return "left beside the queue, taken in within seconds"
    return f"tried again {ahead(job.due_at)}" if job.due_at > time.time() else f"due, {lane_name(job.lane)}"


def tabs(status: Status, error: str) -> list[tuple[str, int, str]]:
    """Return the errors after which jobs wait, "" for all jobs, with how many and where to find them."""
    by_error = {error: 0, **status.waiting_by_error} if error else dict(status.waiting_by_error)
    known = [("", status.pending), *sorted(by_error.items(), key=lambda each: -each[1])]
    return [(name, count, f"/queue{query({'error': name})}") for name, count in known]


def _about(job: Job) -> str:
    return f"all scenes of {entity_words(job.job_key)}" if job.job_key else "a job without a scene"
