"""What is to be done for a scene, and what was done, as values."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING

from scenesync.domain.blast_radius import NOWHERE, Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.domain.desired import DesiredFields
    from scenesync.domain.diff import Baseline, Edit
    from scenesync.domain.fields import Field
    from scenesync.domain.holds import Hold
    from scenesync.domain.item import Item
    from scenesync.domain.matching import Match
    from scenesync.domain.photos import Photo
    from scenesync.domain.scene import Scene
    from scenesync.worker.artwork.images import ImageChange
    from scenesync.worker.collections.membership import CollectionTask


@dataclass(frozen=True, slots=True)
class WrittenItem:
    """What was sent to one item, so that reading back can prove it."""

    edit: Edit
    images: tuple[ImageChange, ...] = ()
    photos: tuple[Photo, ...] = ()
    """Those to look at once the item shows its actors."""
    is_shared: bool = False
    """It was sent in one request with the equal edits of others."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What was done for a scene: the match, and what was written; nothing was written where it was right.

    ``picture_error`` is what kept a picture from being brought up to date: all else was written nevertheless.
    ``collections`` are to be seen to when that is proven.
    """

    match: Match
    written: tuple[WrittenItem, ...] = ()
    picture_error: Exception | None = None
    collections: tuple[CollectionTask, ...] = ()

    @property
    def is_done(self) -> bool:
        """Say whether nothing is left to look at in Plex."""
        return not self.written and not self.collections

    @property
    def changed_fields(self) -> tuple[str, ...]:
        """The names of all fields that were written, each once."""
        texts = (change.field.value for item in self.written for change in item.edit.changes)
        images = (change.field.value for item in self.written for change in item.images)
        photos = ["photo"] if any(item.photos for item in self.written) else []
        return tuple(dict.fromkeys((*texts, *images, *photos)))


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One item as it is, the edit that would make it right, and the pictures that would be put there.

    ``reach`` is what the edit counts for in a run that nobody asked for, ``known`` what was written there before.
    """

    item: Item
    edit: Edit
    pictures: tuple[Field, ...] = ()
    photos: tuple[str, ...] = ()
    reach: Reach = NOWHERE
    known: Mapping[Field, Baseline] = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be done for a scene, by items that were read after ``read_at`` (monotonic).

    ``is_noted``: baselines and journal have its edits already. ``is_sent``: Plex has its edit, in one request with
    those of others. ``ready`` has for items, by their keys, what sends their edits, where that was made ready.
    """

    scene: Scene
    desired: DesiredFields
    match: Match
    planned: Sequence[PlannedItem]
    read_at: float
    held: Hold | None = None
    is_noted: bool = False
    is_sent: bool = False
    ready: Mapping[str, Callable[[], None]] = dataclass_field(default_factory=dict, compare=False)

    @property
    def shared_edit(self) -> Edit | None:
        """The one edit that may be sent together with others of the same wording; None if there is none."""
        edits = [step.edit for step in self.planned]
        return edits[0] if self.is_noted and len(edits) == 1 and edits[0].changes else None

    @property
    def is_simple(self) -> bool:
        """Whether its texts are all that has to be seen to before its edits."""
        return self.held is None and not self.desired.collections

    @property
    def is_right(self) -> bool:
        """Whether there is nothing to do, and no picture to ask for."""
        return self.is_simple and not self.has_pictures and not any(step.edit for step in self.planned)

    @property
    def has_pictures(self) -> bool:
        """Whether there are pictures to ask Stash for."""
        return bool(self.desired.images or self.desired.photos)
