"""Read the scenes of a plan's file page by page; a cursor is the place in the file where the next page begins."""

from __future__ import annotations

import json
import mmap
import sys
from typing import TYPE_CHECKING, Final

from scenesync.web.models import work
from scenesync.web.models.common import Page
from scenesync.web.problems import NotFound, Unusable

if TYPE_CHECKING:
    from pathlib import Path

_LINE_END: Final = b"\n"
_PART_BYTES: Final = 4 * 1024 * 1024


def page_of_plan(path: Path, *, after: int, limit: int, verdict: str | None = None) -> Page[work.PlannedScene]:
    """Return scenes of the plan from byte ``after`` on. Raises NotFound, and Unusable for a place between lines."""
    # A quotation mark inside a value is escaped in JSON, so no title can look like this.
    mark = b"" if verdict is None else f'"verdict": "{verdict}"'.encode()
    found: list[work.PlannedScene] = []
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as plan:
            place = _begin(plan, after)
            while len(found) < limit and (line := _next_line(plan, place, mark)) is not None:
                start, place = line
                found.append(work.PlannedScene.model_validate(json.loads(plan[start:place])))
            is_more = _next_line(plan, place, mark) is not None
    except FileNotFoundError:
        raise NotFound("The plan's file is gone.") from None
    return Page(items=found, next_cursor=str(place) if is_more else None)


def _begin(plan: mmap.mmap, after: int) -> int:
    """Return where the page begins; in front of all scenes is a line about the plan itself. Raises Unusable."""
    if not after:
        return plan.find(_LINE_END) + 1
    if after < len(plan) and plan[after - 1 : after] != _LINE_END:
        raise Unusable("This cursor is none of ours.", code="invalid-cursor")
    return after


def _next_line(plan: mmap.mmap, place: int, mark: bytes) -> tuple[int, int] | None:
    """Return where the next line with the mark begins and ends, None if there is none: searched, not read."""
    if place >= len(plan):
        return None
    at = _find(plan, mark, place)
    if at < 0:
        return None
    end = plan.find(_LINE_END, at)
    return max(place, plan.rfind(_LINE_END, place, at) + 1), len(plan) if end < 0 else end + 1


def _find(plan: mmap.mmap, mark: bytes, place: int) -> int:
    """Return where the mark comes next, -1 if nowhere. What was passed is let go: a plan may be larger than memory."""
    for start in range(place - place % _PART_BYTES, len(plan), _PART_BYTES):
        at = plan.find(mark, max(place, start), start + _PART_BYTES + len(mark) - 1)
        if at >= 0:
            return at
        if sys.platform != "win32":
            plan.madvise(mmap.MADV_DONTNEED, start, _PART_BYTES)
    return -1
