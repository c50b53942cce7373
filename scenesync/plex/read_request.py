"""The request that reads items in full, by as many keys as fit into a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.plex.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

IDS_PER_READ: Final = 100
"""No maximum is documented but the length of the line; nobody is known to have asked for more (facts/plex.md 2.5)."""


def items_request(keys: Sequence[str]) -> Request:
    """Return the request that reads these items."""
    # Without skipRefresh a read may make Plex analyse the file first, which takes minutes (facts/plex.md 2.5, 7).
    return Request("GET", f"/library/metadata/{','.join(keys)}", "skipRefresh=1")


def chunks(keys: Sequence[str], line_bytes: int, at_once: int) -> Iterator[Sequence[str]]:
    """Cut ``keys`` into lists of at most ``at_once`` whose request line is not longer than ``line_bytes``."""
    chunk: list[str] = []
    length = bare = items_request(()).line_bytes
    for key in keys:
        longer = length + len(key) + (1 if chunk else 0)
        if chunk and (len(chunk) == at_once or longer > line_bytes):
            yield chunk
            chunk, longer = [], bare + len(key)
        chunk.append(key)
        length = longer
    if chunk:
        yield chunk
