"""Which collections a scene belongs to, and which of Plex's collections are SceneSync's own. Pure.

SceneSync owns a collection that did not exist before its first member entered it. Only such a one is ever given text
and picture, renamed or deleted; into others members are put, and only these are taken out again.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from scenesync.domain.fields import Field
from scenesync.domain.name_rules import any_fits
from scenesync.domain.text import SUMMARY_LIMIT, clean_name, clean_paragraphs

if TYPE_CHECKING:
    from collections.abc import Collection as Container
    from collections.abc import Iterable, Iterator, Mapping

    from scenesync.domain.item import Collection
    from scenesync.domain.name_rules import NamePattern
    from scenesync.domain.scene import About, Scene


class CollectionSource(StrEnum):
    """What may be made a collection, besides the tags of some patterns."""

    STUDIO = "studio"
    PARENT_STUDIOS = "parent_studios"
    GROUPS = "groups"


class OriginKind(StrEnum):
    """What a collection was made of; of several with one name the first in this order describes it."""

    STUDIO = "studio"
    GROUP = "group"
    TAG = "tag"


_PRECEDENCE = tuple(OriginKind)


@dataclass(frozen=True, slots=True)
class Origin:
    """The studio, group or tag in Stash that a collection stands for."""

    kind: OriginKind
    id: int

    @property
    def rank(self) -> tuple[int, int]:
        """Where it stands among those of the same name: the lowest describes the collection."""
        return _PRECEDENCE.index(self.kind), self.id


@dataclass(frozen=True, slots=True)
class CollectionRules:
    """Which collections there are, and what SceneSync gives those that it made besides their name."""

    sources: frozenset[CollectionSource] = frozenset({CollectionSource.STUDIO})
    tags: tuple[NamePattern, ...] = ()
    summary: bool = True
    poster: bool = True
    order: bool = True


@dataclass(frozen=True, slots=True)
class WantedCollection:
    """A collection that a scene is to be in, and what it would look like if it is SceneSync's.

    ``changed_at`` (epoch seconds) tells which of two descriptions of one origin is the newer. ``place`` is the scene's
    in a group, where Stash has one.
    """

    title: str
    origin: Origin
    summary: str = ""
    image_url: str = ""
    changed_at: float = 0.0
    place: int | None = None

    @property
    def key(self) -> str:
        """By what its title is compared."""
        return title_key(self.title)


class Standing(StrEnum):
    """Whose a collection is.

    ``INTENDED``: there was none of this title when SceneSync was about to make it; whether it did is not known.
    """

    INTENDED = "intended"
    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class KnownCollection:
    """What is remembered of one collection of a library; ``title`` as Plex shows it.

    ``rating_key`` is "" while it is not known. ``described`` stands for what it was last made to look like.
    ``keeps_title`` says that a person gave it another name, which stays. ``may_be_empty`` says that a member left.
    """

    library_key: str
    title: str
    standing: Standing
    rating_key: str = ""
    described: str = ""
    keeps_title: bool = False
    may_be_empty: bool = False

    @property
    def key(self) -> str:
        """By what its title is compared."""
        return title_key(self.title)

    @property
    def is_ours(self) -> bool:
        """Say whether SceneSync made it."""
        return self.standing is Standing.OURS


@dataclass(frozen=True, slots=True)
class OriginLink:
    """Under which title an origin has its collection in a library, as of which change in Stash."""

    origin: Origin
    key: str
    changed_at: float


def title_key(title: str) -> str:
    """Return what two titles must have in common to be one collection's; capitals make no difference."""
    return unicodedata.normalize("NFC", title).strip().casefold()


def wanted_collections(scene: Scene, rules: CollectionRules) -> tuple[WantedCollection, ...]:
    """Return the collections of a scene; two may share a title, and blank names have none."""
    places = {group.id: group.scene_index for group in scene.groups} if rules.order else {}
    found = (_wanted(origin, name, about, places) for origin, name, about in _origins(scene, rules))
    return tuple({each.origin: each for each in found if each.title}.values())


def _origins(scene: Scene, rules: CollectionRules) -> Iterator[tuple[Origin, str, About]]:
    studio = scene.studio
    if studio is not None and CollectionSource.STUDIO in rules.sources:
        yield Origin(OriginKind.STUDIO, studio.id), studio.name, studio.about
    if CollectionSource.PARENT_STUDIOS in rules.sources:
        parent = studio.parent if studio is not None else None
        while parent is not None:
            yield Origin(OriginKind.STUDIO, parent.id), parent.name, parent.about
            parent = parent.parent
    if CollectionSource.GROUPS in rules.sources:
        for group in scene.groups:
            yield Origin(OriginKind.GROUP, group.id), group.name, group.about
    for tag in scene.tags:
        if any_fits(rules.tags, clean_name(tag.name)):
            yield Origin(OriginKind.TAG, tag.id), tag.name, tag.about


def _wanted(origin: Origin, name: str, about: About, places: Mapping[int, int | None]) -> WantedCollection:
    return WantedCollection(
        title=clean_name(name),
        origin=origin,
        summary=clean_paragraphs(about.description, SUMMARY_LIMIT),
        image_url=about.image_url,
        changed_at=about.changed_at,
        place=places.get(origin.id) if origin.kind is OriginKind.GROUP else None,
    )


def describer(links: Iterable[OriginLink]) -> Origin | None:
    """Return which of the origins of one collection says what it looks like."""
    return min((link.origin for link in links), key=lambda origin: origin.rank, default=None)


def titled(collections: Iterable[Collection], key: str) -> tuple[Collection, ...]:
    """Return the collections of this title; a server that does not mind may have several."""
    return tuple(each for each in collections if title_key(each.title) == key)


def looks_newly_made(collection: Collection) -> bool:
    """Say whether nobody has done anything to a collection yet but put films into it."""
    item = collection.item
    return not collection.is_smart and not item.locked and not item.value(Field.SUMMARY)


def belongs_to_us(collection: Collection, members: Container[str], ours: Container[str]) -> bool:
    """Say whether a collection that did not exist before SceneSync put films into it came about by that alone.

    ``members`` are the films that it has, ``ours`` those of them that SceneSync put there. In doubt it is a person's.
    """
    return looks_newly_made(collection) and bool(members) and all(key in ours for key in members)
