"""An item on its way through an undo, what is left of it for the person, and the stores that undo needs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from scenesync.domain.errors import LeaseLost, PermanentError, TransientError
from scenesync.domain.fields import IMAGE_FIELDS
from scenesync.domain.matching import IndexedFile, Match, Rule
from scenesync.plex.exceptions import PlexServerDown, PlexUnauthorized
from scenesync.worker.artwork.images import ImageBaselines
from scenesync.worker.books import Baselines, Holds, Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scenesync.domain.diff import Edit
    from scenesync.domain.fields import Field
    from scenesync.domain.holds import Hold
    from scenesync.domain.item import Item
    from scenesync.domain.journal import JournalEntry, JournalFilter
    from scenesync.domain.undo import FieldUndo


class History(Journal, Protocol):
    """The journal as undo reads it."""

    run_id: str

    def history(self, rating_key: str) -> Sequence[JournalEntry]:
        """Return all edits of an item, oldest first."""
        ...

    def scenes(self, chosen: JournalFilter) -> Sequence[int]:
        """Return the scenes for which any of the chosen edits was made."""
        ...

    def items_of(self, scene_id: int) -> Sequence[str]:
        """Return the items that were written for a scene."""
        ...


class AllBaselines(Baselines, ImageBaselines, Protocol):
    """What SceneSync last wrote, pictures included."""


class HoldBook(Holds, Protocol):
    """Where scenes are entered that are to be left alone."""

    def put(self, holds: Sequence[Hold]) -> None:
        """Hold scenes."""
        ...


@dataclass(frozen=True, slots=True)
class UndoneItem:
    """What undo did, or would do, to one item.

    ``refusal`` says why all of it is left alone, ``error`` what went wrong. ``remarks`` says of single fields what is
    not as it was to be.
    """

    rating_key: str
    fields: tuple[FieldUndo, ...] = ()
    refusal: str = ""
    error: str = ""
    remarks: Mapping[Field, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Say whether every chosen edit of the item is taken back."""
        return not (self.refusal or self.error or self.remarks or any(undo.refusal for undo in self.fields))


@dataclass(frozen=True, slots=True)
class UndoneScene:
    """What undo did, or would do, for one scene; ``held``: it is left alone from now on."""

    scene_id: int
    items: tuple[UndoneItem, ...]
    held: bool = False


@dataclass(slots=True, eq=False)
class Work:
    """One item on its way: what is known of it, and what becomes of it."""

    scene_id: int
    rating_key: str
    history: Sequence[JournalEntry]
    item: Item | None = None
    file: str = ""
    fields: tuple[FieldUndo, ...] = ()
    edit: Edit | None = None
    """What was sent besides pictures; None if that failed, or was not tried yet."""
    refusal: str = ""
    error: str = ""
    remarks: dict[Field, str] = field(default_factory=dict)

    @property
    def put_back(self) -> tuple[FieldUndo, ...]:
        """The fields that there is anything to do about."""
        return tuple(undo for undo in self.fields if undo.puts_back)

    @property
    def texts(self) -> tuple[FieldUndo, ...]:
        """Those of them that are no pictures."""
        return tuple(undo for undo in self.put_back if undo.field not in IMAGE_FIELDS)

    @property
    def pictures(self) -> tuple[FieldUndo, ...]:
        """Those of them that are."""
        return tuple(undo for undo in self.put_back if undo.field in IMAGE_FIELDS)

    def fail(self, error: Exception | None) -> None:
        """Note what went wrong, if anything did."""
        if error is not None:
            self.error = self.error or f"{type(error).__name__}: {error}"

    def remark(self, of: Field, error: Exception) -> None:
        """Note what went wrong with one field alone."""
        self.remarks[of] = str(error)

    def match(self) -> Match:
        """Return what the item was taken for, for the proof."""
        assert self.item is not None  # noqa: S101 - asked of works that were read
        return Match(Rule.PATH, (IndexedFile(self.rating_key, self.item.library_key, self.file),))

    def as_result(self) -> UndoneItem:
        """Return what the person is told."""
        return UndoneItem(self.rating_key, self.fields, self.refusal, self.error, self.remarks)


@contextmanager
def told_of(tell: Callable[[Exception], object]) -> Iterator[None]:
    """Let what goes wrong with one item be told of that item; what concerns all of them is raised."""
    try:
        yield
    except (PlexServerDown, PlexUnauthorized, LeaseLost):
        raise
    except (TransientError, PermanentError) as error:
        tell(error)
