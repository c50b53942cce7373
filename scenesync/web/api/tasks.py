"""Long work: what runs, what the daemon does by itself, and beginning or stopping it."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path

from scenesync.web.asking import ServicesGiven
from scenesync.web.models.work import Reconcile, Routine, Selectors, StartTask, Task
from scenesync.web.problems import documented

router = APIRouter(tags=["tasks"])

TaskInPath = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]
RoutineInPath = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[a-z_ -]+$")]


@router.get("/tasks")
def list_tasks(services: ServicesGiven) -> Sequence[Task]:
    """List the tasks that are remembered since the daemon began, newest first."""
    return services.tasks.all()


@router.post("/tasks", status_code=HTTPStatus.ACCEPTED, responses=documented(404, 409))
def start(services: ServicesGiven, what: StartTask) -> Task:
    """Begin work that needs no selectors: ``doctor``, ``coverage``, ``backup``, ``notify_test``."""
    return services.tasks.start(what.kind)


@router.get("/tasks/{task_id}", responses=documented(404))
def show(services: ServicesGiven, task_id: TaskInPath) -> Task:
    """Show how far a task is, or what came of it."""
    return services.tasks.show(task_id)


@router.post("/tasks/{task_id}/cancel", responses=documented(404, 409))
def cancel(services: ServicesGiven, task_id: TaskInPath) -> Task:
    """Ask a task to stop. What it has done stays done."""
    return services.tasks.cancel(task_id)


@router.get("/routines")
def routines(services: ServicesGiven) -> Sequence[Routine]:
    """List what the daemon does by itself, when it last did and when it will next."""
    return services.tasks.routines()


@router.post("/routines/{name}/run", status_code=HTTPStatus.NO_CONTENT, responses=documented(404, 409))
def run_now(services: ServicesGiven, name: RoutineInPath) -> None:
    """Let a routine begin at once."""
    services.tasks.run_now(name)


@router.post("/reconcile", status_code=HTTPStatus.ACCEPTED, responses=documented(409))
def reconcile(services: ServicesGiven, wanted: Reconcile) -> Task:
    """Compare both libraries, enqueue what Plex does not show as it should, and watch it being worked off, as a task.

    One that is cancelled is gone on with by the next of its scope.
    """
    return services.tasks.reconcile(wanted)


@router.post("/sync", status_code=HTTPStatus.ACCEPTED, responses=documented(409))
def sync(services: ServicesGiven, selectors: Selectors) -> Task:
    """Enqueue scenes and watch them being worked off, as a task.

    A scene that is named ends its hold. Cancelling stops the enqueuing and the watching; jobs that wait stay.
    """
    return services.tasks.sync(selectors)
