"""Plans: make one, read it field by field, carry it out. Nothing is written to Plex before a person says so."""

from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from scenesync.web.api.plans import PlanInPath, Verdict
from scenesync.web.asking import Cursor, ServicesGiven, number_in
from scenesync.web.models.common import Page
from scenesync.web.models.work import PlannedScene, PlanTotals, Selectors
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.login import Form
from scenesync.web.pages.progress import TaskNamed, led_to, task_shown
from scenesync.web.problems import Unusable

SCENES_A_PAGE: Final = 30
NUMBERS: Final = "0123456789"

router = APIRouter()


@router.get("/plan")
def plans(request: Request, services: ServicesGiven) -> Response:
    """Show the plans that are kept, and ask what to plan."""
    running = task_shown(services, None, "plan")
    return pages_of(request).render(request, "plans.html", plans=services.plans.all(), running=running)


@router.post("/plan")
def make(request: Request, services: ServicesGiven, form: Form) -> Response:
    """Begin to make a plan. Raises Unusable for a choice that means nothing."""
    return led_to(request, f"/plan/{services.plans.make(selectors_in(form)).id}")


@router.get("/plan/{plan_id}")
def plan(
    request: Request,
    services: ServicesGiven,
    plan_id: PlanInPath,
    verdict: Verdict = "change",
    cursor: Cursor = None,
    task: TaskNamed = None,
) -> Response:
    """Show a plan, or how far its making is."""
    making = task_shown(services, plan_id)
    if making is not None and making.state != "done":
        return pages_of(request).render(request, "plan_making.html", task=making)
    found = services.plans.show(plan_id)
    scenes: Page[PlannedScene] = Page(items=[])
    if has_lines(found.totals, verdict):
        scenes = services.plans.scenes(plan_id, verdict=verdict, after=number_in(cursor), limit=SCENES_A_PAGE)
    return pages_of(request).render(
        request,
        "plan.html",
        plan=found,
        verdict=verdict,
        scenes=scenes,
        task=task_shown(services, task, "apply"),
        is_first=cursor is None,
    )


@router.post("/plan/{plan_id}/apply")
def apply(request: Request, services: ServicesGiven, plan_id: PlanInPath) -> Response:
    """Begin to carry it out."""
    return led_to(request, f"/plan/{plan_id}?task={services.plans.apply(plan_id).id}")


def has_lines(totals: PlanTotals, verdict: Verdict) -> bool:
    """Say whether a plan's file can have a scene of this verdict; to look for one that is not there takes long.

    Scenes that are right already are only counted, but for those where a person's edit is kept.
    """
    return totals.edits_kept > 0 if verdict == "unchanged" else getattr(totals, verdict) > 0


def selectors_in(form: Form) -> Selectors:
    """Return which scenes a form means. Raises Unusable."""
    which = form.get("which", "")
    try:
        match which:
            case "all":
                return Selectors(all=True, force="force" in form, include_held="include_held" in form)
            case "since":
                return Selectors(since=form.get("since", "").strip(), force="force" in form)
            case "ids":
                return Selectors(scene_ids=ids_in(form.get("ids", "")))
    except ValidationError as error:
        raise Unusable("; ".join(each["msg"] for each in error.errors()), code="invalid-request") from None
    raise Unusable("Say which scenes: all, those changed since a time, or some by id.", code="invalid-request")


def ids_in(text: str) -> list[int]:
    """Return the numbers in a text, however they are set apart. Raises Unusable."""
    words = text.replace(",", " ").split()
    if not words or not all(word.isascii() and word.isdigit() and len(word) < len(NUMBERS) * 2 for word in words):
        raise Unusable("Name scenes by their numbers in Stash, such as 12, 31.", code="invalid-request")
    return [int(word) for word in words]
