"""Keep a plan in a file, one JSON object a line, and read it back to hold today's state against it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from scenesync.disk.drafts import drafted
from scenesync.domain.diff import Conflict, FieldChange
from scenesync.domain.fields import Field
from scenesync.reconciliation.planning import ItemChanges, PlannedScene, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scenesync.domain.fields import FieldValue

FORMAT: Final = 1


class PlanFileError(Exception):
    """The file is no plan that this version can use; the message says why."""


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """What a plan was made for: the Plex server, and when (epoch seconds)."""

    server_id: str
    made_at: float


@contextmanager
def writing(path: Path, header: PlanHeader) -> Iterator[PlanWriter]:
    """Write a plan; the file appears, readable by its owner alone, when the block has ended well. Raises OSError."""
    with drafted(path) as draft, draft.open("w", encoding="utf-8") as file:
        writer = PlanWriter(file)
        writer.line({"scenesync_plan": FORMAT, "server_id": header.server_id, "made_at": header.made_at})
        yield writer


class PlanWriter:
    """Takes the scenes of a plan one by one; only those that would change are kept."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def add(self, planned: PlannedScene) -> None:
        """Keep a scene if it would change."""
        if planned.verdict is Verdict.CHANGE:
            self.line(to_document(planned))

    def line(self, document: dict[str, Any]) -> None:
        """Write one line."""
        self._file.write(json.dumps(document, ensure_ascii=False) + "\n")


def read(path: Path) -> tuple[PlanHeader, list[PlannedScene]]:
    """Return what a plan file says. Raises PlanFileError, OSError."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    except ValueError as error:
        raise _no_plan(path) from error
    if not lines or not isinstance(lines[0], dict) or "scenesync_plan" not in lines[0]:
        raise _no_plan(path)
    head, *scenes = lines
    if head["scenesync_plan"] != FORMAT:
        raise PlanFileError(f"{path} was written by another version of SceneSync. Make the plan again.")
    try:
        return PlanHeader(head["server_id"], head["made_at"]), [from_document(scene) for scene in scenes]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlanFileError(f"The plan {path} is damaged. Make it again: `scenesync plan --out FILE`.") from error


def _no_plan(path: Path) -> PlanFileError:
    return PlanFileError(f"{path} is no plan of SceneSync. `scenesync plan --out FILE` writes one.")


def scenes_in(path: Path) -> Iterator[PlannedScene]:
    """Yield the scenes of a plan that this version has just written, one by one. Raises OSError."""
    with path.open(encoding="utf-8") as file:
        next(file)  # the line about the plan itself
        for line in file:
            yield from_document(json.loads(line))


def to_document(planned: PlannedScene) -> dict[str, Any]:
    """Return a planned scene as JSON."""
    return {
        "scene_id": planned.scene_id,
        "title": planned.title,
        "verdict": planned.verdict.value,
        "rule": planned.rule or None,
        "reason": planned.reason or None,
        "items": [
            {
                "rating_key": item.rating_key,
                "changes": [
                    {
                        "field": change.field.value,
                        "before": change.before,
                        "after": change.after,
                        "removed": change.removed,
                        "owned": change.owned,
                    }
                    for change in item.changes
                ],
                "pictures": [field.value for field in item.pictures],
                "conflicts": [
                    {
                        "field": conflict.field.value,
                        "by": "lock" if conflict.is_lock else "edit",
                        "overwritten": conflict.is_overwritten,
                    }
                    for conflict in item.conflicts
                ],
                "photos": item.photos,
            }
            for item in planned.items
        ],
    }


def from_document(document: dict[str, Any]) -> PlannedScene:
    """Return what ``to_document`` wrote. Raises KeyError, TypeError, ValueError."""
    return PlannedScene(
        scene_id=int(document["scene_id"]),
        title=str(document["title"]),
        verdict=Verdict(document["verdict"]),
        rule=document["rule"] or "",
        reason=document["reason"] or "",
        items=tuple(
            ItemChanges(
                str(item["rating_key"]),
                tuple(_change(change) for change in item["changes"]),
                tuple(Field(name) for name in item["pictures"]),
                tuple(
                    Conflict(
                        Field(conflict["field"]),
                        is_lock=conflict["by"] == "lock",
                        is_overwritten=conflict["overwritten"],
                    )
                    for conflict in item.get("conflicts", ())
                ),
                tuple(item.get("photos", ())),
            )
            for item in document["items"]
        ),
    )


def moved_on(then: Iterable[PlannedScene], now: Iterable[PlannedScene]) -> Iterator[tuple[PlannedScene, str]]:
    """Yield the scenes of a plan for which something else would be done now, each with what is different."""
    today = {planned.scene_id: planned for planned in now}
    for planned in then:
        found = today.get(planned.scene_id)
        if found is None:
            yield planned, "no longer in Stash"
        elif found.items != planned.items:
            yield planned, found.reason or _difference(planned, found)


def _difference(then: PlannedScene, now: PlannedScene) -> str:
    if not now.items:
        return "nothing is left to change"
    if {item.rating_key for item in then.items} != {item.rating_key for item in now.items}:
        return "other items of Plex are concerned"
    before, after = (
        {(item.rating_key, change.field): change for item in planned.items for change in item.changes}
        for planned in (then, now)
    )
    fields = sorted({key[1].value for key in before.keys() | after.keys() if before.get(key) != after.get(key)})
    if fields:
        return f"other changes in {', '.join(fields)}"
    pictures = {item.pictures for item in then.items} != {item.pictures for item in now.items}
    return "other pictures" if pictures else "somebody edited or locked fields in Plex"


def _change(document: dict[str, Any]) -> FieldChange:
    owned = document["owned"]
    return FieldChange(
        Field(document["field"]),
        _value(document["before"]),
        _value(document["after"]),
        None if owned is None else tuple(owned),
    )


def _value(value: str | list[str]) -> FieldValue:
    return value if isinstance(value, str) else tuple(value)
