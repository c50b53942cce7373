"""Tasks: what the daemon does by itself and when, what people asked for, how far that is and what came of it."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from scenesync.web.api.tasks import RoutineInPath
from scenesync.web.asking import ServicesGiven
from scenesync.web.models.work import Reconcile, Task
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.login import Form
from scenesync.web.pages.task_words import came_of, more_about
from scenesync.web.problems import Unusable

ENDED_SHOWN: Final = 20
SIMPLE: Final = frozenset({"doctor", "coverage", "backup", "notify_test"})
"""Kinds of work that need no choice."""
CHANGED: Final = "tasks-changed"
"""What the page hears once something was begun, so that it looks again a little later."""

router = APIRouter()


@router.get("/tasks")
def tasks(request: Request, services: ServicesGiven) -> Response:
    """Show the page."""
    return pages_of(request).render(request, "tasks.html", **_facts(services))


@router.get("/parts/tasks")
async def tasks_part(request: Request, services: ServicesGiven) -> Response:
    """Show what changes on it, for a page that is open."""
    pages = pages_of(request)
    return await pages.shared("tasks", lambda: pages.render(request, "tasks_now.html", **_facts(services)))


@router.post("/tasks")
def start(request: Request, services: ServicesGiven, form: Form) -> Response:
    """Begin work that was chosen. Raises Conflict while it runs, Unusable for a choice that means nothing."""
    return _begun(request, services, begin(services, form).title)


@router.post("/tasks/routines/{name}/run")
def run_now(request: Request, services: ServicesGiven, name: RoutineInPath) -> Response:
    """Let a routine begin at once. Raises NotFound, Conflict."""
    title = next((each.title for each in services.tasks.routines() if each.name == name), name)
    services.tasks.run_now(name)
    return _begun(request, services, title)


def begin(services: ServicesGiven, form: Form) -> Task:
    """Begin what a form asks for. Raises Conflict, Unusable."""
    kind = form.get("kind", "")
    if kind in SIMPLE:
        return services.tasks.start(kind)
    if kind != "reconcile":
        raise Unusable("There is no work of that kind to begin here.", code="invalid-request")
    try:
        wanted = Reconcile.model_validate({"scope": form.get("scope") or None, "dry_run": "dry_run" in form})
    except ValidationError:
        raise Unusable("Compare the scenes of 24h, of 7d, or all.", code="invalid-request") from None
    return services.tasks.reconcile(wanted)


def _begun(request: Request, services: ServicesGiven, title: str) -> Response:
    pages = pages_of(request)
    pages.forget("tasks")
    answer = pages.render(request, "tasks_begun.html", **_facts(services), begun=title)
    answer.headers["HX-Trigger"] = CHANGED
    return answer


def _facts(services: ServicesGiven) -> dict[str, Any]:
    known = services.tasks.all()
    ended = [task for task in known if task.state != "running"]
    return {
        "routines": services.tasks.routines(),
        "running": [task for task in known if task.state == "running"],
        "ended": [(task, came_of(task), more_about(task)) for task in ended[:ENDED_SHOWN]],
    }
