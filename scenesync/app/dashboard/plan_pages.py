"""Read the scenes of a plan's file page by page; a cursor is the place in the file where the next page begins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scenesync.web.models import work
from scenesync.web.models.common import Page
from scenesync.web.problems import NotFound, Unusable

if TYPE_CHECKING:
    from pathlib import Path


def page_of_plan(path: Path, *, after: int, limit: int, verdict: str | None = None) -> Page[work.PlannedScene]:
    """Return scenes of the plan from byte ``after`` on. Raises NotFound, and Unusable for a place between lines."""
    found: list[work.PlannedScene] = []
    try:
        with path.open("rb") as file:
            file.readline()  # what the plan was made for
            if after:
                file.seek(after - 1)
                if file.read(1) not in {b"\n", b""}:
                    raise Unusable("This cursor is none of ours.", code="invalid-cursor")
            while len(found) < limit and (line := file.readline()):
                # Most lines of a large plan are not asked for, and need not be read as JSON.
                if verdict is None or f'"verdict": "{verdict}"'.encode() in line:
                    found.append(work.PlannedScene.model_validate(json.loads(line)))
            place = file.tell()
            is_more = bool(file.readline())
    except FileNotFoundError:
        raise NotFound("The plan's file is gone.") from None
    return Page(items=found, next_cursor=str(place) if is_more else None)
