"""The covers of one attempt: asked of Stash and made fit once each, before they are needed where that helps."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scenesync.domain.field_rules import PosterFit
    from scenesync.domain.fields import Field
    from scenesync.domain.ports import Image, SceneSource


class PictureMaker(Protocol):
    """What makes covers fit for Plex: the same bytes always become the same bytes."""

    def fit(self, field: Field) -> PosterFit:
        """Return how covers are made fit for ``field``."""
        ...

    def picture(self, field: Field, cover: bytes) -> bytes:
        """Return what is to be uploaded. Raises ImageUnusable, ImageTooLarge."""
        ...


class Covers:
    """Fetches and makes pictures for the threads of one attempt: what one of them fetches another waits for."""

    def __init__(self, source: SceneSource, maker: PictureMaker) -> None:
        self._source = source
        self._maker = maker
        self._lock = threading.Lock()
        self._fetched: dict[tuple[str, str], Image | None] = {}
        self._made: dict[tuple[PosterFit, str], bytes] = {}

    def fetch(self, url: str, known_etag: str) -> Image | None:
        """Return the cover, None if it is unchanged since ``known_etag``. Raises as ``SceneSource.image``."""
        with self._lock:
            asked = url, known_etag
            if asked not in self._fetched:
                self._fetched[asked] = self._source.image(url, known_etag=known_etag)
            return self._fetched[asked]

    def made(self, field: Field, cover: bytes) -> bytes:
        """Return what is made of a cover for ``field``. Raises ImageUnusable, ImageTooLarge."""
        with self._lock:
            wanted = self._maker.fit(field), sha1_of(cover)
            if wanted not in self._made:
                self._made[wanted] = self._maker.picture(field, cover)
            return self._made[wanted]


def sha1_of(content: bytes) -> str:
    """Return the hash by which Plex knows an upload (facts/plex.md 4)."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
