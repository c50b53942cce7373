"""What Plex shows for a file, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenesync.domain.fields import Field, FieldValue, empty_value

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Which Plex server answered; ``machine_identifier`` stays with the server, whatever its address."""

    machine_identifier: str
    version: str


@dataclass(frozen=True, slots=True)
class Library:
    """A library (Plex: section) with the folders that it covers, as Plex sees them."""

    key: str
    title: str
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaPart:
    """One file of an item; ``file`` as Plex sees it."""

    file: str
    size_bytes: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An item as a listing shows it: enough to find it, never enough to compare its lists (listings truncate them)."""

    rating_key: str
    library_key: str
    parts: tuple[MediaPart, ...]
    title: str = ""
    added_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One page of a listing; ``total`` is the library's size as the server said it, None if it did not.

    ``as_of`` is as in ``Item``.
    """

    items: tuple[ListedItem, ...]
    total: int | None
    as_of: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Item:
    """An item as read in full.

    ``values`` has the fields that are set (images: the path under which Plex serves the selected one);
    ``locked`` the names of the locked fields, ``photos`` the addresses of the actors' photos, by name.
    ``updated_at`` is the server's own time of the last change (0: not told). What changed after the read has at least
    the time ``as_of``, in whole seconds by the server's clock (0: it does not tell its time).
    """

    rating_key: str
    library_key: str
    parts: tuple[MediaPart, ...]
    values: Mapping[Field, FieldValue]
    locked: frozenset[str] = frozenset()
    photos: Mapping[str, str] = field(default_factory=dict)
    updated_at: int = 0
    as_of: int = field(default=0, compare=False)

    @property
    def is_settled(self) -> bool:
        """Say whether any later change gives the item another time than ``updated_at``.

        Times have whole seconds: a change in the very second of the one before leaves no trace.
        """
        return 0 < self.updated_at < self.as_of

    def value(self, field: Field) -> FieldValue:
        """Return what the item shows for ``field``; the sort title is the title unless Plex has another."""
        shown = self.values.get(field)
        if shown is None and field is Field.SORT_TITLE:
            shown = self.values.get(Field.TITLE)
        return empty_value(field) if shown is None else shown


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of one library; its texts, picture and locks are those of ``item``, which has no files.

    ``member_count`` is None where Plex did not tell; ``sort`` is its own word for the order of the members, "" if it
    told none. In a listing the locks are missing (facts/plex.md 2.4).
    """

    item: Item
    member_count: int | None = None
    is_smart: bool = False
    sort: str = ""

    @property
    def title(self) -> str:
        """Its name, which no other collection of the library has (facts/plex.md 5)."""
        return str(self.item.value(Field.TITLE))


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """One candidate of an item's posters or backgrounds; ``key`` ends with the SHA-1 of the bytes for uploads."""

    key: str
    selected: bool
