"""The fields of a Plex item that SceneSync writes, and how their values compare."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Final

from scenesync.domain.members import plain_members

FieldValue = str | tuple[str, ...]
"""Text ("" is empty), or the names of a list in order."""


@plain_members
class Field(StrEnum):
    """A writable field; the value is Plex's own parameter stem and the name of its lock (facts/plex.md 3.2, 3.3)."""

    TITLE = "title"
    SORT_TITLE = "titleSort"
    SUMMARY = "summary"
    TAGLINE = "tagline"
    DATE = "originallyAvailableAt"
    STUDIO = "studio"
    CONTENT_RATING = "contentRating"
    RATING = "userRating"
    ACTORS = "actor"
    GENRES = "genre"
    DIRECTORS = "director"
    COLLECTIONS = "collection"
    LABELS = "label"
    POSTER = "thumb"
    BACKGROUND = "art"


LIST_FIELDS: Final = frozenset({Field.ACTORS, Field.GENRES, Field.DIRECTORS, Field.COLLECTIONS, Field.LABELS})
IMAGE_FIELDS: Final = frozenset({Field.POSTER, Field.BACKGROUND})
SHARED_LISTS: Final = frozenset({Field.COLLECTIONS, Field.LABELS})
"""Lists that a person fills too: SceneSync removes from them only what it put there."""
FILLED_BY_OTHERS: Final = frozenset({Field.DATE, Field.RATING, Field.CONTENT_RATING})
"""Fields that Plex or a person fills whatever Stash knows: an empty wish takes away only what SceneSync wrote.

Plex fills an unset date with the day the file was added (facts/plex.md 3.2), an agent the content rating, and the
rating is the owner's own.
"""
NEVER_LOCKED: Final = frozenset({Field.RATING})
"""A refresh leaves the owner's rating alone, so there is nothing to protect it from."""

_HIGHEST_RATING: Final = 10.0
_HALF_A_STEP: Final = 0.5


def empty_value(field: Field) -> FieldValue:
    """Return what an unset field of this kind holds."""
    return () if field in LIST_FIELDS else ""


def same_to_the_eye(left: FieldValue, right: FieldValue) -> bool:
    """Say whether two values differ only in what a Plex server changes by itself.

    Plex trims; in lists it keeps an existing tag's capitals, title-cases labels and may use an order of its own
    (facts/plex.md 3.3), none of which is a sign that an edit was ignored. The capitals of a text are as they were sent.
    """
    return _folded(left) == _folded(right)


def shown_as(field: Field, shown: FieldValue, wanted: FieldValue) -> bool:
    """Say whether ``shown`` is how a server may show ``wanted`` in ``field``."""
    if field is Field.RATING and isinstance(shown, str) and isinstance(wanted, str):
        return shown == wanted or _rounded_to(shown, wanted)
    return same_to_the_eye(shown, wanted)


def rating_text(rating: float | str | None) -> str:
    """Return a rating of 0 to 10 in its one spelling ("8.5", "8"); "" for none, for 0 and for what is no number.

    Plex and its clients take 0 for "not rated" (facts/plex.md 3.2).
    """
    try:
        number = min(float(rating or 0), _HIGHEST_RATING)
    except ValueError:
        return ""
    return f"{round(number, 2):g}" if number > 0 else ""


def _rounded_to(shown: str, wanted: str) -> bool:
    """Say whether a server that knows half stars only, which are whole numbers here, would show ``wanted`` so."""
    if not shown or not wanted or not float(shown).is_integer():
        return False
    return abs(float(shown) - float(wanted)) <= _HALF_A_STEP


def _folded(value: FieldValue) -> object:
    if isinstance(value, str):
        return _trimmed(value)
    return frozenset(_trimmed(name).casefold() for name in value)


def _trimmed(text: str) -> str:
    # Compared per line without outer blanks: servers trim, and \r\n comes back as \n.
    lines = unicodedata.normalize("NFC", text).strip().splitlines()
    return "\n".join(line.strip() for line in lines)
