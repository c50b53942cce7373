"""An undo as people and scripts read it: per field what goes back to what, and what is left alone and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.text import Text

from scenesync.app.wording.counting import counted
from scenesync.app.wording.plan import ADDED, REMOVED, change_line, field_label, quoted
from scenesync.domain.diff import FieldChange
from scenesync.domain.fields import IMAGE_FIELDS
from scenesync.domain.journal import Lock
from scenesync.domain.undo import REFUSALS, FieldUndo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.domain.fields import Field, FieldValue
    from scenesync.worker.undo.work import UndoneItem, UndoneScene

LEFT_ALONE = "magenta"
_TAIL_SHOWN = 12


@dataclass(slots=True)
class UndoTotals:
    """What an undo did in all: scenes put back, as they were already, and not (wholly) put back; fields likewise."""

    scenes: Counter[str] = field(default_factory=Counter)
    fields: int = 0
    pictures: int = 0
    locks: int = 0
    refused: int = 0
    held: int = 0

    def count(self, scene: UndoneScene) -> None:
        """Add one scene."""
        undone = [undo for item in scene.items for undo in item.fields]
        if any(not item.is_complete for item in scene.items):
            self.scenes["incomplete"] += 1
        elif any(undo.puts_back for undo in undone):
            self.scenes["put_back"] += 1
        else:
            self.scenes["unchanged"] += 1
        self.fields += sum(undo.changes_value and undo.field not in IMAGE_FIELDS for undo in undone)
        self.pictures += sum(undo.changes_value and undo.field in IMAGE_FIELDS for undo in undone)
        self.locks += sum(undo.changes_lock for undo in undone)
        self.refused += sum(undo.refusal is not None for undo in undone)
        self.held += scene.held

    @property
    def is_complete(self) -> bool:
        """Say whether everything that was chosen is taken back."""
        return not self.scenes["incomplete"]

    def as_document(self) -> dict[str, int]:
        """Return the totals for ``--json``."""
        return {
            "put_back": self.scenes["put_back"],
            "unchanged": self.scenes["unchanged"],
            "incomplete": self.scenes["incomplete"],
            "fields": self.fields,
            "pictures": self.pictures,
            "locks": self.locks,
            "refused_fields": self.refused,
            "held": self.held,
        }

    def as_sentence(self) -> str:
        """Return the totals for people."""
        parts = [
            f"{counted(self.scenes['put_back'], 'scene')} put back",
            f"{self.scenes['incomplete']} only in part or not at all" if self.scenes["incomplete"] else "",
            f"{self.scenes['unchanged']} as they were already" if self.scenes["unchanged"] else "",
        ]
        sizes = ", ".join(
            (counted(self.fields, "field"), counted(self.pictures, "picture"), counted(self.locks, "lock"))
        )
        alone = f"; {counted(self.refused, 'field')} left alone (--force puts them back, too)" if self.refused else ""
        return f"Undo: {', '.join(filter(None, parts))} ({sizes}){alone}. {counted(self.held, 'scene')} held."


def undo_lines(scene: UndoneScene, title: str) -> Iterator[Text]:
    """Yield the lines for one scene; none if nothing had to be done."""
    if all(item.is_complete and not any(undo.puts_back for undo in item.fields) for item in scene.items):
        return
    head = Text(f"< {scene.scene_id} ", style="yellow")
    head.append(title or "(no longer in Stash)", style="bold")
    head.append(f"  (item {', '.join(item.rating_key for item in scene.items)})", style="dim")
    yield head
    for item in scene.items:
        if len(scene.items) > 1:
            yield Text(f"  item {item.rating_key}", style="dim")
        yield from _item_lines(item)


def undo_document(scene: UndoneScene) -> dict[str, Any]:
    """Return one scene for ``--json``."""
    return {
        "scene_id": scene.scene_id,
        "held": scene.held,
        "items": [
            {
                "rating_key": item.rating_key,
                "refusal": item.refusal or None,
                "error": item.error or None,
                "fields": [_field_document(undo, item.remarks.get(undo.field)) for undo in item.fields],
            }
            for item in scene.items
        ],
    }


def value_change(of: Field, before: FieldValue, after: FieldValue) -> Text:
    """Return the line of one field: a text before and after, what left a list and what came into it, a picture."""
    if of not in IMAGE_FIELDS:
        return change_line(FieldChange(of, before, after))
    return Text.assemble(field_label(of), (_picture(before), REMOVED), " → ", (_picture(after), ADDED))


def _item_lines(item: UndoneItem) -> Iterator[Text]:
    if item.refusal:
        yield Text(f"    left alone: {item.refusal}", style=LEFT_ALONE)
    for undo in item.fields:
        if undo.changes_value:
            yield value_change(undo.field, undo.shown, undo.target)
        if undo.refusal is not None:
            shown = _picture(undo.shown) if undo.field in IMAGE_FIELDS else _value(undo.shown)
            reason = f"left alone: {REFUSALS[undo.refusal]} ({shown})"
            yield Text.assemble(field_label(undo.field), (reason, LEFT_ALONE))
    for words, locks in (("unlocked", [True, False]), ("locked again", [False, True])):
        turned = [undo for undo in item.fields if undo.changes_lock and _locks(undo) == locks]
        if turned:
            yield Text(f"    {words}: {', '.join(_spoken(undo.field) for undo in turned)}", style="dim")
    for of, remark in item.remarks.items():
        yield Text.assemble(field_label(of), (remark, "red"))
    if item.error:
        yield Text(f"    not put back: {item.error}", style="red")


def _locks(undo: FieldUndo) -> list[bool]:
    return [undo.lock_shown is not Lock.NONE, undo.lock is not Lock.NONE]


def _field_document(undo: FieldUndo, remark: str | None) -> dict[str, Any]:
    action = "refused" if undo.refusal else "put_back" if undo.puts_back else "nothing"
    return {
        "field": undo.field.value,
        "action": action,
        "shown": undo.shown,
        "target": undo.target,
        "lock_shown": undo.lock_shown.value,
        "lock": undo.lock.value,
        "reason": undo.refusal.value if undo.refusal else None,
        "remark": remark,
    }


def _spoken(of: Field) -> str:
    return of.name.lower().replace("_", " ")


def _value(value: FieldValue) -> str:
    return quoted(value) if isinstance(value, str) else ", ".join(value) or "(none)"


def _picture(key: FieldValue) -> str:
    name = str(key)
    if not name:
        return "(no picture)"
    return f"picture …{name[-_TAIL_SHOWN:]}" if len(name) > 2 * _TAIL_SHOWN else f"picture {name}"
