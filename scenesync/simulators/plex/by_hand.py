"""Edits that a person makes in Plex itself."""

import time
from collections.abc import Iterable, Mapping
from typing import Final

from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.plex.catalogue import Catalogue
from scenesync.simulators.plex.editing import Editor
from scenesync.simulators.plex.edits import Edit, NamedTag, TagEdit
from scenesync.simulators.plex.model import PlexItem

_SCALARS: Final = {
    "title": "title",
    "title_sort": "titleSort",
    "summary": "summary",
    "tagline": "tagline",
    "studio": "studio",
    "content_rating": "contentRating",
    "originally_available_at": "originallyAvailableAt",
    "user_rating": "userRating",
}
_TAGS: Final = {
    "genres": "genre",
    "actors": "actor",
    "directors": "director",
    "collections": "collection",
    "labels": "label",
}


def edit_by_hand(
    catalogue: Catalogue, item: PlexItem, *, locked: bool, fields: Mapping[str, str | float | Iterable[str]]
) -> None:
    """Set fields to exactly these values. Raises :class:`KeyError` for an unknown field."""
    values: dict[str, str] = {}
    tags: dict[str, TagEdit] = {}
    for name, value in fields.items():
        if isinstance(value, str | int | float):
            values[_SCALARS[name]] = str(value)
        else:
            names = enumerate(value)
            tags[_TAGS[name]] = TagEdit({index: NamedTag(tag) for index, tag in names}, clears=True)
    locks = dict.fromkeys((*values, *tags), locked)
    Editor(catalogue, PlexBehaviour(), frozenset()).apply([item], Edit(values, locks, tags), time.time())
