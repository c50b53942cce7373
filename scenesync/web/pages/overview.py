"""The first page: one glance says whether everything is in sync, and if not what to do."""

from typing import Any

from fastapi import APIRouter, Request, Response

from scenesync.web.asking import ServicesGiven
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.timeline import timeline

ATTEMPTS_SHOWN = 12
OUTAGES_ASKED = 500

router = APIRouter()


@router.get("/")
def overview(request: Request, services: ServicesGiven) -> Response:
    """Show the whole page."""
    return pages_of(request).render(request, "overview.html", **_facts(services))


@router.get("/parts/overview")
def overview_part(request: Request, services: ServicesGiven) -> Response:
    """Show what changes on it, for a page that is open."""
    return pages_of(request).render(request, "overview_now.html", **_facts(services))


def _facts(services: ServicesGiven) -> dict[str, Any]:
    status, report = services.standing.status(), services.standing.checks()
    outages = services.standing.outages(OUTAGES_ASKED)
    return {
        "status": status,
        "timelines": {service: timeline(outages, service) for service in ("plex", "stash")},
        "attempts": services.standing.attempts(ATTEMPTS_SHOWN),
        "checked_at": report.checked_at,
        "failing": [check for check in report.checks if check.verdict != "ok"],
        "coverage": services.coverage.latest(),
    }
