"""Keep the local path index equal to what Plex's libraries hold, with as few requests as possible.

A full pass reads every page once. After that a library is read newest change first, only as far as something is new;
when the total then disagrees with the index (items were deleted, or the server does not sort), a full pass follows.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import LibraryNotFound
from scenesync.domain.item import ListedItem
from scenesync.worker.listing import PAGE_SIZE, every_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scenesync.domain.item import Item, Library
    from scenesync.domain.matching import IndexedFile
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.shown_item import ShownItem
    from scenesync.store.path_index import PathIndexStore

log = logging.getLogger(__name__)

NEWEST_PAGE_SIZE: Final = 100
CLOCK_MARGIN_S: Final = 5
"""Times of change have whole seconds, so several items may share the last one known."""
FULL_PASS_EVERY_S: Final = 24 * 3600.0
MISS_REFRESH_EVERY_S: Final = 5.0
"""A scene that is not found asks Plex again at most this often: somebody may have added the file a moment ago."""


class LibraryIndex:
    """The path index of the configured libraries (all movie libraries when none is named).

    ``on_new_files`` is told the name keys of files that appeared.
    """

    def __init__(
        self,
        server: MediaServer,
        store: PathIndexStore,
        *,
        wanted_libraries: Sequence[str] = (),
        on_new_files: Callable[[frozenset[str]], object] | None = None,
    ) -> None:
        self._server = server
        self._store = store
        self._wanted = tuple(wanted_libraries)
        self._on_new_files = on_new_files
        self._lock = threading.Lock()
        self._refreshed_at: float | None = None
        self._library_keys: frozenset[str] = frozenset()

    def files_at(self, key: str) -> Sequence[IndexedFile]:
        """Return the files with this case-folded path key."""
        return self._store.files_at(key)

    def files_named(self, key: str) -> Sequence[IndexedFile]:
        """Return the files with this name key."""
        return self._store.files_named(key)

    def files_of(self, rating_key: str) -> Sequence[IndexedFile]:
        """Return the files of an item."""
        return self._store.files_of(rating_key)

    def forget_item(self, rating_key: str, paths: Iterable[str]) -> None:
        """Drop an item that Plex no longer has, or that plays none of these files, unless that is known by now."""
        self._store.forget_item(rating_key, paths)

    @property
    def library_keys(self) -> frozenset[str]:
        """The libraries that the last refresh found to be wanted."""
        return self._library_keys

    def take_over(self, items: Iterable[Item]) -> frozenset[str]:
        """Hold some items as they were just read in full; return the name keys of their new and moved files."""
        listed = [_without_time(item) for item in items if item.library_key in self._library_keys]
        new_names = self._store.upsert_items(listed) if listed else frozenset()
        self._tell(new_names)
        return new_names

    def refresh(self) -> None:
        """Bring the index up to date. Raises the errors of ``plex.exceptions`` and LibraryNotFound."""
        with self._lock:
            new_names = self._refresh()
        self._tell(new_names)

    def read_showing(self, walk: Callable[[Library], Iterator[ShownItem]], look: Callable[[ShownItem], object]) -> None:
        """Read every library anew by ``walk``, whose listings show what the items look like; ``look`` sees each.

        Raises like ``refresh``.
        """
        with self._lock:
            appeared: set[str] = set()
            for library in self._chosen_libraries():
                appeared |= self._read_everything(library, _looked_at(walk(library), look))
            self._refreshed_at = time.monotonic()
        self._tell(frozenset(appeared))

    def refresh_after_miss(self, looked_at: float) -> bool:
        """Refresh unless that was done a moment ago; say whether there may be something new since ``looked_at``.

        That is when the index was asked in vain, or for what turned out to be wrong (monotonic). Threads that miss side
        by side refresh once: all of them look again, also those whose look was under way meanwhile.
        """
        with self._lock:
            if self._refreshed_at is not None:
                if self._refreshed_at >= looked_at:
                    return True
                if time.monotonic() - self._refreshed_at < MISS_REFRESH_EVERY_S:
                    return False
            new_names = self._refresh()
        self._tell(new_names)
        return True

    def _refresh(self) -> frozenset[str]:
        """Refresh every library and return the name keys of files that appeared."""
        new_names = frozenset[str]().union(*(self._refresh_library(each) for each in self._chosen_libraries()))
        self._refreshed_at = time.monotonic()
        return new_names

    def _chosen_libraries(self) -> Sequence[Library]:
        """Return the libraries that count; what is known of others is dropped."""
        libraries = choose_libraries(self._server.libraries(), self._wanted)
        self._library_keys = frozenset(library.key for library in libraries)
        self._store.drop_libraries_except(self._library_keys)
        return libraries

    def _tell(self, new_names: frozenset[str]) -> None:
        if new_names and self._on_new_files is not None:
            self._on_new_files(new_names)

    def _refresh_library(self, library: Library) -> frozenset[str]:
        """Return the name keys of files that appeared."""
        state = self._store.library_state(library.key)
        now = time.time()
        # A clock that was set back makes the last pass look like the future: read everything again then, too.
        if state.last_full_pass_at is None or not 0 <= now - state.last_full_pass_at < FULL_PASS_EVERY_S:
            return self._read_everything(library, self._all_items(library))
        new_names, total, in_order = self._read_newest(library, state.newest_updated_at)
        if not in_order or (total is not None and total != self._store.library_state(library.key).item_count):
            return new_names | self._read_everything(library, self._all_items(library))
        self._store.set_library_state(library.key, last_refresh_at=now)
        return new_names

    def _read_everything(self, library: Library, items: Iterable[ListedItem]) -> frozenset[str]:
        started = time.monotonic()
        done = self._store.replace_library(library.key, items, started_at=time.time())
        log.info(
            "path index read library=%s items=%d gone=%d seconds=%.1f",
            library.title,
            done.seen,
            len(done.removed),
            time.monotonic() - started,
        )
        return done.appeared

    def _all_items(self, library: Library) -> Iterator[ListedItem]:
        return every_item(library, lambda start: self._server.list_items(library.key, start=start, size=PAGE_SIZE))

    def _read_newest(self, library: Library, known_until: int) -> tuple[frozenset[str], int | None, bool]:
        """Read what changed since ``known_until``; return new names, the server's total, and whether it did sort."""
        new_names: frozenset[str] = frozenset()
        since = known_until - CLOCK_MARGIN_S
        start, last = 0, math.inf
        while True:
            page = self._server.list_items(library.key, start=start, size=NEWEST_PAGE_SIZE, newest_first=True)
            times = [item.updated_at for item in page.items]
            if any(later > earlier for earlier, later in pairwise([last, *times])):
                return new_names, page.total, False
            new_names |= self._store.upsert_items(item for item in page.items if item.updated_at >= since)
            start += len(page.items)
            ended = page.total is not None and start >= page.total
            if not times or times[-1] < since or ended:
                return new_names, page.total, True
            last = times[-1]


def _without_time(item: Item) -> ListedItem:
    """Return an item for the index without its time of change.

    ``_read_newest`` takes the latest time there is for how far it has read: one that came in ahead of the others would
    hide what changed before it. At worst it reads this one again.
    """
    return ListedItem(item.rating_key, item.library_key, item.parts)


def _looked_at(shown: Iterable[ShownItem], look: Callable[[ShownItem], object]) -> Iterator[ListedItem]:
    for each in shown:
        look(each)
        yield each.listed


def choose_libraries(existing: Sequence[Library], wanted: Sequence[str]) -> Sequence[Library]:
    """Return the libraries named in the settings, all when none is. Raises LibraryNotFound."""
    if not wanted:
        return existing
    by_title = {library.title.casefold(): library for library in existing}
    for name in wanted:
        if name.casefold() not in by_title:
            raise LibraryNotFound(name, existing=[library.title for library in existing])
    return [by_title[name.casefold()] for name in wanted]
