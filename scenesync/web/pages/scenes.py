"""All scenes: where each stands, found by state, title or path. It was found out before; no server is asked."""

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from scenesync.domain.scene_words import STATES, STATES_EXPLAINED
from scenesync.web.asking import Cursor, ServicesGiven, number_in
from scenesync.web.models.scenes import SceneCounts, SceneStateName
from scenesync.web.pages.bars import Share
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.scene import title_of

SCENES_A_PAGE: Final = 100
TONES: Final = {
    "in_sync": "good",
    "differs": "warn",
    "unmatched": "warn",
    "ambiguous": "bad",
    "left_out": "faint",
    "failed": "bad",
}
"""How a state looks. Who waits is in one of these besides, so it has no share of its own."""

router = APIRouter()


@router.get("/scenes")
def scenes(
    request: Request,
    services: ServicesGiven,
    state: SceneStateName | None = None,
    q: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
    cursor: Cursor = None,
) -> Response:
    """Show a page of them."""
    search = q.strip()
    found = services.scenes.page(state=state, search=search, after=number_in(cursor), limit=SCENES_A_PAGE)
    following = {"state": state, "q": search, "cursor": found.next_cursor}
    return pages_of(request).render(
        request,
        "scenes.html",
        scenes=[(each, title_of(each)) for each in found.items],
        tabs=tabs(services.scenes.counts(), search),
        state=state or "",
        explained=STATES_EXPLAINED.get(state or "", ""),
        search=search,
        is_first=cursor is None,
        following=query(following) if found.next_cursor else "",
        beginning=query({"state": state, "q": search}),
    )


def tabs(counts: SceneCounts, search: str) -> list[tuple[str, int, str]]:
    """Return the states, "" for all, with how many are in each, and where to find them."""
    known = [("", counts.total), *((state, counts.states.get(state, 0)) for state in STATES)]
    return [(state, count, f"/scenes{query({'state': state, 'q': search})}") for state, count in known]


def shares(counts: SceneCounts) -> list[Share]:
    """Return the states as shares of a bar, each leading to its scenes."""
    return [
        Share(state, counts.states.get(state, 0), tone, link=f"/scenes?state={state}") for state, tone in TONES.items()
    ]


def query(parameters: Mapping[str, str | None]) -> str:
    """Return what stands behind the path in an address."""
    there = {name: value for name, value in parameters.items() if value}
    return f"?{urlencode(there)}" if there else ""
