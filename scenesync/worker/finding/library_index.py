"""Keep the local path index equal to what Plex's libraries hold, with as few requests as possible.

A full pass reads every page once. After that a library is read newest change first, only as far as something may be
new. When that and the index then disagree (items were deleted, the server does not sort or was restored from a backup),
a full pass follows; those that find nothing, one after the other, become rare.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import LibraryNotFound
from scenesync.domain.item import ListedItem
from scenesync.worker.finding.full_pass_spacing import FullPassSpacing
from scenesync.worker.finding.listing import PAGE_SIZE, ListingEndedEarly, every_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scenesync.domain.item import Item, ItemPage, Library
    from scenesync.domain.matching import IndexedFile
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.shown_item import ShownItem
    from scenesync.store.path_index import LibraryState, PathIndexStore

log = logging.getLogger(__name__)

NEWEST_PAGE_SIZE: Final = 100
CLOCK_MARGIN_S: Final = 5
"""Times of change have whole seconds, so several items may share the last one known."""
FULL_PASS_EVERY_S: Final = 24 * 3600.0
CURRENT_S: Final = 10.0
"""What is known of an item's time of change may be so old where it is relied on."""
AT_MOST_EVERY_S: Final = 2.0
SAME_AGAIN_AFTER_S: Final = 5.0
"""A listing that breaks off at the same place after this time is as long as it gets."""
NAMES_AT_ONCE: Final = 1000
A_MOMENT_S: Final = 0.5
"""Whoever feeds the work waits no longer for another refresh: that may be reading every library for a minute."""
MISS_REFRESH_EVERY_S: Final = 5.0
"""A scene that is not found asks Plex again at most this often: somebody may have added the file a moment ago."""


class LibraryIndex:
    """The path index of the configured libraries (all movie libraries when none is named).

    ``on_new_files`` is told the name keys of files that appeared. While the index is ``kept_by_another`` node, Plex is
    not read here: what that one finds is in the store.
    """

    def __init__(
        self,
        server: MediaServer,
        store: PathIndexStore,
        *,
        wanted_libraries: Sequence[str] = (),
        on_new_files: Callable[[frozenset[str]], object] | None = None,
        kept_by_another: Callable[[], bool] = lambda: False,
    ) -> None:
        self._kept_by_another = kept_by_another
        self._last_refreshes: tuple[float | None, ...] | None = None
        self._looked_after_at: float | None = None
        self._server = server
        self._store = store
        self._wanted = tuple(wanted_libraries)
        self._on_new_files = on_new_files
        self._lock = threading.Lock()
        self._refreshed_at: float | None = None
        self._library_keys: frozenset[str] = frozenset()
        self._looked_at = 0.0
        self._is_current = False
        self._new_names: set[str] = set()
        self._noted = 0
        self._full_passes: dict[str, FullPassSpacing] = {}
        self._shortfalls: dict[str, tuple[int, int, float] | None] = {}

    def files_at(self, key: str) -> Sequence[IndexedFile]:
        """Return the files with this case-folded path key."""
        return self._store.files_at(key)

    def foresee(self, keys: Iterable[str]) -> None:
        """Look up all at once the files at these keys, for the block that looks them up one by one."""
        self._store.foresee(keys)

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
        wanted = [as_listed(item) for item in items if item.library_key in self._library_keys]
        new_names = self._store.upsert_items(wanted) if wanted else frozenset()
        if new_names and self._on_new_files is not None:
            self._on_new_files(new_names)
        return new_names

    def refresh(self) -> None:
        """Bring the index up to date. Raises the errors of ``plex.exceptions`` and LibraryNotFound."""
        with self._lock:
            self._refresh()
            self._tell()

    def refresh_unless_under_way(self) -> None:
        """Do what ``refresh`` does, unless somebody else is at it. Raises the same."""
        with self._turn_within(A_MOMENT_S) as is_ours:
            if is_ours:
                self._refresh()
                self._tell()

    @contextmanager
    def _turn_within(self, wait_s: float) -> Iterator[bool]:
        """Yield whether it is our turn to ask Plex, which it may not be within ``wait_s``."""
        is_ours = self._lock.acquire(timeout=wait_s)
        try:
            yield is_ours
        finally:
            if is_ours:
                self._lock.release()

    def is_current(self, asked_at: float) -> bool:
        """Say whether all is known that Plex had at ``asked_at`` (epoch seconds) and until a few seconds ago."""
        looked_since = self._looked_at >= min(asked_at, time.time())
        return self._is_current and looked_since and self._age_s() < CURRENT_S

    def _age_s(self) -> float:
        return math.inf if self._refreshed_at is None else time.monotonic() - self._refreshed_at

    def bring_up_to_date(self, asked_at: float) -> bool:
        """Refresh unless the index ``is_current``, and say whether it is then.

        It is not if it was refreshed a moment ago, but too early, or if another refresh takes its time. Raises what
        ``refresh`` raises.
        """
        if self._kept_by_another():
            return False
        with self._turn_within(A_MOMENT_S) as is_ours:
            if not is_ours:
                return False
            if self.is_current(asked_at):
                return True
            if self._age_s() < AT_MOST_EVERY_S:
                return False
            self._refresh()
            self._tell()
            return self._is_current

    def read_showing(self, walk: Callable[[Library], Iterator[ShownItem]], look: Callable[[ShownItem], object]) -> None:
        """Read every library anew by ``walk``, whose listings show what the items look like; ``look`` sees each.

        Raises like ``refresh``.
        """
        with self._lock:
            for library in self._chosen_libraries():
                self._replace(library, _looked_at(walk(library), look, self._store.library_state(library.key).surplus))
            self._refreshed_at = time.monotonic()
            self._tell()

    def refresh_after_miss(self, looked_at: float) -> bool:
        """Refresh unless that was done a moment ago; say whether there may be something new since ``looked_at``.

        That is when the index was asked in vain, or for what turned out to be wrong (monotonic). Threads that miss side
        by side refresh once: all of them look again, also those whose look was under way meanwhile. For a refresh that
        takes longer they do not wait.
        """
        with self._turn_within(MISS_REFRESH_EVERY_S) as is_ours:
            if not is_ours:
                return False
            if self._refreshed_at is not None:
                if self._refreshed_at >= looked_at:
                    return True
                if time.monotonic() - self._refreshed_at < MISS_REFRESH_EVERY_S:
                    return False
            self._refresh()
            self._tell()
            return self._refreshed_at is not None and self._refreshed_at >= looked_at

    def is_there(self) -> bool:
        """Say whether there is something to look up: not while another node reads a library for the first time."""
        return self._last_refreshes is None or None not in self._last_refreshes

    def _refresh(self) -> None:
        """Refresh every library, or see whether somebody else has."""
        if self._kept_by_another():
            self._look_after_another()
            return
        looked_at = time.time()
        self._last_refreshes = None
        known = [self._refresh_library(library) for library in self._chosen_libraries()]
        self._is_current = all(known)
        self._refreshed_at, self._looked_at = time.monotonic(), looked_at

    def _look_after_another(self) -> None:
        """Ask Plex for nothing but its libraries, and see in the store whether another node has been there since.

        When it was is told by that one's clock, so the index never counts as current here: whoever asks for that looks
        at the item itself.
        """
        now = time.monotonic()
        if self._looked_after_at is not None and now - self._looked_after_at < AT_MOST_EVERY_S:
            return
        self._looked_after_at = now
        libraries = choose_libraries(self._server.libraries(), self._wanted)
        self._library_keys = frozenset(library.key for library in libraries)
        refreshes = tuple(self._store.last_refresh_at(library.key) for library in libraries)
        if refreshes != self._last_refreshes:
            self._last_refreshes, self._refreshed_at = refreshes, now
            unread = [library.title for library, at in zip(libraries, refreshes, strict=True) if at is None]
            if unread:  # for ever, if that node has other plex_libraries than this one
                log.info("work waits until the elected node has read library=%s", ", ".join(unread))
        self._is_current = False

    def _chosen_libraries(self) -> Sequence[Library]:
        """Return the libraries that count; what is known of others is dropped."""
        libraries = choose_libraries(self._server.libraries(), self._wanted)
        self._library_keys = frozenset(library.key for library in libraries)
        self._store.drop_libraries_except(self._library_keys)
        return libraries

    def _tell(self) -> None:
        new_names, self._new_names = self._new_names, set()
        if new_names and self._on_new_files is not None:
            self._on_new_files(frozenset(new_names))

    def _note_new(self, names: frozenset[str]) -> None:
        self._new_names |= names
        self._noted += len(names)
        if len(self._new_names) >= NAMES_AT_ONCE:
            self._tell()

    def _refresh_library(self, library: Library) -> bool:
        """Say whether all of the library is known as it is now."""
        state = self._store.library_state(library.key)
        now = time.time()
        # A clock that was set back makes the last pass look like the future: read everything again then, too.
        if state.last_full_pass_at is None or not 0 <= now - state.last_full_pass_at < FULL_PASS_EVERY_S:
            self._read_everything(library)
            return True
        newest = self._read_newest(library, state)
        is_complete = newest.total is None or newest.total == self._count(library) + state.surplus
        spacing = self._full_passes.setdefault(library.key, FullPassSpacing())
        if not (newest.in_order and is_complete):
            if spacing.is_too_early():
                return False
            spacing.made_one(found_something=self._read_everything(library))
            return True
        spacing.none_was_needed()
        self._store.set_library_state(library.key, last_refresh_at=now, seen_until=newest.as_of)
        return True

    def _count(self, library: Library) -> int:
        return self._store.library_state(library.key).item_count

    def _read_everything(self, library: Library) -> bool:
        """Read every page; say whether that brought anything that was not known."""
        state = self._store.library_state(library.key)
        listing = _Listing(library, self._server, state.surplus, self._shortfalls.get(library.key))
        try:
            found_something = self._replace(library, listing.items())
        finally:
            self._shortfalls[library.key] = listing.shortfall
        surplus = 0 if listing.total is None else listing.total - self._count(library)
        self._store.note_listing(library.key, surplus=surplus, seen_until=listing.as_of)
        if surplus:
            log.info("plex counts %d more than it lists library=%s", surplus, library.title)
        return found_something

    def _replace(self, library: Library, items: Iterable[ListedItem]) -> bool:
        started, before = time.monotonic(), self._noted
        done = self._store.replace_library(library.key, items, started_at=time.time(), on_appeared=self._note_new)
        log.info(
            "path index read library=%s items=%d gone=%d seconds=%.1f",
            library.title,
            done.item_count,
            len(done.removed),
            time.monotonic() - started,
        )
        return bool(done.removed) or self._noted != before

    def _read_newest(self, library: Library, state: LibraryState) -> _Newest:
        """Read what changed since the last look, newest first, and make sure that nothing else did.

        What is older must be in the index as it is listed. A server that does not sort, and one that was restored from
        a backup, whose items went back in time, are found out by that. What moves to the front between two pages is
        read from there.
        """
        since = state.seen_until or state.newest_updated_at - CLOCK_MARGIN_S
        first = newest = self._walk(library, since)
        if state.seen_until and 0 < first.as_of < state.seen_until - CLOCK_MARGIN_S:  # the server's clock was set back
            return replace(first, in_order=False)
        while newest.in_order and not self._agrees(library, since, first):
            newest = self._walk(library, newest.as_of or since)
            if newest.seen <= first.seen:
                return replace(first, in_order=False)
            first.seen.update(newest.seen)
        return replace(first, in_order=newest.in_order, total=newest.total)

    def _agrees(self, library: Library, since: int, newest: _Newest) -> bool:
        return self._store.changed_since(library.key, since) == (len(newest.seen), newest.newest_other)

    def _walk(self, library: Library, since: int) -> _Newest:
        """Take over what changed at or after ``since``, newest first."""
        start, last, size = 0, math.inf, NEWEST_PAGE_SIZE
        as_of, seen = 0, set[str]()
        while True:
            page = self._server.list_items(library.key, start=start, size=size, newest_first=True)
            as_of = as_of or page.as_of
            times = [item.updated_at for item in page.items]
            if any(later > earlier for earlier, later in pairwise([last, *times])):
                return _Newest(page.total, as_of, seen, 0, in_order=False)
            changed = [item for item in page.items if item.updated_at >= since]
            self._note_new(self._store.upsert_items(changed))
            seen.update(item.rating_key for item in changed)
            start += len(page.items)
            if len(changed) < len(times) or not times or (page.total is not None and start >= page.total):
                newest_other = times[len(changed)] if len(changed) < len(times) else 0
                return _Newest(page.total, as_of, seen, newest_other, in_order=True)
            last, size = times[-1], PAGE_SIZE


@dataclass(frozen=True, slots=True)
class _Newest:
    """What a look at the latest changes found: how many items the server says it has, and which changed of late.

    ``newest_other`` is when the last of all others changed.
    """

    total: int | None
    as_of: int
    seen: set[str]
    newest_other: int
    in_order: bool


class _Listing:
    """One full listing of a library. ``shortfall`` is where it broke off, as received, total and when (monotonic)."""

    def __init__(
        self, library: Library, server: MediaServer, surplus: int, shortfall_before: tuple[int, int, float] | None
    ) -> None:
        self.total: int | None = None
        self.as_of = 0
        self.shortfall: tuple[int, int, float] | None = None
        self._surplus = surplus
        self._before = shortfall_before
        self._library = library
        self._server = server

    def items(self) -> Iterator[ListedItem]:
        """Yield every item, some maybe twice.

        Raises ListingEndedEarly, except for a listing that breaks off where it did some time ago: then it is the total
        that is wrong, and nothing would ever go on if that were taken for an accident.
        """
        try:
            yield from every_item(self._library, self._page)
        except ListingEndedEarly as error:
            now = time.monotonic()
            where = (error.received, error.total)
            self.shortfall = self._before if self._before and self._before[:2] == where else (*where, now)
            is_old = self.shortfall is self._before and now - self.shortfall[2] >= SAME_AGAIN_AFTER_S
            if not (error.is_short_by(self._surplus) or (error.received and is_old)):
                raise

    def _page(self, start: int) -> ItemPage:
        page = self._server.list_items(self._library.key, start=start, size=PAGE_SIZE)
        self.total, self.as_of = page.total, self.as_of or page.as_of
        return page


def as_listed(item: Item) -> ListedItem:
    """Return an item that was read for the index: without its time of change if the server does not tell its time.

    Then the latest time there is says how far ``_read_newest`` has read: one that came in ahead of the others would
    hide what changed before it. At worst it reads this one again.
    """
    updated_at = item.updated_at if item.as_of > 0 else 0
    return ListedItem(item.rating_key, item.library_key, item.parts, updated_at=updated_at)


def _looked_at(shown: Iterable[ShownItem], look: Callable[[ShownItem], object], surplus: int) -> Iterator[ListedItem]:
    """Let ``look`` see each; a listing that ends ``surplus`` items early is as long as it ever gets."""
    try:
        for each in shown:
            look(each)
            yield each.listed
    except ListingEndedEarly as error:
        if not error.is_short_by(surplus):
            raise


def choose_libraries(existing: Sequence[Library], wanted: Sequence[str]) -> Sequence[Library]:
    """Return the libraries named in the settings, all when none is. Raises LibraryNotFound."""
    if not wanted:
        return existing
    by_title = {library.title.casefold(): library for library in existing}
    for name in wanted:
        if name.casefold() not in by_title:
            raise LibraryNotFound(name, existing=[library.title for library in existing])
    return [by_title[name.casefold()] for name in wanted]
