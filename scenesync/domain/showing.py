"""Which changes of performers, studios, tags and groups can be seen in Plex, and which scenes show them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scenesync.domain.collection import CollectionSource
from scenesync.domain.desired import DEFAULT_FIELDS, DEFAULT_RULES
from scenesync.domain.entities import Entity, Relation
from scenesync.domain.field_rules import FieldRules, StudioName
from scenesync.domain.fields import Field
from scenesync.domain.holds import fingerprint
from scenesync.domain.participation import EVERYBODY, Participation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scenesync.domain.scene import Scene, SceneFile, Studio, Tag

NO_LEVEL: Final = 0
NEXT_LEVEL: Final = 1
ALL_LEVELS: Final = -1
"""How far below a studio or tag its name counts, in Stash's own numbers (``depth``)."""


@dataclass(frozen=True, slots=True)
class SceneTrace:
    """What is remembered of a scene once it is gone or changed: what it showed, its files, and how far it was read.

    ``updated_at`` is Stash's own text; ``fingerprint`` that of its metadata (``domain.holds``). ``read_at``, in epoch
    seconds of our own clock, is when all that was first read so.
    """

    scene_id: int
    relations: frozenset[Relation] = frozenset()
    files: tuple[SceneFile, ...] = ()
    updated_at: str = ""
    fingerprint: str = ""
    read_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Showing:
    """The settings that decide what of an entity is shown, or whether a scene takes part because of it."""

    fields: frozenset[Field] = DEFAULT_FIELDS
    rules: FieldRules = DEFAULT_RULES
    participation: Participation = EVERYBODY

    def shows(self, entity: Entity) -> bool:
        """Say whether a change of such an entity can make a difference to any scene."""
        match entity:
            case Entity.PERFORMER:
                return Field.ACTORS in self.fields or self._titles_have("performers")
            case Entity.STUDIO:
                shown = Field.STUDIO in self.fields or self._collects(
                    CollectionSource.STUDIO, CollectionSource.PARENT_STUDIOS
                )
                return shown or self._titles_have("studio", "parent_studio") or bool(self.participation.only_studios)
            case Entity.TAG:
                return self._shows_tags()
            case Entity.GROUP:
                return self._collects(CollectionSource.GROUPS) or self._titles_have("group")

    def levels_below(self, entity: Entity) -> int:
        """Return how many levels of what belongs to the entity show it too: none, the next one, or all of them."""
        if entity is Entity.TAG and Field.GENRES in self.fields and self.rules.tags.parents:
            return ALL_LEVELS
        if entity is Entity.TAG and self.participation.asks_for_tags:
            return NEXT_LEVEL
        if entity is Entity.STUDIO and (self._shows_owners() or self.participation.only_studios):
            return ALL_LEVELS
        return NO_LEVEL

    def trace(self, scene: Scene, *, read_at: float) -> SceneTrace:
        """Return what is to be remembered of a scene that was read then."""
        return self.traces([scene], read_at=read_at)[0]

    def traces(self, scenes: Iterable[Scene], *, read_at: float) -> Sequence[SceneTrace]:
        """Return the same for many scenes."""
        levels = {entity: self.levels_below(entity) for entity in Entity if self.shows(entity)}
        return [
            SceneTrace(scene.id, _relations(scene, levels), scene.files, scene.updated_at, fingerprint(scene), read_at)
            for scene in scenes
        ]

    def _titles_have(self, *names: str) -> bool:
        return Field.TITLE in self.fields and not self.rules.title.names().isdisjoint(names)

    def _shows_tags(self) -> bool:
        return (
            Field.GENRES in self.fields
            or (Field.LABELS in self.fields and bool(self.rules.labels.tags))
            or (Field.CONTENT_RATING in self.fields and bool(self.rules.content_rating.by_tag))
            or (Field.COLLECTIONS in self.fields and bool(self.rules.collections.tags))
            or self.participation.asks_for_tags
        )

    def _collects(self, *sources: CollectionSource) -> bool:
        return Field.COLLECTIONS in self.fields and not self.rules.collections.sources.isdisjoint(sources)

    def _shows_owners(self) -> bool:
        """Say whether a studio's scenes show the names of the studios that it belongs to."""
        in_field = self.rules.studio is not StudioName.OWN and Field.STUDIO in self.fields
        in_title = self._titles_have("parent_studio") or (
            self.rules.studio is not StudioName.OWN and self._titles_have("studio")
        )
        return in_field or in_title or self._collects(CollectionSource.PARENT_STUDIOS)


def _relations(scene: Scene, levels: Mapping[Entity, int]) -> frozenset[Relation]:
    """Return what a scene shows of the entities that make a difference, up to so many levels above its own."""
    found: dict[Entity, Iterable[int]] = {
        Entity.PERFORMER: (performer.id for performer in scene.performers),
        Entity.STUDIO: _line_of(scene.studio, levels.get(Entity.STUDIO, NO_LEVEL)),
        Entity.TAG: _above(scene.tags, levels.get(Entity.TAG, NO_LEVEL)),
        Entity.GROUP: (group.id for group in scene.groups),
    }
    return frozenset(Relation(entity, each) for entity in levels for each in found[entity])


def _line_of(studio: Studio | None, levels: int) -> Iterator[int]:
    while studio is not None:
        yield studio.id
        studio = studio.parent if levels else None


def _above(tags: Iterable[Tag], levels: int) -> Iterator[int]:
    """Yield the ids of the tags and of so many levels above them."""
    for tag in tags:
        yield tag.id
        if levels:
            yield from _above(tag.parents, levels - 1)
