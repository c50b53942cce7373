"""Judge what came back for a picture's address. Pure: bytes and headers in, a picture or an error out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from scenesync.domain.errors import ImageUnusable
from scenesync.stash.http_errors import shorten

SVG: Final = "image/svg+xml"


@dataclass(frozen=True, slots=True)
class StashImage:
    """A cover as Stash has it (``domain.ports.Image``); ``content`` is empty if Stash only drew a placeholder."""

    content: bytes = field(repr=False)
    etag: str = ""


def judge_image(content: bytes, content_type: str, etag: str) -> StashImage:
    """Return the picture in an answer with status 200.

    Stash answers a drawing (SVG) for a scene without a cover, and a login or proxy page is HTML: only what says that it
    is a picture and begins like one is taken for one (facts/stash.md 3.6).
    Raises ImageUnusable for everything else.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == SVG:
        return StashImage(b"", etag)
    if not media_type.startswith("image/"):
        raise ImageUnusable(f"Stash answered {shorten(media_type) or 'something unnamed'} where a cover was asked for.")
    if not is_picture(content):
        raise ImageUnusable(
            f"Stash answered {len(content)} bytes as {shorten(media_type)} that are no JPEG, PNG, WebP or GIF."
        )
    return StashImage(content, etag)


def is_picture(content: bytes) -> bool:
    """Say whether the bytes begin like a JPEG, PNG, WebP or GIF."""
    return content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")) or (
        content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    )
