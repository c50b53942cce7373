"""Turn Plex's JSON into values of the domain. Pure, and lenient: numbers may be strings, single things stand for lists.

The shapes are those of facts/plex.md 2.4 to 2.6 and 4.
"""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from scenesync.domain.fields import Field, FieldValue, rating_text
from scenesync.domain.item import (
    Collection,
    Item,
    ItemPage,
    Library,
    ListedItem,
    MediaPart,
    ServerIdentity,
    UploadedImage,
)
from scenesync.domain.shown_item import CUT_SHORT, ShownItem, ShownPage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Node = dict[str, Any]

_TEXT_FIELDS: Final = (
    *(Field.TITLE, Field.SORT_TITLE, Field.SUMMARY, Field.TAGLINE, Field.DATE, Field.STUDIO, Field.CONTENT_RATING),
    *(Field.POSTER, Field.BACKGROUND),  # the paths under which Plex serves the selected ones
)
_TEXT_ATTRIBUTES: Final = tuple((field, field.value) for field in _TEXT_FIELDS)

_LIST_ELEMENTS: Final[Mapping[Field, str]] = {
    Field.ACTORS: "Role",  # written as "actor", read as "Role" (facts/plex.md 3.3)
    Field.GENRES: "Genre",
    Field.DIRECTORS: "Director",
    Field.COLLECTIONS: "Collection",
    Field.LABELS: "Label",
}
_NOTHING_LOCKED: Final = frozenset[str]()
_CUT_SHORT_ELEMENTS: Final = {field: element for field, element in _LIST_ELEMENTS.items() if field in CUT_SHORT}


class NotPlex(ValueError):
    """The body is not what a Plex server sends; the text says what it is instead, without quoting it."""


def container(body: bytes) -> Node:
    """Return the MediaContainer in ``body``. Raises NotPlex."""
    if not body.strip():
        raise NotPlex("an empty answer")
    if looks_like_html(body):
        raise NotPlex("an HTML page (a proxy's login or error page?)")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotPlex("an answer that is not JSON, or only a part of it") from error
    found = document.get("MediaContainer") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise NotPlex("JSON without a MediaContainer")
    return found


def looks_like_html(body: bytes) -> bool:
    """Say whether a page for people came instead of data."""
    return body[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def server_identity(node: Node) -> ServerIdentity:
    """Return who answered. Raises NotPlex."""
    machine_identifier = _text(node, "machineIdentifier")
    if not machine_identifier:
        raise NotPlex("an identity without machineIdentifier")
    return ServerIdentity(machine_identifier, _text(node, "version"))


def movie_libraries(node: Node) -> tuple[Library, ...]:
    """Return the libraries of type movie; Other Videos libraries are of this type too (facts/plex.md 7)."""
    return tuple(
        Library(_text(section, "key"), _text(section, "title"), _texts(section, "Location", "path"))
        for section in _nodes(node, "Directory")
        if _text(section, "type") == "movie" and _text(section, "key")
    )


def item_page(node: Node, *, library_key: str, start: int, size: int, header_total: str = "") -> ItemPage:
    """Return the page at ``start`` out of what the server sent, which need not be what it was asked for.

    A server that ignores paging sends everything; what stands before ``start`` is then left out (facts/plex.md 2.1).
    """
    rows, total = _page(node, start, size, header_total)
    section_key = _section_key(node) or library_key
    listed = (_listed_item(row, section_key) for row in rows)
    return ItemPage(tuple(item for item in listed if item is not None), total)


def shown_page(node: Node, *, library_key: str, start: int, size: int, header_total: str = "") -> ShownPage:
    """Return the same page with all that a listing tells of the items' fields."""
    rows, total = _page(node, start, size, header_total)
    section_key = _section_key(node) or library_key
    shown = (_shown_item(row, section_key) for row in rows)
    return ShownPage(tuple(item for item in shown if item is not None), total)


def items(node: Node, *, as_of: int = 0) -> tuple[Item, ...]:
    """Return the items of a read in full; ``as_of`` is as in ``Item``."""
    section_key = _section_key(node)
    return tuple([_item(row, section_key, as_of) for row in _nodes(node, "Metadata") if _text(row, "ratingKey")])


def collections(node: Node) -> tuple[Collection, ...]:
    """Return the collections of a listing or a read; what is none is left out (facts/plex.md 5)."""
    section_key = _section_key(node)
    return tuple(
        Collection(
            _item(row, section_key),
            _number(row, "childCount"),
            is_smart=_flag(row.get("smart")),
            sort=_text(row, "collectionSort"),
        )
        for row in (*_nodes(node, "Metadata"), *_nodes(node, "Directory"))
        if _text(row, "type") == "collection" and _text(row, "ratingKey")
    )


def member_keys(node: Node) -> tuple[str, ...]:
    """Return the rating keys of what a collection holds, in its order."""
    return tuple(key for row in _nodes(node, "Metadata") if (key := _text(row, "ratingKey")))


def server_time(date_header: str) -> int:
    """Return the server's time of an answer in epoch seconds, 0 if it does not tell it."""
    try:
        return int(parsedate_to_datetime(date_header).timestamp())
    except ValueError:
        return 0


def row_count(node: Node) -> int:
    """Return how many rows there are on this page."""
    return len(_nodes(node, "Metadata")) + len(_nodes(node, "Directory"))


def total_size(node: Node) -> int | None:
    """Return how many rows there are in all, None if the server does not say."""
    return _number(node, "totalSize")


def uploaded_images(node: Node) -> tuple[UploadedImage, ...]:
    """Return the candidates of an item's posters or backgrounds.

    The key is the candidate's ratingKey (``upload://posters/<sha1>``), which is also what selects it.
    """
    return tuple(
        UploadedImage(_text(row, "ratingKey") or _text(row, "key"), selected=_flag(row.get("selected")))
        for row in _nodes(node, "Metadata")
        if _text(row, "ratingKey") or _text(row, "key")
    )


def _page(node: Node, start: int, size: int, header_total: str) -> tuple[Sequence[Node], int | None]:
    """Return the rows from ``start`` on, and how many there are in all (None: not told)."""
    rows = _nodes(node, "Metadata")
    unpaged = len(rows) > size
    offset = _number(node, "offset")
    if offset is None:
        offset = 0 if unpaged else start
    total = _number(node, "totalSize")
    if total is None:
        total = _number({"total": header_total}, "total")
    if total is None and unpaged:
        total = offset + len(rows)
    return rows[max(0, start - offset) :], total


def _item(row: Node, section_key: str, as_of: int = 0) -> Item:
    return Item(
        rating_key=_text(row, "ratingKey"),
        library_key=_section_key(row) or section_key,
        parts=_parts(row),
        values=_values(row),
        locked=frozenset(_locked(row)) if "Field" in row else _NOTHING_LOCKED,
        photos={
            _text(role, "tag"): thumb
            for role in _nodes(row, "Role")
            if "thumb" in role and (thumb := _text(role, "thumb"))
        },
        updated_at=_number(row, "updatedAt") or 0,
        as_of=as_of,
    )


def _listed_item(row: Node, section_key: str) -> ListedItem | None:
    rating_key = _text(row, "ratingKey")
    if not rating_key:
        return None
    return ListedItem(
        rating_key=rating_key,
        library_key=_section_key(row) or section_key,
        parts=_parts(row),
        title=_text(row, "title"),
        added_at=_number(row, "addedAt") or 0,
        updated_at=_number(row, "updatedAt") or 0,
    )


def _shown_item(row: Node, section_key: str) -> ShownItem | None:
    listed = _listed_item(row, section_key)
    if listed is None:
        return None
    return ShownItem(listed, _told_in_full(row), _lists(row, _CUT_SHORT_ELEMENTS))


def _section_key(node: Node) -> str:
    """Return the library's key, which the container may hold for all its items."""
    return _text(node, "librarySectionID") or _text(node, "librarySectionKey").rpartition("/")[2]


def _values(row: Node) -> dict[Field, FieldValue]:
    return {**_told_in_full(row), **_lists(row, _LIST_ELEMENTS)}


def _told_in_full(row: Node) -> dict[Field, FieldValue]:
    values: dict[Field, FieldValue] = {}
    for field, attribute in _TEXT_ATTRIBUTES:
        if attribute in row and (text := _text(row, attribute)):
            values[field] = text
    if Field.RATING in row and (rating := rating_text(_text(row, Field.RATING.value))):
        values[Field.RATING] = rating
    return values


def _lists(row: Node, elements: Mapping[Field, str]) -> dict[Field, tuple[str, ...]]:
    found = {field: _texts(row, element, "tag") for field, element in elements.items() if element in row}
    return {field: tuple(dict.fromkeys(names)) for field, names in found.items() if names}


def _parts(row: Node) -> tuple[MediaPart, ...]:
    """Return the files of all versions; an item in analysis may lack sizes, durations or even all of it."""
    found = []
    for medium in _nodes(row, "Media"):
        parts = _nodes(medium, "Part")
        whole_ms = _number(medium, "duration") if len(parts) == 1 else None
        for part in parts:
            if file := _text(part, "file"):
                duration_ms = _number(part, "duration")
                found.append(MediaPart(file, _number(part, "size"), whole_ms if duration_ms is None else duration_ms))
    return tuple(found)


def _locked(row: Node) -> Iterator[str]:
    for entry in _nodes(row, "Field"):
        # Unlocking removes the element, so one without the attribute is a lock too.
        if (name := _text(entry, "name")) and _flag(entry.get("locked", True)):
            yield name


def _nodes(node: Node, name: str) -> Sequence[Node]:
    value = node.get(name)
    if isinstance(value, dict):
        return [value]
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _texts(node: Node, element: str, attribute: str) -> tuple[str, ...]:
    return tuple([text for entry in _nodes(node, element) if (text := _text(entry, attribute))])


def _text(node: Node, name: str) -> str:
    value = node.get(name)
    if isinstance(value, str):
        # JSON can spell half a character (a lone surrogate), which no database and no socket takes.
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return ""


def _number(node: Node, name: str) -> int | None:
    value = node.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def _flag(value: object) -> bool:
    return value is True or str(value).lower() in {"1", "true"}
