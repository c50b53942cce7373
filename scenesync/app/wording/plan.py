"""A plan as people read it: one block per scene, the difference in colour, a summary line at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from scenesync.app.wording.counting import counted
from scenesync.reconciliation.planning import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.domain.diff import Conflict, FieldChange
    from scenesync.domain.fields import Field, FieldValue
    from scenesync.reconciliation.planning import ItemChanges, PlannedScene, Totals

LONGEST_TEXT: Final = 60
_FIELD_WIDTH: Final = 12
_MARKS: Final = {
    Verdict.CHANGE: ("~", "yellow", ""),
    Verdict.UNCHANGED: ("=", "dim", ""),
    Verdict.UNMATCHED: ("?", "magenta", "not in Plex"),
    Verdict.AMBIGUOUS: ("!", "red", "ambiguous"),
    Verdict.LEFT_OUT: ("-", "dim", "left out"),
    Verdict.REFUSED: ("!", "red", "refused"),
}
ADDED, REMOVED = "green", "red"


def scene_lines(planned: PlannedScene) -> Iterator[Text]:
    """Yield the lines for one scene; none for a scene that is right already, unless a person's edit is kept there."""
    if planned.verdict is Verdict.UNCHANGED and not any(item.conflicts for item in planned.items):
        return
    mark, colour, label = _MARKS[planned.verdict]
    head = Text(f"{mark} {planned.scene_id} ", style=colour)
    head.append(planned.title or "(no title)", style="bold")
    if planned.rule:
        keys = ", ".join(item.rating_key for item in planned.items)
        head.append(f"  (matched by {planned.rule}: {keys})", style="dim")
    yield head
    if planned.reason:
        yield Text(f"    {label}: {planned.reason}")
    for item in planned.items:
        if len(planned.items) > 1:
            yield Text(f"  item {item.rating_key}", style="dim")
        yield from _item_lines(item)


def summary(totals: Totals) -> str:
    """Return the plan's totals in one sentence."""
    count = totals.verdicts
    parts = [
        f"{counted(count[Verdict.CHANGE], 'scene')} to change ({_sizes(totals)})",
        f"{count[Verdict.UNCHANGED]} unchanged",
        f"{count[Verdict.UNMATCHED]} not in Plex",
        f"{count[Verdict.AMBIGUOUS]} ambiguous",
    ]
    if totals.overwritten or totals.kept:
        parts.append(f"edits made in Plex: {totals.overwritten} overwritten, {totals.kept} kept")
    if count[Verdict.REFUSED]:
        parts.append(f"{count[Verdict.REFUSED]} refused")
    if count[Verdict.LEFT_OUT]:
        reasons = ", ".join(f"{number} by {reason}" for reason, number in totals.left_out.most_common())
        parts.append(f"{count[Verdict.LEFT_OUT]} left out ({reasons})")
    return "Plan: " + ", ".join(parts) + "."


def _item_lines(item: ItemChanges) -> Iterator[Text]:
    doings = {conflict.field: conflict for conflict in item.conflicts}
    for change in item.changes:
        line = change_line(change)
        if (conflict := doings.pop(change.field, None)) is not None:
            line.append(f"  ({_doing(conflict)} in Plex since, overwritten)", style="magenta")
        yield line
    for conflict in doings.values():
        yield Text.assemble(field_label(conflict.field), (f"kept: {_doing(conflict)} in Plex by somebody", "magenta"))
    for field in item.pictures:
        yield Text.assemble(field_label(field), ("new picture", ADDED))
    if item.photos:
        yield Text.assemble(_label("photos"), (" ".join(f"+{name}" for name in item.photos), ADDED))


def _sizes(totals: Totals) -> str:
    return f"{counted(totals.fields, 'field')}, {totals.cleared} of them emptied, {counted(totals.pictures, 'picture')}"


def change_line(change: FieldChange) -> Text:
    """Return one field's step: a text before and after, what leaves a list and what comes into it."""
    if isinstance(change.before, str) and isinstance(change.after, str):
        return Text.assemble(
            field_label(change.field),
            (quoted(change.before), REMOVED),
            " → ",
            (quoted(change.after), ADDED),
        )
    before, after = _names(change.before), _names(change.after)
    kept = {name.casefold() for name in before}
    line = Text.assemble(field_label(change.field))
    for name in change.removed:
        line.append(f"-{name} ", style=REMOVED)
    for name in after:
        if name.casefold() not in kept:
            line.append(f"+{name} ", style=ADDED)
    if line.plain == field_label(change.field):
        line.append("another order: " + ", ".join(after), style=ADDED)
    return line


def _doing(conflict: Conflict) -> str:
    return "locked" if conflict.is_lock else "edited"


def field_label(field: Field) -> str:
    """Return a field's name, indented and filled up so that values stand below each other."""
    return _label(field.name.lower().replace("_", " "))


def _label(name: str) -> str:
    return f"    {name:<{_FIELD_WIDTH}} "


def _names(value: FieldValue) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def quoted(text: str) -> str:
    """Return a text in quotation marks on one line, abbreviated."""
    if not text:
        return "(empty)"
    flat = text.replace("\n", "⏎")
    return f"“{flat if len(flat) <= LONGEST_TEXT else flat[: LONGEST_TEXT - 1] + '…'}”"
