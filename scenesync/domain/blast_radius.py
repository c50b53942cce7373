"""How far a run that nobody asked for would reach, and how far it may. Pure.

What a person types goes on whatever it changes; what starts by itself stops before its first write if it would turn a
library over, since the cause may as well be a Stash that was restored from the wrong backup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.fields import empty_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.diff import Baseline, Edit, FieldChange
    from scenesync.domain.fields import Field


@dataclass(frozen=True, slots=True)
class BlastLimits:
    """What an automatic run may do.

    Too much is to change more items than ``items`` and more than ``percent`` of all, or to empty more fields than
    ``cleared_fields``.
    """

    percent: int = 50
    items: int = 1000
    cleared_fields: int = 500


@dataclass(frozen=True, slots=True)
class Reach:
    """How many items would change and how many fields would be emptied, as far as they count against the limits."""

    items: int = 0
    cleared_fields: int = 0

    def __add__(self, other: Reach) -> Reach:
        """Return both together."""
        return Reach(self.items + other.items, self.cleared_fields + other.cleared_fields)


NOWHERE: Final = Reach()


def reach_of(edit: Edit, baselines: Mapping[Field, Baseline]) -> Reach:
    """Return what one item's edit counts for.

    An item's first write does not count (so a first full sync never does), nor does writing back exactly what
    SceneSync last wrote there.
    """
    if not baselines:
        return NOWHERE
    counted = [change for change in edit.changes if not _writes_back(change, baselines.get(change.field))]
    cleared = sum(change.after == empty_value(change.field) != change.before for change in counted)
    return Reach(items=int(bool(counted)), cleared_fields=cleared)


def may_exceed(scenes: int, fields: int, limits: BlastLimits) -> bool:
    """Say whether a run over so many scenes, of which each may change so many fields, has to be looked at closely."""
    return scenes > limits.items or scenes * fields > limits.cleared_fields


def why_too_far(reach: Reach, limits: BlastLimits, *, all_items: int) -> str:
    """Return in words which limit the run exceeds; "" if it may go on."""
    if reach.items > limits.items and reach.items * 100 > limits.percent * all_items:
        percent = reach.items * 100 / max(1, all_items)
        return (
            f"it would change {reach.items:,} of {all_items:,} items ({percent:.0f} %), more than max_change_items = "
            f"{limits.items:,} and max_change_percent = {limits.percent}"
        )
    if reach.cleared_fields > limits.cleared_fields:
        return (
            f"it would empty {reach.cleared_fields:,} fields, more than max_cleared_fields = {limits.cleared_fields:,}"
        )
    return ""


_ALL_PERCENT: Final = 100
FEW_GONE: Final = 20
"""So many scenes may be gone at once without a question, unless these were all of them."""


def why_too_many_gone(gone: int, known: int, limits: BlastLimits, *, lately: int = 0) -> str:
    """Return in words why so many scenes gone from Stash at once are not believed; "" if they are.

    ``known`` counts all that were ever synced, these included; ``lately`` those that were parted with within the last
    hour, which are not known any more: a few at a time must not add up to a library. Stricter than what is said of
    edits: a Stash whose database was lost or restored says of every scene that there is none, however small the
    library is.
    """
    if not 1 < gone == known:
        gone, known = gone + lately, known + lately
        if gone <= FEW_GONE:
            return ""
    percent = gone * 100 / max(1, known)
    if percent > limits.percent or (gone > limits.items and limits.percent < _ALL_PERCENT):
        return (
            f"{gone:,} of {known:,} scenes are gone from Stash {'within an hour' if lately else 'at once'} "
            f"({percent:.0f} %), more than max_change_percent = {limits.percent} or max_change_items = "
            f"{limits.items:,}: is its database the right one?"
        )
    return ""


def _writes_back(change: FieldChange, baseline: Baseline | None) -> bool:
    return baseline is not None and change.written == baseline.written
