"""What a listing tells of an item's fields: some in full, of lists the beginning alone, of labels and locks nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scenesync.domain.fields import Field, FieldValue, empty_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.item import ListedItem

TOLD_IN_FULL: Final = frozenset(
    {
        *(Field.TITLE, Field.SORT_TITLE, Field.SUMMARY, Field.TAGLINE, Field.DATE, Field.STUDIO),
        *(Field.CONTENT_RATING, Field.RATING, Field.POSTER, Field.BACKGROUND),
    }
)
"""Fields that a listing carries as a read of the item does (facts/plex.md 2.4); pictures as the path they have."""

CUT_SHORT: Final = frozenset({Field.GENRES, Field.ACTORS, Field.DIRECTORS, Field.COLLECTIONS})
"""Lists of which a listing shows the first two or three names, whether there are more or not."""

NOT_TOLD: Final = frozenset(Field) - TOLD_IN_FULL - CUT_SHORT
"""Fields that are in no listing. Locks are in none either."""


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An item of a listing with its fields: ``values`` are those told in full, ``beginnings`` the lists cut short.

    Fields that are not set are in neither. It is as old as the listing, so it is nothing to base an edit on.
    """

    listed: ListedItem
    values: Mapping[Field, FieldValue]
    beginnings: Mapping[Field, tuple[str, ...]]

    def value(self, field: Field) -> FieldValue:
        """Return what the item shows for a field that is told in full; the sort title is the title unless it differs.

        Raises KeyError for any other field: what is cut short must never pass for a value.
        """
        if field not in TOLD_IN_FULL:
            raise KeyError(field)
        shown = self.values.get(field)
        if shown is None and field is Field.SORT_TITLE:
            shown = self.values.get(Field.TITLE)
        return empty_value(field) if shown is None else shown

    def rules_out(self, field: Field, wanted: FieldValue) -> bool:
        """Say whether a list that is cut short can be told not to be ``wanted``, whatever follows its beginning.

        Capitals count for nothing, as a server keeps its own. False says nothing: only a read of the item tells.
        """
        if field not in CUT_SHORT or isinstance(wanted, str):
            return False
        beginning = {name.casefold() for name in self.beginnings.get(field, ())}
        names = {name.casefold() for name in wanted}
        return not beginning <= names or bool(names and not beginning)


@dataclass(frozen=True, slots=True)
class ShownPage:
    """One page of such a listing; ``total`` and ``as_of`` are as in ``ItemPage``."""

    items: tuple[ShownItem, ...]
    total: int | None
    as_of: int = field(default=0, compare=False)
