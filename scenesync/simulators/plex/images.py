"""Posters and backgrounds: uploading, selecting, removing, and the bytes themselves."""

from typing import Final

from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.plex.catalogue import Catalogue
from scenesync.simulators.plex.model import ImageCandidate, ImageKind, PlexItem
from scenesync.simulators.plex.records import FieldWrite

IMAGE_KINDS: Final[dict[str, ImageKind]] = {
    "posters": "poster",
    "poster": "poster",
    "thumbs": "poster",
    "thumb": "poster",
    "arts": "art",
    "art": "art",
}
"""Path element -> kind; singular and plural are both in use."""
LOCK_STEMS: Final[dict[ImageKind, str]] = {"poster": "thumb", "art": "art"}
_MAGIC: Final = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"RIFF", "image/webp"))


def content_type(data: bytes) -> str:
    """Return the type of an image, by its first bytes."""
    return next((name for magic, name in _MAGIC if data.startswith(magic)), "application/octet-stream")


class ImageShelf:
    """Changes the images of items under the behaviour of the moment."""

    def __init__(self, catalogue: Catalogue, behaviour: PlexBehaviour) -> None:
        self._catalogue = catalogue
        self._behaviour = behaviour

    def upload(self, item: PlexItem, kind: ImageKind, data: bytes, at: float) -> FieldWrite:
        """Keep posted bytes; whether they become the selected image depends on whether they were known."""
        image = ImageCandidate("", data)
        key = f"upload://{'posters' if kind == 'poster' else 'art'}/{image.sha1}"
        known = any(candidate.key == key for candidate in item.images(kind))
        if not known:
            item.add_image(kind, ImageCandidate(key, data))
        stem = LOCK_STEMS[kind]
        selects = {"new": not known, "always": True, "never": False}[self._behaviour.posted_image_selects]
        if self._behaviour.locked_image_refuses_post and stem in item.locked:
            selects = False
        before = _selected_sha1(item, kind)
        if selects:
            item.select_image(kind, key, self._catalogue.now)
        if self._behaviour.posted_image_locks:
            item.locked |= {stem}
        return self._finish(item, kind, before, at)

    def select(self, item: PlexItem, kind: ImageKind, key: str, at: float) -> FieldWrite | None:
        """Select a candidate by its key and lock the field; None if the item has no such candidate."""
        if all(candidate.key != key for candidate in item.images(kind)):
            return None
        before = _selected_sha1(item, kind)
        item.select_image(kind, key, self._catalogue.now)
        item.locked |= {LOCK_STEMS[kind]}
        return self._finish(item, kind, before, at)

    def remove(self, item: PlexItem, kind: ImageKind, at: float) -> FieldWrite:
        """Show no image any more, and lock that."""
        before = _selected_sha1(item, kind)
        item.select_image(kind, None, self._catalogue.now)
        item.locked |= {LOCK_STEMS[kind]}
        return self._finish(item, kind, before, at)

    def _finish(self, item: PlexItem, kind: ImageKind, before: str, at: float) -> FieldWrite:
        self._catalogue.touch(item, moves_updated_at=self._behaviour.updated_at_moves_on_edit)
        after = _selected_sha1(item, kind)
        return FieldWrite(item.rating_key, kind, before, after, before != after, at)


def _selected_sha1(item: PlexItem, kind: ImageKind) -> str:
    return next((image.sha1 for image in item.images(kind) if image.selected), "")
