"""Everything the simulated server knows, and the changes that need more than one object to stay consistent."""

import posixpath
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from scenesync.simulators.plex.model import (
    Change,
    ImageCandidate,
    MediaVersion,
    PlexCollection,
    PlexItem,
    PlexLibrary,
    Scalar,
    UnscannedFile,
)
from scenesync.simulators.plex.tags import TagRegistry, TagUse

_FIRST_RATING_KEY = 1001
_FIRST_MEDIA_ID = 30_001
_SEEDED_NAMESPACE = uuid.UUID("6f6b1a52-64d5-4c1b-9d7e-3c1f0a3a8f10")


class Catalogue:
    """Libraries and their items. Not thread-safe: the server guards it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_rating_key = _FIRST_RATING_KEY - 1
        self._last_media_id = _FIRST_MEDIA_ID - 1
        self.libraries: dict[str, PlexLibrary] = {}
        self.entries: dict[str, PlexItem] = {}
        """Rating key -> movie or collection."""
        self.tags = TagRegistry()
        self.on_change: Callable[[PlexItem, Change], None] = lambda _item, _change: None
        """Told of every movie and collection that comes, changes or goes."""

    @property
    def now(self) -> int:
        """Epoch seconds, whole as in all of Plex's times."""
        return int(self._clock())

    def add_library(self, title: str, roots: Sequence[str], type_: str, agent: str, scanner: str) -> PlexLibrary:
        """Create a library."""
        key = str(len(self.libraries) + 1)
        library = PlexLibrary(
            key=key,
            title=title,
            roots=tuple(roots),
            type=type_,
            agent=agent,
            scanner=scanner,
            uuid=str(uuid.uuid5(_SEEDED_NAMESPACE, key + title)),
            created_at=self.now,
            scanned_at=self.now,
        )
        self.libraries[key] = library
        return library

    def library_of(self, item: PlexItem) -> PlexLibrary:
        """Return the library that holds an item."""
        return self.libraries[item.library_key]

    def movies(self) -> Iterator[PlexItem]:
        """All movies of all libraries."""
        for library in self.libraries.values():
            yield from library.items.values()

    def new_version(self, file: str, size_bytes: int | None, duration_ms: int | None) -> MediaVersion:
        """Make a version with an id of its own."""
        self._last_media_id += 1
        return MediaVersion(self._last_media_id, file, size_bytes, duration_ms)

    def add_movie(self, library: PlexLibrary, versions: Sequence[MediaVersion], title: str | None) -> PlexItem:
        """Add a movie; without a title it shows the name of its first file, as Plex does."""
        key = self._next_rating_key()
        shown = title or posixpath.splitext(posixpath.basename(versions[0].file.replace("\\", "/")))[0]
        originals: Mapping[str, Scalar] = {"title": shown, "titleSort": shown}
        now = self.now
        frame = ImageCandidate(f"media://{key}/Thumbnails/thumb1.jpg", f"frame of {shown}".encode(), selected=True)
        item = PlexItem(
            rating_key=key,
            library_key=library.key,
            added_at=now,
            updated_at=now,
            scalars=dict(originals),
            originals=originals,
            versions=tuple(versions),
            posters=(frame,),
            poster_at=now,
        )
        library.items[key] = self.entries[key] = item
        library.revision += 1
        self.on_change(item, Change.ADDED)
        return item

    def remove(self, item: PlexItem) -> None:
        """Forget a movie, or a collection together with its tag on every member."""
        library = self.library_of(item)
        if isinstance(item, PlexCollection):
            for key in tuple(item.members):
                self.leave_collection(library.items[key], item)
            del library.collections[item.rating_key]
        else:
            for collection in library.collections.values():
                collection.members.pop(item.rating_key, None)
            del library.items[item.rating_key]
        del self.entries[item.rating_key]
        library.revision += 1
        self.on_change(item, Change.REMOVED)

    def touch(self, item: PlexItem, *, moves_updated_at: bool) -> None:
        """Note that an item changed: rendered entries and cached lists are out of date."""
        item.fragments.clear()
        self.libraries[item.library_key].revision += 1
        if moves_updated_at:
            item.updated_at = self.now
        self.on_change(item, Change.CHANGED)

    def add_collection(self, library: PlexLibrary, title: str) -> PlexCollection:
        """Create an empty collection."""
        now = self.now
        scalars: dict[str, Scalar] = {"title": title, "titleSort": title}
        collection = PlexCollection(
            rating_key=self._next_rating_key(),
            library_key=library.key,
            added_at=now,
            updated_at=now,
            scalars=scalars,
            originals=dict(scalars),
        )
        library.collections[collection.rating_key] = self.entries[collection.rating_key] = collection
        library.revision += 1
        return collection

    def collection_called(self, library: PlexLibrary, title: str) -> PlexCollection | None:
        """Return the library's collection of this title."""
        return next((found for found in library.collections.values() if found.title == title), None)

    def set_tags(self, item: PlexItem, kind: str, uses: Iterable[TagUse]) -> None:
        """Replace the tags of one kind; collection tags create collections and join or leave them."""
        uses = tuple(uses)
        if kind == "collection":
            self._follow_collections(item, [use.tag.name for use in uses])
        if uses:
            item.tags[kind] = uses
        else:
            item.tags.pop(kind, None)

    def join_collection(self, item: PlexItem, collection: PlexCollection) -> None:
        """Add a movie to a collection."""
        collection.members[item.rating_key] = None
        if collection.title not in item.collections:
            use = TagUse(self.tags.get("collection", collection.title))
            item.tags["collection"] = (*item.tags.get("collection", ()), use)

    def leave_collection(self, item: PlexItem, collection: PlexCollection) -> None:
        """Take a movie out of a collection, which stays even when it is empty."""
        collection.members.pop(item.rating_key, None)
        rest = tuple(use for use in item.tags.get("collection", ()) if use.tag.name != collection.title)
        item.tags["collection"] = rest
        self.touch(item, moves_updated_at=False)

    def rename_collection(self, collection: PlexCollection, title: str) -> None:
        """Carry a collection's new title to the tags of its members."""
        library = self.library_of(collection)
        new = TagUse(self.tags.get("collection", title))
        for key in collection.members:
            member = library.items[key]
            member.tags["collection"] = tuple(
                new if use.tag.name == collection.title else use for use in member.tags["collection"]
            )
            self.touch(member, moves_updated_at=False)

    def take_scanned(self, library: PlexLibrary, wanted: Callable[[UnscannedFile], bool]) -> tuple[PlexItem, ...]:
        """Turn unscanned files into items: what a scan does."""
        found = [file for file in library.unscanned if wanted(file)]
        library.unscanned = [file for file in library.unscanned if not wanted(file)]
        library.scanned_at = self.now
        return tuple(
            self.add_movie(library, (self.new_version(file.file, file.size_bytes, file.duration_ms),), None)
            for file in found
        )

    def _follow_collections(self, item: PlexItem, titles: Sequence[str]) -> None:
        library = self.library_of(item)
        for title in titles:
            collection = self.collection_called(library, title) or self.add_collection(library, title)
            collection.members.setdefault(item.rating_key, None)
        for collection in library.collections.values():
            if collection.title not in titles:
                collection.members.pop(item.rating_key, None)

    def _next_rating_key(self) -> str:
        self._last_rating_key += 1
        return str(self._last_rating_key)
