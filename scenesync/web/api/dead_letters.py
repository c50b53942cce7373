"""Jobs that were given up."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query

from scenesync.web.asking import Cursor, Limit, ServicesGiven, time_and_number_in
from scenesync.web.models.common import LARGEST_ID, Count, Page, SceneId, ShortText
from scenesync.web.models.work import ChosenLetters, DeadLetter, LetterGroup, PurgeLetters
from scenesync.web.problems import documented

router = APIRouter(prefix="/dead-letters", tags=["dead letters"])


@router.get("")
def list_letters(
    services: ServicesGiven,
    error: Annotated[ShortText | None, Query(description="Only letters with this error class.")] = None,
    scene_id: Annotated[SceneId | None, Query()] = None,
    text: Annotated[ShortText | None, Query(description="Only letters whose message or job contains this.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[DeadLetter]:
    """List dead letters, the newest first."""
    before = time_and_number_in(cursor)
    return services.letters.page(error=error, scene_id=scene_id, text=text, before=before, limit=limit)


@router.get("/groups")
def groups(services: ServicesGiven) -> Sequence[LetterGroup]:
    """Count the letters of each error, the most frequent first."""
    return services.letters.groups()


@router.get("/{letter_id}", responses=documented(404))
def show(services: ServicesGiven, letter_id: Annotated[int, Path(ge=1, le=LARGEST_ID)]) -> DeadLetter:
    """Show one letter whole, with its attempts, its traceback and what would help."""
    return services.letters.show(letter_id)


@router.post("/replay")
def replay(services: ServicesGiven, which: ChosenLetters) -> Count:
    """Put jobs back into the queue, as if they had never failed."""
    return Count(count=services.letters.replay(which))


@router.post("/discard")
def discard(services: ServicesGiven, which: ChosenLetters) -> Count:
    """Delete letters for good."""
    return Count(count=services.letters.discard(which))


@router.post("/purge")
def purge(services: ServicesGiven, which: PurgeLetters) -> Count:
    """Delete old letters for good."""
    return Count(count=services.letters.purge(which.older_than))
