"""How much of both libraries meets, why the rest does not, and the path map that would help."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from scenesync.web.asking import ServicesGiven
from scenesync.web.models.scenes import Coverage, CoverageClass
from scenesync.web.pages.bars import Share, bar
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.login import Form
from scenesync.web.pages.progress import TaskNamed, led_to, task_shown
from scenesync.web.problems import Unusable

TONES: Final = {
    "matched": "good",
    "two_scenes_one_item": "bad",
    "ambiguous": "bad",
    "left_out": "faint",
    "item_of_left_out_scene": "faint",
    "not_in_stash": "faint",
}
"""How a class looks; any other is one to look at."""
NOT_ITEMS: Final = frozenset({"file_in_two_items"})
"""Counts of files would not add up with counts of items."""
WEAK_RULES: Final = frozenset({"suffix", "name_size", "name_duration", "name"})
KINDS: Final = ("coverage", "doctor")

router = APIRouter()


@router.get("/coverage")
def coverage(
    request: Request,
    services: ServicesGiven,
    task: TaskNamed = None,
) -> Response:
    """Show what was found last."""
    found = services.coverage.latest()
    return pages_of(request).render(
        request,
        "coverage.html",
        coverage=found,
        bars={"stash": bar(scene_shares(found)), "plex": bar(item_shares(found))},
        task=task_shown(services, task) or task_shown(services, None, "coverage"),
        **map_facts(services),
    )


@router.post("/coverage")
def look(request: Request, services: ServicesGiven, form: Form) -> Response:
    """Begin to look anew: at both libraries, or at the mapping of paths. Raises Unusable."""
    kind = form.get("kind", "")
    if kind not in KINDS:
        raise Unusable("There is nothing of that kind to look at.", code="invalid-request")
    return led_to(request, f"/coverage?task={services.tasks.start(kind).id}")


@router.get("/parts/coverage/map")
def map_part(request: Request, services: ServicesGiven) -> Response:
    """Show the path map, for a page that waits for one to be taken over."""
    return pages_of(request).render(request, "coverage_map.html", **map_facts(services))


@router.post("/coverage/map")
def write_map(request: Request, services: ServicesGiven, form: Form) -> Response:
    """Write the rules that the page showed to the settings file. Raises Conflict."""
    services.path_maps.write(form.get("rules", "").splitlines())
    return map_part(request, services)


def map_facts(services: ServicesGiven) -> dict[str, Any]:
    """Return what the page shows of the path map."""
    report = services.standing.checks()
    return {
        "mapping": next((check for check in report.checks if check.name == "path mapping"), None),
        "checked_at": report.checked_at,
        "path_map": services.path_maps.show(),
    }


def scene_shares(coverage: Coverage) -> Sequence[Share]:
    """Return the classes of scenes as shares of a bar."""
    return [_share(each) for each in coverage.classes if each.side == "stash"]


def item_shares(coverage: Coverage) -> Sequence[Share]:
    """Return the classes of items as shares of a bar: what is in no class of its own has its scene."""
    others = [_share(each) for each in coverage.classes if each.side == "plex" and each.name not in NOT_ITEMS]
    matched = coverage.items - sum(share.count for share in others)
    return [Share("matched", matched, "good"), *others]


def _share(each: CoverageClass) -> Share:
    """Return a class; a match by less than the path is one that could be better."""
    is_weak = each.name == "matched" and each.detail in WEAK_RULES
    return Share(each.name, each.count, "fair" if is_weak else TONES.get(each.name, "warn"), each.detail or "")
