"""How a scene's facts become fields: what a person may decide about each, as small frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scenesync.domain.collection import CollectionRules
from scenesync.domain.members import plain_members
from scenesync.domain.name_rules import NameRules, any_fits
from scenesync.domain.title_template import TitleTemplate, title_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.domain.name_rules import NamePattern, RenameRule

DEFAULT_TITLE: Final = "{title}"


@plain_members
class StudioName(StrEnum):
    """Which studio's name Plex shows, where a studio belongs to another."""

    OWN = "own"
    PARENT = "parent"
    ROOT = "root"
    PATH = "path"


@plain_members
class PartialDates(StrEnum):
    """What becomes of a date that is only a year or a month."""

    COMPLETE = "complete"
    DROP = "drop"


@plain_members
class Disambiguation(StrEnum):
    """When a performer's name is followed by what tells namesakes apart."""

    NEEDED = "needed"
    ALWAYS = "always"
    NEVER = "never"


@plain_members
class PerformerOrder(StrEnum):
    """In which order performers are shown; Stash has no billing order (facts/stash.md 3.2)."""

    STASH = "stash"
    FAVORITES = "favorites"
    NAME = "name"


class Gender(StrEnum):
    """A performer's gender as Stash spells it, in lower case."""

    MALE = "male"
    FEMALE = "female"
    TRANSGENDER_MALE = "transgender_male"
    TRANSGENDER_FEMALE = "transgender_female"
    INTERSEX = "intersex"
    NON_BINARY = "non_binary"


class PosterFit(StrEnum):
    """How a landscape cover becomes a portrait poster."""

    NONE = "none"
    CROP = "crop"
    BLUR = "blur"
    LETTERBOX = "letterbox"


@dataclass(frozen=True, slots=True)
class TagRules:
    """Which tags are genres; with ``parents``, the tags above them too, behind them."""

    names: NameRules = field(default_factory=NameRules)
    parents: bool = False


@dataclass(frozen=True, slots=True)
class PerformerRules:
    """Which performers are actors, how they are called and in which order they stand."""

    names: NameRules = field(default_factory=NameRules)
    skip_genders: frozenset[str] = frozenset()
    disambiguation: Disambiguation = Disambiguation.NEEDED
    order: PerformerOrder = PerformerOrder.STASH


@dataclass(frozen=True, slots=True)
class LabelRules:
    """What becomes a label: one for organized scenes, the tags of some patterns, and some for every scene."""

    organized: str = ""
    tags: tuple[NamePattern, ...] = ()
    always: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContentRatingRules:
    """The content rating: of the first rule that fits a tag of the scene, else ``default`` ("": none)."""

    default: str = ""
    by_tag: tuple[RenameRule, ...] = ()

    def of(self, tags: Sequence[str]) -> str:
        """Return the content rating of a scene with these tags."""
        found = (rule.name for rule in self.by_tag if any(any_fits((rule.pattern,), tag) for tag in tags))
        return next(found, self.default)


@dataclass(frozen=True, slots=True)
class FieldRules:
    """All of them together."""

    title: TitleTemplate = field(default_factory=lambda: title_template(DEFAULT_TITLE))
    studio: StudioName = StudioName.OWN
    partial_dates: PartialDates = PartialDates.COMPLETE
    tags: TagRules = field(default_factory=TagRules)
    performers: PerformerRules = field(default_factory=PerformerRules)
    labels: LabelRules = field(default_factory=LabelRules)
    collections: CollectionRules = field(default_factory=CollectionRules)
    content_rating: ContentRatingRules = field(default_factory=ContentRatingRules)
