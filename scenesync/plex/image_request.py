"""The requests about an item's pictures (facts/plex.md 4). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scenesync.domain.fields import Field
from scenesync.plex.exceptions import PlexPermanentError
from scenesync.plex.request import Request, checked_key, parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_IMAGE_BYTES: Final = 10_480_000
"""Plex answers 500 to larger ones (facts/plex.md 4)."""


class _Elements(NamedTuple):
    candidates: str
    selection: str
    shown: str


_ELEMENTS: Final[Mapping[Field, _Elements]] = {
    Field.POSTER: _Elements("posters", "poster", "thumb"),
    Field.BACKGROUND: _Elements("arts", "art", "art"),
}

_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
)


def candidates(rating_key: str, field: Field) -> Request:
    """Ask for the pictures that the item has for ``field``."""
    return Request("GET", f"{_item(rating_key)}/{_elements(field).candidates}")


def upload(rating_key: str, field: Field, content: bytes) -> Request:
    """Upload a picture. Raises PlexPermanentError if it is empty or too large."""
    if not content:
        raise PlexPermanentError("refused to upload an empty picture")
    if len(content) > LARGEST_IMAGE_BYTES:
        raise PlexPermanentError(
            f"a picture of {len(content):,} bytes is too large: Plex takes up to {LARGEST_IMAGE_BYTES:,}"
        )
    path = f"{_item(rating_key)}/{_elements(field).candidates}"
    return Request("POST", path, body=content, content_type=image_type(content))


def select(rating_key: str, field: Field, key: str) -> Request:
    """Select the candidate with this key."""
    return Request("PUT", f"{_item(rating_key)}/{_elements(field).selection}", parameter("url", key))


def remove(rating_key: str, field: Field) -> Request:
    """Show no picture, which locks the field (facts/plex.md 4)."""
    return Request("DELETE", f"{_item(rating_key)}/{_elements(field).shown}")


def image_type(content: bytes) -> str:
    """Return the media type that the first bytes show."""
    for signature, media_type in _SIGNATURES:
        if content.startswith(signature):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "application/octet-stream"


def _item(rating_key: str) -> str:
    return f"/library/metadata/{checked_key(rating_key, 'a rating key')}"


def _elements(field: Field) -> _Elements:
    elements = _ELEMENTS.get(field)
    if elements is None:
        raise PlexPermanentError(f"{field.value} is not a picture")
    return elements
