"""How far a task is, for pages that began it: a part that asks for itself anew until the task has ended."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from scenesync.web.api.tasks import TaskInPath
from scenesync.web.asking import ServicesGiven
from scenesync.web.models.work import Task
from scenesync.web.pages.frame import pages_of
from scenesync.web.ports import Services
from scenesync.web.problems import NotFound

router = APIRouter()

TaskNamed = Annotated[str | None, Query(max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]
"""The task that a page began, in its address, so that a reload still shows it."""


@router.get("/parts/progress/{task_id}")
def progress_part(request: Request, services: ServicesGiven, task_id: TaskInPath) -> Response:
    """Show how far the task is; a page whose task has ended is loaded anew, since everything on it may have changed."""
    task = services.tasks.show(task_id)
    answer = pages_of(request).render(request, "progress.html", task=task)
    if task.state != "running":
        answer.headers["HX-Refresh"] = "true"
    return answer


def task_shown(services: Services, task_id: str | None, kind: str = "") -> Task | None:
    """Return the task that a page names, else the one of this kind that runs, else None."""
    if task_id:
        try:
            return services.tasks.show(task_id)
        except NotFound:
            return None  # tasks are forgotten when the daemon ends; the page is of use without
    running = (task for task in services.tasks.all() if task.kind == kind and task.state == "running")
    return next(running, None)


def led_to(request: Request, path: str) -> Response:
    """Lead the browser to a page of ours once something was begun."""
    return Response(status_code=204, headers={"HX-Redirect": pages_of(request).url(path)})
