"""One scene: both sides field by field, why it stands where it does, what happened, and what can be done.

What the stores know is shown at once. Both servers are asked by a part that the page loads afterwards, so that a
server that is slow or down holds up nothing.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from scenesync.web.api.scenes import SceneInPath
from scenesync.web.asking import ServicesGiven, asking_servers
from scenesync.web.models.scenes import ComparedField, ComparedItem, PinTo, Scene, SceneSummary
from scenesync.web.models.work import UndoWhat
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.login import Form
from scenesync.web.pages.progress import TaskNamed, led_to, task_shown
from scenesync.web.pages.scene_timeline import moments
from scenesync.web.ports import Services
from scenesync.web.problems import NotFound, ProblemError, Unusable

EDITS_SHOWN = 200
LETTERS_SHOWN = 20

router = APIRouter()


@router.get("/scenes/{scene_id}")
def scene(
    request: Request,
    services: ServicesGiven,
    scene_id: SceneInPath,
    task: TaskNamed = None,
) -> Response:
    """Show the page; both servers are asked by its part."""
    return pages_of(request).render(
        request, "scene.html", **_known(services, scene_id), task=task_shown(services, task), said=""
    )


@router.get("/parts/scenes/{scene_id}")
def scene_part(request: Request, services: ServicesGiven, scene_id: SceneInPath) -> Response:
    """Show what happened."""
    return pages_of(request).render(request, "scene_timeline.html", **_known(services, scene_id))


@router.get("/parts/scenes/{scene_id}/compared")
def compared_part(request: Request, services: ServicesGiven, scene_id: SceneInPath) -> Response:
    """Show both sides, as both servers show them now."""
    try:
        with asking_servers():
            found = services.scenes.show(scene_id)
    except NotFound as error:  # Stash has answered: what leads there or needs it there is taken off the page
        known = {**_known(services, scene_id), "is_missing": True}
        return pages_of(request).render(
            request, "scene_compared.html", **known, scene=None, why_not=error.detail, said=""
        )
    except ProblemError as error:
        return pages_of(request).render(
            request, "scene_compared.html", scene=None, why_not=error.detail, is_missing=False
        )
    return pages_of(request).render(
        request,
        "scene_compared.html",
        scene=found,
        why_not="",
        facts=None if found.is_judged else services.one_scene.facts(scene_id),
        candidates=services.one_scene.items(found.candidates),
        standing=_standings(found),
    )


@router.post("/scenes/{scene_id}/sync")
def sync_now(request: Request, services: ServicesGiven, scene_id: SceneInPath) -> Response:
    """Let it be synced before any other work."""
    services.one_scene.sync_now(scene_id)
    return _done(request, services, scene_id, "Queued before all other work.")


@router.post("/scenes/{scene_id}/pin")
def pin(request: Request, services: ServicesGiven, scene_id: SceneInPath, form: Form) -> Response:
    """Tie it to an item. Raises Unusable for what cannot be the key of one."""
    try:
        wanted = PinTo(rating_key=form.get("rating_key", "").strip())
    except ValueError:
        raise Unusable("An item is named by its rating key, such as 4711.", code="invalid-request") from None
    with asking_servers():
        services.scenes.pin(scene_id, wanted.rating_key)
    return _done(request, services, scene_id, f"Pinned to item {wanted.rating_key}; it is synced now.")


@router.post("/scenes/{scene_id}/unpin")
def unpin(request: Request, services: ServicesGiven, scene_id: SceneInPath) -> Response:
    """Take the pin off."""
    with asking_servers():
        was_pinned = services.scenes.unpin(scene_id)
    return _done(request, services, scene_id, "The pin is off: the rules decide again." if was_pinned else "No pin.")


@router.post("/scenes/{scene_id}/undo")
def undo(request: Request, services: ServicesGiven, scene_id: SceneInPath) -> Response:
    """Begin to put back what Plex showed before any edit for this scene."""
    task = services.tasks.undo(UndoWhat(scene_ids=[scene_id]))
    return led_to(request, f"/scenes/{scene_id}?task={task.id}")


def _done(request: Request, services: Services, scene_id: int, said: str) -> Response:
    """Say what was done, and let the page show what came of it."""
    answer = pages_of(request).render(request, "scene_actions.html", **_known(services, scene_id), said=said)
    answer.headers["HX-Trigger"] = "scene-changed"
    return answer


def _known(services: Services, scene_id: int) -> dict[str, Any]:
    facts = services.one_scene.facts(scene_id)
    edits = services.journal.edits(scene_ids=[scene_id], since=None, run="", before=None, limit=EDITS_SHOWN)
    jobs = services.jobs.waiting(scene_id=scene_id, error=None, after=0, limit=LETTERS_SHOWN).items
    letters = services.letters.page(error=None, scene_id=scene_id, text=None, before=None, limit=LETTERS_SHOWN).items
    return {
        "facts": facts,
        "is_missing": False,  # only Stash can say that
        "title": title_of(facts.known),
        "state": "waiting" if jobs else facts.known.state if facts.known is not None else "",
        "jobs": jobs,
        "letters": letters,
        "can_be_undone": bool(edits.items),
        "timeline": moments(attempts=facts.attempts, edits=edits.items, jobs=jobs, letters=letters, hold=facts.hold),
        "has_older_edits": edits.next_cursor is not None,
    }


def title_of(known: SceneSummary | None) -> str:
    """Return what a scene is called, by its file if it has no title, "" if nothing is known."""
    return "" if known is None else known.title or known.path.rpartition("/")[2]


def _standings(found: Scene) -> dict[tuple[str, str], str]:
    """Return of each field of each item how it stands."""
    changing = {(change.rating_key, change.field) for change in found.changes}
    return {
        (item.rating_key, field.field): _standing(item, field, changing)
        for item in found.compared
        for field in item.fields
    }


def _standing(item: ComparedItem, field: ComparedField, changing: set[tuple[str, str]]) -> str:
    if (item.rating_key, field.field) in changing:
        return "differs"
    if field.wanted is None:
        return "not written"
    return "kept" if _folded(field.wanted) != _folded(field.shown) else "same"


def _folded(value: str | list[str]) -> object:
    """Return a value without what a server changes by itself: capitals, and the order of names."""
    return value.strip() if isinstance(value, str) else {name.casefold() for name in value}
