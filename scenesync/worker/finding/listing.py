"""Page through a whole library, in bounded memory, and never take a listing that broke off for a complete one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from scenesync.plex.exceptions import PlexTemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scenesync.domain.item import Library
    from scenesync.domain.shown_item import ShownItem, ShownPage

Listed = TypeVar("Listed")
Listed_co = TypeVar("Listed_co", covariant=True)

PAGE_SIZE: Final = 1000


class Page(Protocol[Listed_co]):
    """One page; ``total`` is what the server said that there is in all, None if it did not."""

    @property
    def items(self) -> Sequence[Listed_co]:
        """What is on it."""
        ...

    @property
    def total(self) -> int | None:
        """How much there is in all."""
        ...


class ListingServer(Protocol):
    """Who lists items with what a listing tells of their fields: Plex."""

    def list_shown_items(self, library_key: str, *, start: int, size: int) -> ShownPage:
        """Return one page, ordered by id."""
        ...


class ListingEndedEarly(PlexTemporaryError):
    """A listing gave ``received`` items and then nothing more, although there should be ``total``."""

    def __init__(self, library: Library, received: int, total: int) -> None:
        super().__init__(f"Plex listed {received} of {total} items of library {library.title!r}.")
        self.received = received
        self.total = total

    def is_short_by(self, surplus: int) -> bool:
        """Say whether so many are missing as the server is known to count too many, and not all."""
        return self.received > 0 and 0 < surplus == self.total - self.received


def shown_items(server: ListingServer, library: Library) -> Iterator[ShownItem]:
    """Yield every item of a library with what a listing tells of its fields: one request for each thousand.

    An item that came or went meanwhile may be met twice, or not at all (facts/plex.md 2.1). Raises what the requests
    raise, and ListingEndedEarly.
    """
    return every_item(library, lambda start: server.list_shown_items(library.key, start=start, size=PAGE_SIZE))


def every_item(library: Library, page_at: Callable[[int], Page[Listed]]) -> Iterator[Listed]:
    """Yield what is on all pages; one that moved from page to page meanwhile is met twice, or not at all."""
    start = 0
    while True:
        page = page_at(start)
        yield from page.items
        # By what came, not by what was asked for: a server may cap its pages, or not say the total.
        start += len(page.items)
        if page.total is not None and start >= page.total:
            return
        if not page.items:
            if page.total is not None:
                raise ListingEndedEarly(library, start, page.total)
            return
