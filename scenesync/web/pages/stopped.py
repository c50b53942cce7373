"""A run that was stopped before it changed too much: what it would change, and whether it goes on."""

from typing import Final

from fastapi import APIRouter, Request, Response

from scenesync.web.api.stopped_runs import RunInPath
from scenesync.web.asking import Cursor, ServicesGiven, number_in
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.progress import led_to
from scenesync.web.pages.scenes import query
from scenesync.web.problems import NotFound

SCENES_A_PAGE: Final = 30

router = APIRouter()


@router.get("/stopped/{run}")
def stopped(request: Request, services: ServicesGiven, run: RunInPath, cursor: Cursor = None) -> Response:
    """Show what the run would change, as of when it was stopped. Raises NotFound."""
    about = next((each for each in services.stopped_runs.all() if each.run == run), None)
    if about is None:
        raise NotFound("This run waits no longer: somebody decided, or it was judged again.")
    found = services.stopped_runs.scenes(run, after=number_in(cursor), limit=SCENES_A_PAGE)
    return pages_of(request).render(
        request,
        "stopped.html",
        run=about,
        scenes=found.items,
        is_first=cursor is None,
        beginning="",
        following=query({"cursor": found.next_cursor}) if found.next_cursor else "",
    )


@router.post("/stopped/{run}/continue")
def go_on(request: Request, services: ServicesGiven, run: RunInPath) -> Response:
    """Let it go on: its scenes are enqueued."""
    services.stopped_runs.go_on(run)
    return led_to(request, "/queue")


@router.post("/stopped/{run}/drop")
def drop(request: Request, services: ServicesGiven, run: RunInPath) -> Response:
    """Forget it."""
    services.stopped_runs.drop(run)
    return led_to(request, "/")
