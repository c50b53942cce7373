"""One request to Plex as a value, and the keys that may stand in its path."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, Protocol
from urllib.parse import quote

from scenesync.plex.exceptions import PlexPermanentError

if TYPE_CHECKING:
    from collections.abc import Mapping

Method = Literal["GET", "POST", "PUT", "DELETE"]
"""DELETE is for pictures and collections alone: on an item it deletes the media files (facts/plex.md 7; `exchange`)."""

# A rating key is documented as an opaque string (facts/plex.md 2.5). A comma or a slash in it would name other items.
_KEY: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")

_LONGEST_NAME: Final = 40
"""What is longer is a text, which no other scene has."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of Plex. ``query`` is encoded; it and the body carry people's texts and stay out of the repr."""

    method: Method
    path: str
    query: str = field(default="", repr=False)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = ""

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def line_bytes(self) -> int:
        """The length that a server's limit for request lines applies to, in bytes."""
        return len(self.method) + 1 + len(self.target)

    @property
    def writes(self) -> bool:
        """Whether the request may have changed something although no answer came."""
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back. ``headers`` answers to names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class Send(Protocol):
    """The seam to the network: one request, one answer of any status."""

    def __call__(self, request: Request, *, read_timeout_s: float, probe: bool = False) -> RawAnswer:
        """Send ``request`` and wait at most ``read_timeout_s`` for each piece of the answer.

        A probe must not wait for other requests. Raises ``http_errors.NoAnswer``.
        """
        ...


def parameter(name: str, value: str) -> str:
    """Return one encoded query parameter; only letters, digits and ``_.-~`` stand for themselves."""
    return f"{_quoted_stem(name)}={quote(value, safe='')}"


def tag_parameter(name: str, tag: str) -> str:
    """Return the same for the name of a person, tag or studio, of which there are only so many."""
    quoted = _quoted_name(tag) if len(tag) <= _LONGEST_NAME else quote(tag, safe="")
    return f"{_quoted_stem(name)}={quoted}"


@lru_cache(maxsize=1024)  # a few dozen stems, and the places of a list
def _quoted_stem(name: str) -> str:
    return quote(name, safe="")


@lru_cache(maxsize=4096)  # people, tags, studios: the same ones in scene after scene
def _quoted_name(value: str) -> str:
    return quote(value, safe="")


def checked_key(key: str, kind: str) -> str:
    """Return ``key`` if it names exactly one thing; ``kind`` says what. Raises PlexPermanentError."""
    if not _KEY.fullmatch(key):
        raise PlexPermanentError(f"refused to send a request with {key[:80]!r} as {kind}")
    return key
