"""The first page: one glance says whether everything is in sync, and if not what to do."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from scenesync.web.asking import ServicesGiven
from scenesync.web.models.state import Status
from scenesync.web.pages.activity import activity
from scenesync.web.pages.bars import bar
from scenesync.web.pages.coverage import scene_shares
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.scenes import shares
from scenesync.web.pages.timeline import timeline

ATTEMPTS_SHOWN: Final = 12
OUTAGES_ASKED: Final = 500

router = APIRouter()


@router.get("/")
def overview(request: Request, services: ServicesGiven) -> Response:
    """Show the whole page."""
    return pages_of(request).render(request, "overview.html", **_facts(services))


@router.get("/parts/overview")
async def overview_part(request: Request, services: ServicesGiven) -> Response:
    """Show what changes on it, for a page that is open."""
    pages = pages_of(request)
    return await pages.shared("overview", lambda: pages.render(request, "overview_now.html", **_facts(services)))


def mood(status: Status) -> str:
    """Return how the state looks: ``bad`` stops work, ``warn`` waits for a person, ``good`` needs nobody."""
    if status.paused is not None or "down" in {status.plex, status.stash}:
        return "bad"
    return "warn" if status.dead_letters or status.stopped_runs else "good"


def _facts(services: ServicesGiven) -> dict[str, Any]:
    status, report = services.standing.status(), services.standing.checks()
    outages = services.standing.outages(OUTAGES_ASKED)
    coverage, counts = services.coverage.latest(), services.scenes.counts()
    return {
        "status": status,
        "mood": mood(status),
        "timelines": {service: timeline(outages, service) for service in ("plex", "stash")},
        "activity": activity(services.rate.by_minute()),
        "attempts": services.standing.attempts(ATTEMPTS_SHOWN),
        "running": [task for task in services.tasks.all() if task.state == "running"],
        "stopped_runs": status.stopped_runs,
        "failing": [check for check in report.checks if check.verdict != "ok"],
        "scenes": counts.total,
        "scenes_bar": bar(shares(counts)),
        "coverage": coverage,
        "coverage_bar": bar(scene_shares(coverage)),
    }
