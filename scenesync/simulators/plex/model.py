"""Libraries, movies and collections as the simulated server holds them, readable by tests without ceremony."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Literal

from scenesync.simulators.plex.tags import TagUse

Scalar = str | int | float
ImageKind = Literal["poster", "art"]


class Change(StrEnum):
    """What became of an item."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


MOVIE_TYPE: Final = "1"
COLLECTION_TYPE: Final = "18"
_NO_TAGS: Final[tuple[TagUse, ...]] = ()


@dataclass(frozen=True, slots=True)
class MediaVersion:
    """One version of a movie: one file. ``size_bytes`` and ``duration_ms`` are absent while Plex analyses it."""

    id: int
    file: str
    size_bytes: int | None
    duration_ms: int | None

    @property
    def container(self) -> str:
        """The file's extension without the dot."""
        return self.file.rpartition(".")[2].lower()


@dataclass(frozen=True, slots=True)
class ImageCandidate:
    """An image that an item could show. Uploads are keyed by the SHA-1 of their bytes."""

    key: str
    data: bytes
    selected: bool = False

    @property
    def sha1(self) -> str:
        """Hexadecimal SHA-1 of the bytes."""
        return hashlib.sha1(self.data, usedforsecurity=False).hexdigest()


@dataclass(slots=True, eq=False)
class PlexItem:
    """A movie (or, as a subclass, a collection). Fields are named by parameter stems; an unset scalar is absent."""

    rating_key: str
    library_key: str
    added_at: int
    updated_at: int
    scalars: dict[str, Scalar]
    originals: Mapping[str, Scalar]
    """What a refresh puts back into unlocked fields."""
    versions: tuple[MediaVersion, ...] = ()
    tags: dict[str, tuple[TagUse, ...]] = field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    """Stems of the locked fields."""
    posters: tuple[ImageCandidate, ...] = ()
    arts: tuple[ImageCandidate, ...] = ()
    poster_at: int = 0
    """Epoch seconds of the last change of poster, part of its address."""
    art_at: int = 0
    deleted_at: int | None = None
    """When the file vanished: the item is in the trash."""
    fragments: dict[object, str] = field(default_factory=dict, repr=False)
    """Rendered listing entries, dropped on every change."""

    type_number = MOVIE_TYPE

    @property
    def title(self) -> str:
        """The title."""
        return self.text("title")

    @property
    def title_sort(self) -> str:
        """The title used for sorting."""
        return self.text("titleSort")

    @property
    def summary(self) -> str:
        """The summary, empty if there is none."""
        return self.text("summary")

    @property
    def tagline(self) -> str:
        """The tagline, empty if there is none."""
        return self.text("tagline")

    @property
    def studio(self) -> str:
        """The studio, empty if there is none."""
        return self.text("studio")

    @property
    def content_rating(self) -> str:
        """The content rating, empty if there is none."""
        return self.text("contentRating")

    @property
    def originally_available_at(self) -> str:
        """``YYYY-MM-DD``, empty if there is none."""
        return self.text("originallyAvailableAt")

    @property
    def year(self) -> int | None:
        """The year."""
        year = self.scalars.get("year")
        return None if year is None else int(year)

    @property
    def user_rating(self) -> float | None:
        """The owner's rating, 0 to 10."""
        rating = self.scalars.get("userRating")
        return None if rating is None else float(rating)

    @property
    def genres(self) -> tuple[str, ...]:
        """Names of the genres."""
        return self.names("genre")

    @property
    def actors(self) -> tuple[str, ...]:
        """Names of the actors, in order."""
        return self.names("actor")

    @property
    def roles(self) -> Mapping[str, str]:
        """Actor -> character played; only those with one."""
        return {use.tag.name: use.role for use in self.tags.get("actor", ()) if use.role}

    @property
    def actor_photos(self) -> Mapping[str, str]:
        """Actor -> address of the photo; only those with one."""
        return {use.tag.name: use.tag.thumb for use in self.tags.get("actor", ()) if use.tag.thumb}

    @property
    def directors(self) -> tuple[str, ...]:
        """Names of the directors."""
        return self.names("director")

    @property
    def collections(self) -> tuple[str, ...]:
        """Titles of the collections that the movie is in."""
        return self.names("collection")

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.names("label")

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of all versions."""
        return tuple(version.file for version in self.versions)

    @property
    def poster(self) -> ImageCandidate | None:
        """The selected poster."""
        return next((image for image in self.posters if image.selected), None)

    @property
    def art(self) -> ImageCandidate | None:
        """The selected background."""
        return next((image for image in self.arts if image.selected), None)

    def text(self, stem: str) -> str:
        """Return a scalar field as text, empty if unset."""
        return str(self.scalars.get(stem, ""))

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the names of one kind of tags."""
        return tuple(use.tag.name for use in self.tags.get(kind, _NO_TAGS))

    def images(self, kind: ImageKind) -> tuple[ImageCandidate, ...]:
        """Return the candidates of one kind."""
        return self.posters if kind == "poster" else self.arts

    def select_image(self, kind: ImageKind, key: str | None, now: int) -> None:
        """Make one candidate the selected one (None: none); the address of the image changes."""
        images = tuple(replace(image, selected=image.key == key) for image in self.images(kind))
        if kind == "poster":
            self.posters, self.poster_at = images, max(now, self.poster_at + 1)
        else:
            self.arts, self.art_at = images, max(now, self.art_at + 1)

    def add_image(self, kind: ImageKind, image: ImageCandidate) -> None:
        """Add a candidate, not selected."""
        if kind == "poster":
            self.posters = (*self.posters, image)
        else:
            self.arts = (*self.arts, image)


@dataclass(slots=True, eq=False)
class PlexCollection(PlexItem):
    """A collection of one library. It stays when its last movie leaves."""

    members: dict[str, None] = field(default_factory=dict)
    """Rating keys in order."""

    type_number = COLLECTION_TYPE


@dataclass(frozen=True, slots=True)
class UnscannedFile:
    """A file on the disk of the server that no scan has seen yet."""

    file: str
    size_bytes: int
    duration_ms: int
    appears_after_scan: bool


@dataclass(slots=True, eq=False)
class PlexLibrary:
    """A library ("section")."""

    key: str
    title: str
    roots: tuple[str, ...]
    type: str
    agent: str
    scanner: str
    uuid: str
    created_at: int
    scanned_at: int
    items: dict[str, PlexItem] = field(default_factory=dict)
    collections: dict[str, PlexCollection] = field(default_factory=dict)
    unscanned: list[UnscannedFile] = field(default_factory=list)
    scans_queued: int = 0
    revision: int = 0
    """Goes up with every change of anything in the library."""
    selections: dict[object, tuple[int, list[PlexItem]]] = field(default_factory=dict, repr=False)
    """Filtered and sorted lists, each with the revision at which it was right."""
