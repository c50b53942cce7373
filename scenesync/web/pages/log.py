"""The latest lines of the log, by scene and level; new ones come as events, and static/log.js puts them on top."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response

from scenesync.web.asking import Cursor, ServicesGiven, number_in
from scenesync.web.models.common import SceneId
from scenesync.web.models.scenes import Level
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.scenes import query

LINES_A_PAGE: Final = 100
LEVELS: Final = {
    "": "all",
    "info": "info and above",
    "warning": "warnings and errors",
    "error": "errors",
}

LevelWanted = Annotated[Level | Literal[""], Query(description="Only lines of this level or above.")]
SceneWanted = Annotated[SceneId | Literal[""], Query(description="Only lines about this scene.")]
"""A form sends "" for a field that nobody filled in."""

router = APIRouter()


@router.get("/log")
def log(
    request: Request,
    services: ServicesGiven,
    level: LevelWanted = "",
    scene_id: SceneWanted = "",
    cursor: Cursor = None,
) -> Response:
    """Show a page of lines."""
    facts = _facts(services, level, scene_id, number_in(cursor) or None)
    written = next(each.value for each in services.settings.all() if each.key == "log_level")
    return pages_of(request).render(request, "log.html", **facts, levels=LEVELS, written=written)


@router.get("/parts/log")
def log_part(
    request: Request, services: ServicesGiven, level: LevelWanted = "", scene_id: SceneWanted = ""
) -> Response:
    """Show the latest lines, for a page that missed some."""
    return pages_of(request).render(request, "log_lines.html", **_facts(services, level, scene_id, None))


def _facts(services: ServicesGiven, level: str, scene_id: int | str, before: int | None) -> dict[str, Any]:
    # Asked first: what comes in between is told twice, not left out.
    newest = services.log.entries(level=None, scene_id=None, before=None, limit=1).items
    scene = scene_id if isinstance(scene_id, int) else None
    found = services.log.entries(level=level or None, scene_id=scene, before=before, limit=LINES_A_PAGE)
    chosen = {"level": level, "scene_id": str(scene_id)}
    return {
        "lines": found.items,
        "newest": newest[0].number if newest else 0,
        "level": level,
        "scene_id": scene_id,
        "is_first": before is None,
        "beginning": query(chosen),
        "following": query({**chosen, "cursor": found.next_cursor}) if found.next_cursor else "",
    }
