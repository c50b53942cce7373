"""What SceneSync asks and tells Plex about collections as such (facts/plex.md 5).

Membership is not among it: a film enters and leaves a collection with the edit of its own fields, and a collection's
texts are edited and its picture is sent as an item's are.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from scenesync.plex import parse
from scenesync.plex.exceptions import PlexNotFound
from scenesync.plex.exchange import parsed
from scenesync.plex.request import Request, checked_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scenesync.domain.item import Collection
    from scenesync.plex.exchange import Exchange

PAGE_SIZE: Final = 1000
IDS_PER_READ: Final = 50


class PlexCollections:
    """The collections of one Plex server; implements ``domain.ports.CollectionServer``. Thread-safe."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def of_library(self, library_key: str) -> Sequence[Collection]:
        """Return the library's collections: one request for each thousand."""
        # Without a filter by title: a server that does not know one answers that there is nothing (facts/plex.md 0.6).
        path = f"/library/sections/{checked_key(library_key, 'a library key')}/all"
        found = (each for page in self._pages(path, "type=18&") for each in parse.collections(page))
        return tuple({each.item.rating_key: each for each in found}.values())

    def read(self, rating_keys: Sequence[str]) -> Mapping[str, Collection]:
        """Read collections in full, fifty in a request; what does not exist or is none is not in the answer."""
        found: dict[str, Collection] = {}
        keys = [checked_key(key, "a rating key") for key in dict.fromkeys(rating_keys)]
        for start in range(0, len(keys), IDS_PER_READ):
            found |= self._read(keys[start : start + IDS_PER_READ])
        return found

    def members(self, rating_key: str) -> Sequence[str]:
        """Return the rating keys of the films in a collection, in its order. Raises PlexNotFound if it is gone."""
        pages = self._pages(f"{_collection(rating_key)}/children")
        return tuple(dict.fromkeys(key for page in pages for key in parse.member_keys(page)))

    def sort_by_hand(self, rating_key: str) -> None:
        """Let a collection's members stand in the order that they are moved into, not in that of their release."""
        self.exchange.write(Request("PUT", f"{_collection(rating_key)}/prefs", "collectionSort=2"), "sort collection")

    def move(self, rating_key: str, member: str, *, after: str) -> None:
        """Put a member of a collection behind another one, or with "" before all."""
        path = f"{_collection(rating_key)}/items/{checked_key(member, 'a rating key')}/move"
        query = f"after={checked_key(after, 'a rating key')}" if after else ""
        self.exchange.write(Request("PUT", path, query), "sort collection")

    def delete(self, rating_key: str) -> None:
        """Delete a collection; its films stay. One that is gone already is fine."""
        with contextlib.suppress(PlexNotFound):
            self.exchange.write(Request("DELETE", _collection(rating_key)), "delete collection")

    def _read(self, keys: Sequence[str]) -> dict[str, Collection]:
        request = Request("GET", f"/library/metadata/{','.join(keys)}", "skipRefresh=1")
        try:
            collections = parsed(request, self.exchange.read(request, "read collections"), parse.collections)
        except PlexNotFound:
            if len(keys) == 1:
                return {}
            # Whether one missing item hides the others is not known (facts/plex.md 2.5).
            return {key: found for each in keys for key, found in self._read([each]).items()}
        return {found.item.rating_key: found for found in collections if found.item.rating_key in keys}

    def _pages(self, path: str, query: str = "") -> Iterator[parse.Node]:
        """Yield the pages of a listing until nothing is left, or the server says that there is no more."""
        start = 0
        while True:
            paging = f"X-Plex-Container-Start={start}&X-Plex-Container-Size={PAGE_SIZE}"
            request = Request("GET", path, f"{query}{paging}")
            page = parsed(request, self.exchange.read(request, "collections"), lambda node: node)
            received = parse.row_count(page)
            yield page
            start += received
            total = parse.total_size(page)
            # A short page says nothing: a server may give less than it was asked for, or everything (facts 2.1).
            if not received or received > PAGE_SIZE or (total is not None and start >= total):
                return


def _collection(rating_key: str) -> str:
    return f"/library/collections/{checked_key(rating_key, 'a rating key')}"
