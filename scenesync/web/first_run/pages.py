"""The first-run page: one step at a time, each answer tried at once; nothing is written before the plan was seen."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse, RedirectResponse

from scenesync.web.first_run.ports import SetUpDesk
from scenesync.web.pages.bars import bar
from scenesync.web.pages.coverage import scene_shares
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.login import Form
from scenesync.web.pages.progress import led_to
from scenesync.web.problems import Unusable

PAGE: Final = "/setup"
DONE: Final = "done"
ONWARD_AFTER_S: Final = 6
STEPS: Final = (
    ("Stash", ("stash",)),
    ("Plex", ("plex", "server")),
    ("Libraries", ("libraries",)),
    ("Paths", ("look", "paths")),
    ("Plan", ("plan", "start")),
)
"""The steps as people count them, each with those of the set-up that belong to it."""

router = APIRouter()


def _desk(request: Request) -> SetUpDesk:
    desk: SetUpDesk = request.app.state.set_up
    return desk


DeskGiven = Annotated[SetUpDesk, Depends(_desk)]


@router.get("/")
def lead(request: Request) -> Response:
    """Lead to the page: there is no other yet."""
    return RedirectResponse(pages_of(request).url(PAGE), HTTPStatus.SEE_OTHER)


@router.get("/health/live")
async def live() -> Response:
    """Say that somebody is here."""
    return JSONResponse({"alive": True})


@router.get("/health/ready")
async def ready() -> Response:
    """Say that nothing can be delivered yet."""
    return JSONResponse({"ready": False, "reason": "not set up yet"}, HTTPStatus.SERVICE_UNAVAILABLE)


@router.get(PAGE)
def page(request: Request, desk: DeskGiven) -> Response:
    """Show the whole page; once all is done it leads to the dashboard, which takes our place in a moment."""
    answer = _shown(request, desk, "first_run.html")
    if desk.view().step == DONE:
        desk.told()
        answer.headers["Refresh"] = f"{ONWARD_AFTER_S}; url={pages_of(request).url('/')}"
    return answer


@router.get(f"{PAGE}/now")
def part(request: Request, desk: DeskGiven) -> Response:
    """Show how far it is."""
    return _shown(request, desk)


@router.post(f"{PAGE}/stash")
def stash(request: Request, desk: DeskGiven, form: Form) -> Response:
    """Try Stash."""
    return _after(request, desk, lambda: desk.stash(_text(form, "url"), _text(form, "key")))


@router.post(f"{PAGE}/plex")
def plex(request: Request, desk: DeskGiven, form: Form) -> Response:
    """Try Plex by address and token."""
    return _after(request, desk, lambda: desk.plex(_text(form, "url"), _text(form, "token")))


@router.post(f"{PAGE}/sign-in")
def sign_in(request: Request, desk: DeskGiven) -> Response:
    """Begin to sign in at plex.tv."""
    return _after(request, desk, desk.sign_in)


@router.post(f"{PAGE}/server")
def server(request: Request, desk: DeskGiven, form: Form) -> Response:
    """Take one of the account's servers."""
    return _after(request, desk, lambda: desk.server(_text(form, "server")))


@router.post(f"{PAGE}/libraries")
def libraries(request: Request, desk: DeskGiven, form: Form) -> Response:
    """Take the libraries whose boxes are ticked. Raises Unusable for none."""
    ticked = [value for name, value in form.items() if name.startswith("library_")]
    if form.get("which") == "some" and not ticked:
        raise Unusable("Tick at least one library, or choose all.", code="invalid-request")
    names = ticked if form.get("which") == "some" else ()
    return _after(request, desk, lambda: desk.libraries(names))


@router.post(f"{PAGE}/paths")
def paths(request: Request, desk: DeskGiven, form: Form) -> Response:
    """Take the proposed path map, or leave it."""
    return _after(request, desk, lambda: desk.paths(take=form.get("take") == "yes"))


@router.post(f"{PAGE}/again")
def again(request: Request, desk: DeskGiven) -> Response:
    """Do once more what failed."""
    return _after(request, desk, desk.again)


@router.post(f"{PAGE}/stop")
def stop(request: Request, desk: DeskGiven) -> Response:
    """End what goes on."""
    return _after(request, desk, desk.stop)


@router.post(f"{PAGE}/back")
def back(request: Request, desk: DeskGiven, form: Form) -> Response:
    """Ask a step again."""
    return _after(request, desk, lambda: desk.back(_text(form, "step")))


@router.post(f"{PAGE}/start")
def start(request: Request, desk: DeskGiven) -> Response:
    """Write the settings, so that the daemon begins."""
    desk.start()
    return led_to(request, PAGE) if desk.view().step == DONE else _shown(request, desk)


def _after(request: Request, desk: SetUpDesk, action: Callable[[], None]) -> Response:
    action()
    return _shown(request, desk)


def _shown(request: Request, desk: SetUpDesk, template: str = "first_run_step.html") -> Response:
    view = desk.view()
    shares = () if view.plan is None else bar(scene_shares(view.plan.coverage))
    return pages_of(request).render(
        request, template, view=view, steps=STEPS, standing=standing(view.step), shares_of_scenes=shares
    )


def standing(step: str) -> int:
    """Return the place of a step among those that people count; behind the last one when all is done."""
    return next((place for place, (_, steps) in enumerate(STEPS) if step in steps), len(STEPS))


def _text(form: Form, name: str) -> str:
    return form.get(name, "").strip()
