"""The rows of a simulated Stash: frozen, replaced as a whole by each write, so that any of them is a safe snapshot.

Times are texts, since that is what Stash's database holds and compares: RFC 3339 in the zone that the server had when
the row was written, in whole seconds (facts/stash.md 0.6).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "image/svg+xml"),
)


@dataclass(frozen=True, slots=True)
class Image:
    """A stored picture. ``etag`` is the quoted MD5 of its bytes."""

    content: bytes
    content_type: str
    etag: str


def image_of(content: bytes) -> Image:
    """Return ``content`` with the type that its first bytes tell."""
    kind = next((kind for start, kind in _SIGNATURES if content.startswith(start)), "application/octet-stream")
    return Image(content, kind, f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"')


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file as it lies on a disk, not known to Stash yet."""

    path: str
    size_bytes: int = 1_000_000
    duration_s: float = 60.0
    cover: bytes | None = None
    """The frame that Stash will take from it for the scene's cover."""


@dataclass(frozen=True, slots=True)
class SceneFile:
    """A file that Stash knows."""

    id: int
    path: str
    size_bytes: int
    duration_s: float
    mod_time: str
    created_at: str
    updated_at: str
    oshash: str
    format: str = "mp4"
    width: int = 1920
    height: int = 1080
    video_codec: str = "h264"
    audio_codec: str = "aac"
    frame_rate: float = 25.0

    @property
    def basename(self) -> str:
        """The last segment of the path, with either kind of separator."""
        return re.split(r"[\\/]", self.path)[-1]

    @property
    def bit_rate(self) -> int:
        """Bits per second, from size and duration."""
        return int(self.size_bytes * 8 / self.duration_s) if self.duration_s > 0 else 0


@dataclass(frozen=True, slots=True)
class StashId:
    """A scene's identity in a stash-box."""

    endpoint: str
    stash_id: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene with its relations as ids. ``files`` has the primary one first and may be empty."""

    id: int
    created_at: str
    updated_at: str
    title: str = ""
    code: str = ""
    details: str = ""
    director: str = ""
    date: str | None = None
    rating100: int | None = None
    organized: bool = False
    studio_id: int | None = None
    performer_ids: tuple[int, ...] = ()
    tag_ids: tuple[int, ...] = ()
    groups: tuple[tuple[int, int | None], ...] = ()
    """Pairs of a group's id and the scene's place in it."""
    urls: tuple[str, ...] = ()
    stash_ids: tuple[StashId, ...] = ()
    files: tuple[SceneFile, ...] = ()
    cover: Image | None = None
    resume_time_s: float = 0.0
    play_duration_s: float = 0.0
    play_history: tuple[str, ...] = ()
    o_history: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The primary file's path; empty without files."""
        return self.files[0].path if self.files else ""

    @property
    def shown_title(self) -> str:
        """What the UI shows and the sort by title uses: the file's name stands in for an empty title."""
        return self.title or (self.files[0].basename if self.files else "")


@dataclass(frozen=True, slots=True)
class Studio:
    """A studio; ``parent_id`` is the one that owns it."""

    id: int
    created_at: str
    updated_at: str
    name: str
    parent_id: int | None = None
    details: str = ""
    urls: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    favorite: bool = False
    rating100: int | None = None
    image: Image | None = None


@dataclass(frozen=True, slots=True)
class Performer:
    """A performer; several may share a name and differ by ``disambiguation``."""

    id: int
    created_at: str
    updated_at: str
    name: str
    disambiguation: str = ""
    alias_list: tuple[str, ...] = ()
    gender: str | None = None
    birthdate: str | None = None
    details: str = ""
    urls: tuple[str, ...] = ()
    favorite: bool = False
    rating100: int | None = None
    tag_ids: tuple[int, ...] = ()
    image: Image | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag; it may have several parents."""

    id: int
    created_at: str
    updated_at: str
    name: str
    sort_name: str = ""
    aliases: tuple[str, ...] = ()
    description: str = ""
    favorite: bool = False
    parent_ids: tuple[int, ...] = ()
    image: Image | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A group (once called movie) of scenes."""

    id: int
    created_at: str
    updated_at: str
    name: str
    aliases: str = ""
    date: str | None = None
    director: str = ""
    synopsis: str = ""
    studio_id: int | None = None
    rating100: int | None = None
    urls: tuple[str, ...] = ()
    image: Image | None = None


Entity = Studio | Performer | Tag | Group
