"""What becomes of an item whose scene was deleted in Stash: decided here, carried out elsewhere. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from scenesync.domain.diff import Baseline, Edit, FieldChange
from scenesync.domain.fields import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.diff import ImageBaseline
    from scenesync.domain.fields import FieldValue
    from scenesync.domain.item import Item


class OnDestroy(StrEnum):
    """What happens in Plex when a scene is deleted in Stash."""

    KEEP = "keep"
    UNLOCK = "unlock"
    LABEL = "label"
    RESTORE = "restore"


def unlock_edit(item: Item, baselines: Mapping[Field, Baseline], pictures: Mapping[Field, ImageBaseline]) -> Edit:
    """Return the edit that takes off the locks that SceneSync set, and no other.

    Of a picture the lock is ours as long as it is the picture that we put there.
    """
    texts = [field for field, baseline in baselines.items() if baseline.locked]
    covers = [field for field, baseline in pictures.items() if baseline.shown and baseline.shown == item.value(field)]
    ours = [field for field in Field if field in {*texts, *covers} and field.value in item.locked]
    return Edit(item.rating_key, item.library_key, (), lock=False, also_unlock=tuple(ours))


def unlocked(edit: Edit, baselines: Mapping[Field, Baseline]) -> Mapping[Field, Baseline]:
    """Return the baselines of what an edit unlocked: from now on a lock there is a person's."""
    return {
        field: Baseline(baseline.written, baseline.shown, baseline.replaced, locked=False)
        for field, baseline in baselines.items()
        if field in edit.also_unlock
    }


def label_edit(item: Item, label: str, baselines: Mapping[Field, Baseline]) -> Edit:
    """Return the edit that adds ``label``, which then is SceneSync's own; labels of people and all locks stay."""
    shown = item.value(Field.LABELS)
    assert not isinstance(shown, str)  # noqa: S101 - labels are a list
    if has_label(shown, label):
        return Edit(item.rating_key, item.library_key, (), lock=False, locked_before=item.locked)
    known = baselines.get(Field.LABELS)
    ours = tuple(known.written) if known is not None else ()
    change = FieldChange(Field.LABELS, before=shown, after=(*shown, label), owned=(*ours, label))
    is_ours = known is not None and known.locked and Field.LABELS.value in item.locked
    return Edit(item.rating_key, item.library_key, (change,), lock=is_ours, locked_before=item.locked)


def without_label(
    desired: Mapping[Field, FieldValue], label: str, baselines: Mapping[Field, Baseline]
) -> Mapping[Field, FieldValue]:
    """Return what an item is to show that has a scene again: not the label of a deleted one, if SceneSync put it there.

    Where labels are synced they are right already.
    """
    known = baselines.get(Field.LABELS)
    if not label or known is None or Field.LABELS in desired or not has_label(known.written, label):
        return desired
    return {**desired, Field.LABELS: tuple(name for name in known.written if name.casefold() != label.casefold())}


def has_label(labels: FieldValue, label: str) -> bool:
    """Say whether a label is among these; Plex has its own way with capitals (facts/plex.md 3.3)."""
    return label.casefold() in {name.casefold() for name in labels}
