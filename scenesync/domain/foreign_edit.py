"""Tell an item that somebody else changed from one that shows what SceneSync left there. Pure.

Plex announces its own work, SceneSync's edits and a person's alike, so only the content can tell (facts/plex.md 6.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.domain.diff import is_ours
from scenesync.domain.fields import SHARED_LISTS, Field, FieldValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.diff import Baseline, ImageBaseline
    from scenesync.domain.item import Item


def foreign_fields(
    item: Item, baselines: Mapping[Field, Baseline], images: Mapping[Field, ImageBaseline]
) -> tuple[Field, ...]:
    """Return the fields of an item that no longer show what SceneSync left there.

    Of a list that people fill too, only what SceneSync put there counts. A write that is not proven yet is no reason
    for suspicion, nor is a picture whose upload is not.
    """
    texts = (field for field, baseline in baselines.items() if _differs(field, item.value(field), baseline))
    pictures = (field for field, image in images.items() if image.shown and item.value(field) != image.shown)
    return (*texts, *pictures)


def _differs(field: Field, shown: FieldValue, baseline: Baseline) -> bool:
    if field in SHARED_LISTS:
        names = {name.casefold() for name in shown}
        return baseline.shown is not None and not {name.casefold() for name in baseline.written} <= names
    return not is_ours(field, shown, baseline)
