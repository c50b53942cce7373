"""The journal: what was written to Plex, run by run and edit by edit, from where it is taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from scenesync.web.asking import Cursor, ServicesGiven, number_in
from scenesync.web.models.common import Page
from scenesync.web.models.scenes import JournalEntry
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.listing import Named, SceneNamed, named
from scenesync.web.pages.progress import task_shown
from scenesync.web.pages.scene_timeline import edits_together
from scenesync.web.pages.scenes import query

ENTRIES_A_PAGE: Final = 100
RUNS_FIRST: Final = 5
RUNS_A_PAGE: Final = 50

RunNamed = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Edit:
    """What one run wrote to one item at once; ``entries`` are its fields, in the order in which they were written."""

    about: Named
    entries: Sequence[JournalEntry]

    @property
    def newest(self) -> JournalEntry:
        """The entry that was written last."""
        return self.entries[-1]

    @property
    def numbers(self) -> str:
        """The numbers of its entries, as an address has them."""
        return ",".join(str(entry.number) for entry in self.entries)


@router.get("/journal")
def journal(
    request: Request,
    services: ServicesGiven,
    scene: SceneNamed = None,
    run: RunNamed = "",
    cursor: Cursor = None,
) -> Response:
    """Show the latest edits, all or those for a scene or of a run, and the latest runs."""
    found = whole_edits(
        services.journal.edits(
            scene_ids=() if scene is None else (scene,),
            since=None,
            run=run,
            before=number_in(cursor) or None,
            limit=ENTRIES_A_PAGE,
        )
    )
    titles = services.scenes.titles({entry.scene_id for entry in found.items})
    is_narrowed = bool(scene or run)
    runs = [] if is_narrowed or cursor else services.journal.latest_runs(before=None, limit=RUNS_FIRST + 1)
    chosen = {"scene": str(scene or ""), "run": run}
    return pages_of(request).render(
        request,
        "journal.html",
        edits=[Edit(named(entries[0].scene_id, "", titles), entries[::-1]) for entries in edits_together(found.items)],
        runs=runs[:RUNS_FIRST],
        has_more_runs=len(runs) > RUNS_FIRST,
        scene=scene or "",
        run=run,
        is_narrowed=is_narrowed,
        task=task_shown(services, None, "undo"),
        is_first=cursor is None,
        beginning=query(chosen),
        following=query({**chosen, "cursor": found.next_cursor}) if found.next_cursor else "",
    )


@router.get("/journal/runs")
def runs(request: Request, services: ServicesGiven, cursor: Cursor = None) -> Response:
    """Show the runs, the latest first."""
    found = services.journal.latest_runs(before=number_in(cursor) or None, limit=RUNS_A_PAGE)
    following = str(found[-1].last_number) if len(found) == RUNS_A_PAGE else None
    return pages_of(request).render(
        request,
        "runs.html",
        runs=found,
        is_first=cursor is None,
        beginning="",
        following=query({"cursor": following}) if following else "",
    )


def whole_edits(found: Page[JournalEntry]) -> Page[JournalEntry]:
    """Return the page without the edit at its end that may go on behind it: half of one must not be taken back."""
    if found.next_cursor is None:
        return found
    *whole, _cut = edits_together(found.items)
    items = [entry for entries in whole for entry in entries]
    return Page(items=items, next_cursor=str(items[-1].number)) if items else found
