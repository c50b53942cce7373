"""What would change in Plex, and carrying out exactly that."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from scenesync.web.asking import Cursor, Limit, ServicesGiven, number_in
from scenesync.web.models.common import Page
from scenesync.web.models.work import Plan, PlannedScene, Selectors, Task
from scenesync.web.problems import documented

router = APIRouter(prefix="/plans", tags=["plans"])

PlanInPath = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]
Verdict = Literal["change", "unchanged", "unmatched", "ambiguous", "left_out", "refused"]


@router.post("", status_code=HTTPStatus.ACCEPTED, responses=documented(409))
def make(services: ServicesGiven, selectors: Selectors) -> Task:
    """Make a plan, as a task; the plan has the task's id. Nothing is written to Plex."""
    return services.plans.make(selectors)


@router.get("")
def list_plans(services: ServicesGiven) -> Sequence[Plan]:
    """List the plans that are kept, newest first."""
    return services.plans.all()


@router.get("/{plan_id}", responses=documented(404))
def show(services: ServicesGiven, plan_id: PlanInPath) -> Plan:
    """Show what a plan would do in all."""
    return services.plans.show(plan_id)


@router.get("/{plan_id}/scenes", responses=documented(404))
def scenes(
    services: ServicesGiven,
    plan_id: PlanInPath,
    verdict: Annotated[Verdict | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[PlannedScene]:
    """Show a plan's scenes, field by field; those that are right already are only counted."""
    return services.plans.scenes(plan_id, verdict=verdict, after=number_in(cursor), limit=limit)


@router.post("/{plan_id}/apply", status_code=HTTPStatus.ACCEPTED, responses=documented(404, 409))
def apply(services: ServicesGiven, plan_id: PlanInPath) -> Task:
    """Carry a plan out, as a task that refuses if something else would be done now than the plan says."""
    return services.plans.apply(plan_id)
