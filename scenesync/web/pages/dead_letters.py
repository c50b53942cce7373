"""What was given up: by error, letter by letter, and what becomes of it."""

import time
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError

from scenesync.web.asking import ServicesGiven, time_and_number_in
from scenesync.web.models.common import LARGEST_ID
from scenesync.web.models.work import ChosenLetters, DeadLetter, Task
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.listing import Named, PartNamed, named
from scenesync.web.pages.login import Form
from scenesync.web.pages.progress import TaskNamed, led_to, task_shown
from scenesync.web.ports import Services
from scenesync.web.problems import Unusable

LETTERS_A_PAGE: Final = 50
_GONE: Final = "This letter is gone already: somebody replayed or discarded it."

LetterInPath = Annotated[int, Path(ge=1, le=LARGEST_ID)]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Row:
    """A letter, and what its job is about."""

    letter: DeadLetter
    about: Named


@router.get("/dead-letters")
def dead_letters(request: Request, services: ServicesGiven, part: PartNamed, task: TaskNamed = None) -> Response:
    """Show what was given up, by error; or the letters of one error, or of one scene."""
    # Before anything is read: "all of them" must not reach what failed while the page was made.
    pages, seen_at = pages_of(request), time.time()
    groups = services.letters.groups()
    facts: dict[str, Any] = {"groups": groups, "seen_at": seen_at, "task": _task(services, task)}
    if not part.error and part.scene is None:
        count = sum(group.count for group in groups)
        return pages.render(request, "dead_letters.html", **facts, count=count, scene="")
    found = services.letters.page(
        error=part.error or None,
        scene_id=part.scene,
        text=None,
        before=time_and_number_in(part.cursor),
        limit=LETTERS_A_PAGE,
    )
    return pages.render(
        request,
        "letters.html",
        **facts,
        group=next((group for group in groups if group.error_type == part.error), None),
        rows=_rows(services, found.items),
        error=part.error,
        scene=part.scene or "",
        is_first=part.cursor is None,
        beginning=part.address(),
        following=part.following(found.next_cursor),
    )


@router.get("/dead-letters/{letter_id}")
def letter(request: Request, services: ServicesGiven, letter_id: LetterInPath) -> Response:
    """Show one letter whole."""
    found = services.letters.show(letter_id)
    (row,) = _rows(services, [found])
    candidates = [str(key) for key in found.details.get("candidates", ())]
    items = services.one_scene.items(candidates) if candidates else []
    return pages_of(request).render(request, "letter.html", row=row, letter=found, items=items)


@router.post("/dead-letters/replay")
def replay_many(request: Request, services: ServicesGiven, form: Form) -> Response:
    """Begin to let the jobs of many letters wait again."""
    return led_to(request, f"/dead-letters?task={services.letters.begin_replay(chosen_in(form)).id}")


@router.post("/dead-letters/discard")
def discard_many(request: Request, services: ServicesGiven, form: Form) -> Response:
    """Begin to delete many letters."""
    return led_to(request, f"/dead-letters?task={services.letters.begin_discard(chosen_in(form)).id}")


@router.post("/dead-letters/{letter_id}/replay")
def replay(request: Request, services: ServicesGiven, letter_id: LetterInPath) -> Response:
    """Let the job of one letter wait again."""
    replayed = services.letters.replay(ChosenLetters(ids=[letter_id]))
    said = "Its job waits again. If it fails again, it comes back here." if replayed else _GONE
    return pages_of(request).render(request, "said.html", said=said)


@router.post("/dead-letters/{letter_id}/discard")
def discard(request: Request, services: ServicesGiven, letter_id: LetterInPath) -> Response:
    """Delete one letter."""
    discarded = services.letters.discard(ChosenLetters(ids=[letter_id]))
    said = "Deleted. Sync now, on the scene's page, tries its change again." if discarded else _GONE
    return pages_of(request).render(request, "said.html", said=said)


def chosen_in(form: Form) -> ChosenLetters:
    """Return the letters that a form means: of an error, or of all, as far as the page showed them. Raises Unusable."""
    error, seen_at = form.get("error", ""), form.get("seen_at", "")
    try:
        return ChosenLetters(error=error or None, older_than=float(seen_at))
    except (ValidationError, ValueError):
        raise Unusable("Say which dead letters: load the page again.", code="invalid-request") from None


def _rows(services: Services, letters: list[DeadLetter]) -> list[Row]:
    titles = services.scenes.titles({each.scene_id for each in letters if each.scene_id})
    return [Row(each, named(each.scene_id, each.subject, titles)) for each in letters]


def _task(services: Services, task_id: str | None) -> Task | None:
    running = (task_shown(services, None, kind) for kind in ("replay", "discard"))
    return task_shown(services, task_id) or next((task for task in running if task is not None), None)
