"""The fields of a Plex item that SceneSync writes, and how their values compare."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Final

FieldValue = str | tuple[str, ...]
"""Text ("" is empty), or the names of a list in order."""


class Field(StrEnum):
    """A writable field; the value is Plex's own parameter stem and the name of its lock (facts/plex.md 3.2, 3.3)."""

    TITLE = "title"
    SORT_TITLE = "titleSort"
    SUMMARY = "summary"
    DATE = "originallyAvailableAt"
    STUDIO = "studio"
    ACTORS = "actor"
    GENRES = "genre"
    DIRECTORS = "director"
    COLLECTIONS = "collection"
    POSTER = "thumb"
    BACKGROUND = "art"


LIST_FIELDS: Final = frozenset({Field.ACTORS, Field.GENRES, Field.DIRECTORS, Field.COLLECTIONS})
IMAGE_FIELDS: Final = frozenset({Field.POSTER, Field.BACKGROUND})
SHARED_LISTS: Final = frozenset({Field.COLLECTIONS})
"""Lists that a person fills too: SceneSync removes from them only what it put there."""


def empty_value(field: Field) -> FieldValue:
    """Return what an unset field of this kind holds."""
    return () if field in LIST_FIELDS else ""


def same_to_the_eye(left: FieldValue, right: FieldValue) -> bool:
    """Say whether two values differ only in what a Plex server changes by itself.

    Plex trims; in lists it keeps an existing tag's capitals, title-cases labels and may use an order of its own
    (facts/plex.md 3.3), none of which is a sign that an edit was ignored. The capitals of a text are as they were sent.
    """
    return _folded(left) == _folded(right)


def _folded(value: FieldValue) -> object:
    if isinstance(value, str):
        return _trimmed(value)
    return frozenset(_trimmed(name).casefold() for name in value)


def _trimmed(text: str) -> str:
    # Compared per line without outer blanks: servers trim, and \r\n comes back as \n.
    lines = unicodedata.normalize("NFC", text).strip().splitlines()
    return "\n".join(line.strip() for line in lines)
