"""When Plex or Stash could not be used: on a line of time, in figures, and one by one."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from scenesync.web.asking import Cursor, ServicesGiven, number_in
from scenesync.web.models.state import CircuitName
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.overview import OUTAGES_ASKED
from scenesync.web.pages.scenes import query
from scenesync.web.pages.timeline import timeline
from scenesync.web.ports import Services

OUTAGES_A_PAGE: Final = 50
SERVICES: Final = {"plex": "Plex", "stash": "Stash"}

router = APIRouter()


@router.get("/outages")
def outages(request: Request, services: ServicesGiven, cursor: Cursor = None) -> Response:
    """Show the timeline of both servers and the latest outages; ``cursor`` is how many newer ones to leave out."""
    skipped = number_in(cursor)
    found = services.standing.outages(OUTAGES_A_PAGE + 1, skipped)
    following = str(skipped + OUTAGES_A_PAGE) if len(found) > OUTAGES_A_PAGE else None
    return pages_of(request).render(
        request,
        "outages.html",
        **_standing(services),
        outages=found[:OUTAGES_A_PAGE],
        is_first=cursor is None,
        beginning="",
        following=query({"cursor": following}) if following else "",
    )


@router.get("/parts/outages")
def outages_part(request: Request, services: ServicesGiven) -> Response:
    """Show how both servers stand now."""
    return pages_of(request).render(request, "outages_now.html", **_standing(services))


@router.post("/outages/{service}/try")
def try_again(request: Request, services: ServicesGiven, service: CircuitName) -> Response:
    """Let work at a server be tried at once."""
    services.standing.reset_circuit([service])
    answer = pages_of(request).render(
        request, "said.html", said=f"{SERVICES[service]} is tried now. If it still fails, jobs wait as before."
    )
    answer.headers["HX-Trigger"] = "circuit-changed"
    return answer


def _standing(services: Services) -> dict[str, Any]:
    status = services.standing.status()
    found = services.standing.outages(OUTAGES_ASKED)
    return {
        "status": status,
        "names": SERVICES,
        "states": {"plex": status.plex, "stash": status.stash},
        "timelines": {service: timeline(found, service) for service in SERVICES},
        "circuits": services.standing.circuits(),
    }
