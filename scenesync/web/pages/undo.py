"""Taking edits back: first what that would mean, field by field, then the question, then what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from scenesync.domain.quantities import counted
from scenesync.web.asking import ServicesGiven
from scenesync.web.models.work import Task, UndoWhat
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.journal import RunNamed
from scenesync.web.pages.login import Form
from scenesync.web.pages.plans import ids_in
from scenesync.web.pages.progress import TaskNamed, led_to, task_shown
from scenesync.web.pages.scenes import query
from scenesync.web.problems import Unusable

SCENES_SHOWN: Final = 50
REFUSALS: Final = {
    "edited": "somebody edited it in Plex since",
    "locked": "somebody locked it in Plex since",
    "written_since": "SceneSync wrote it again since",
    "picture_gone": "the picture from before is no longer in Plex",
}

router = APIRouter()

EditsNamed = Annotated[str, Query(max_length=20_000, pattern=r"^[0-9,]*$")]


@dataclass(frozen=True, slots=True)
class Undo:
    """What a task found or did: ``is_preview`` wrote nothing. ``run`` is the run to take back what was written."""

    is_preview: bool
    is_forced: bool
    sentence: str
    run: str
    totals: Mapping[str, int]
    scenes: list[dict[str, Any]]

    @property
    def has_work(self) -> bool:
        """Whether anything is to be written, or was."""
        return any(self.totals[name] for name in ("fields", "pictures", "locks"))

    @property
    def is_told_in_part(self) -> bool:
        """Whether more scenes are concerned than are told."""
        return self.totals["put_back"] + self.totals["incomplete"] > len(self.scenes)


@router.get("/journal/undo")
def undo_page(
    request: Request, services: ServicesGiven, run: RunNamed = "", edits: EditsNamed = "", task: TaskNamed = None
) -> Response:
    """Show what undoing these edits would put back, or what it did."""
    what = undo_in({"run": run, "edits": edits})
    shown = task_shown(services, task)
    return pages_of(request).render(
        request,
        "undo.html",
        run=run,
        edits=edits,
        count=len(what.edits),
        task=shown,
        undo=told(shown, what) if shown is not None else None,
        refusals=REFUSALS,
    )


@router.post("/journal/undo/preview")
def preview(request: Request, services: ServicesGiven, form: Form) -> Response:
    """Begin to look what would be put back; nothing is written."""
    return _begun(request, services, form, dry_run=True)


@router.post("/journal/undo")
def undo(request: Request, services: ServicesGiven, form: Form) -> Response:
    """Begin to put it back."""
    return _begun(request, services, form, dry_run=False)


def _begun(request: Request, services: ServicesGiven, form: Form, *, dry_run: bool) -> Response:
    what = undo_in(form)
    task = services.tasks.undo(what.model_copy(update={"dry_run": dry_run}))
    return led_to(
        request,
        f"/journal/undo{query({'run': form.get('run', ''), 'edits': form.get('edits', ''), 'task': task.id})}",
    )


def undo_in(form: Mapping[str, str]) -> UndoWhat:
    """Return which edits a form means. Raises Unusable."""
    edits = form.get("edits", "")
    try:
        return UndoWhat(run=form.get("run") or None, edits=ids_in(edits) if edits else [], force="force" in form)
    except ValidationError:
        raise Unusable("Say which edits to undo: choose them in the journal.", code="invalid-request") from None


def told(task: Task, what: UndoWhat) -> Undo | None:
    """Return what a task found or did, None if it is under way, failed, or was about something else."""
    result = task.result
    if task.kind != "undo" or task.state != "done" or result is None:
        return None
    chosen = UndoWhat.model_validate(result["chosen"])
    if (chosen.run, chosen.edits) != (what.run, what.edits):
        return None
    totals = result["totals"]
    return Undo(
        is_preview=chosen.dry_run,
        is_forced=chosen.force,
        sentence=sentence(totals, would=chosen.dry_run),
        run=result["run"] or "",
        totals=totals,
        scenes=[scene for scene in result["scenes"] if _is_worth_telling(scene)][:SCENES_SHOWN],
    )


def sentence(totals: Mapping[str, int], *, would: bool) -> str:
    """Return what was put back, or would be, and what not."""
    parts = [
        counted(totals[name], noun)
        for name, noun in (("fields", "field"), ("pictures", "picture"), ("locks", "lock"))
        if totals[name]
    ]
    if not parts:
        nothing = "There is nothing to put back" if would else "Nothing was put back"
        return f"{nothing}: Plex shows {'other edits' if totals['refused_fields'] else 'what it showed before'}."
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    scenes = totals["put_back"] + totals["incomplete"]
    verb = "would be" if would else "was" if totals["fields"] + totals["pictures"] + totals["locks"] == 1 else "were"
    alone = f" {counted(totals['refused_fields'], 'field')} left alone." if totals["refused_fields"] else ""
    return f"{listed} of {counted(scenes, 'scene')} {verb} put back.{alone}"


def _is_worth_telling(scene: Mapping[str, Any]) -> bool:
    return any(
        item["refusal"] or item["error"] or any(field["action"] != "nothing" for field in item["fields"])
        for item in scene["items"]
    )
