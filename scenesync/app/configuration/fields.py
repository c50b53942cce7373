"""What the settings say about fields, as the values that the domain works with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.values import sides_of
from scenesync.domain.collection import CollectionRules, CollectionSource
from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.field_rules import ContentRatingRules, FieldRules, LabelRules, PerformerRules, TagRules
from scenesync.domain.fields import Field
from scenesync.domain.name_rules import NameRules, name_pattern, rename_rule
from scenesync.domain.title_template import title_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.app.configuration.model import Settings
    from scenesync.domain.name_rules import NamePattern, RenameRule

FIELDS_OF_SETTING: Final[Mapping[str, tuple[Field, ...]]] = {
    "title": (Field.TITLE, Field.SORT_TITLE),
    "summary": (Field.SUMMARY,),
    "date": (Field.DATE,),
    "studio": (Field.STUDIO,),
    "performers": (Field.ACTORS,),
    "tags": (Field.GENRES,),
    "director": (Field.DIRECTORS,),
    "collection": (Field.COLLECTIONS,),
    "poster": (Field.POSTER,),
    "background": (Field.BACKGROUND,),
    "rating": (Field.RATING,),
    "tagline": (Field.TAGLINE,),
    "labels": (Field.LABELS,),
    "content_rating": (Field.CONTENT_RATING,),
    "performer_photos": (),  # no field of an item: a photo belongs to the person
}
"""The fields that each ``sync_`` switch and each rule of ``conflict_policy_fields`` is about."""


def enabled_fields(settings: Settings) -> frozenset[Field]:
    """Return the fields of a Plex item that SceneSync is to write."""
    return frozenset(
        field for name, fields in FIELDS_OF_SETTING.items() if getattr(settings, f"sync_{name}") for field in fields
    )


def field_rules(settings: Settings) -> FieldRules:
    """Return how a scene's facts become fields."""
    return FieldRules(
        title=title_template(settings.title_template),
        studio=settings.studio_name,
        partial_dates=settings.partial_dates,
        tags=TagRules(
            NameRules(
                include=_patterns(settings.tag_include),
                exclude=_patterns(settings.tag_exclude),
                rename=_renaming(settings.tag_rename),
                maximum=settings.max_tags,
            ),
            parents=settings.tag_parents,
        ),
        performers=PerformerRules(
            NameRules(
                include=_patterns(settings.performer_include),
                exclude=_patterns(settings.performer_exclude),
                rename=_renaming(settings.performer_rename),
                maximum=settings.max_performers,
            ),
            skip_genders=frozenset(settings.skip_performer_genders),
            disambiguation=settings.performer_disambiguation,
            order=settings.performer_order,
        ),
        labels=LabelRules(settings.organized_label, _patterns(settings.label_tags), settings.fixed_labels),
        collections=CollectionRules(
            sources=frozenset(map(CollectionSource, settings.collection_sources)),
            tags=_patterns(settings.collection_tags),
            summary=settings.collection_summary,
            poster=settings.collection_poster,
            order=settings.collection_order,
        ),
        content_rating=ContentRatingRules(settings.content_rating, _renaming(settings.content_rating_tags)),
    )


def conflict_policies(settings: Settings) -> Mapping[Field, ConflictPolicy]:
    """Return who wins in the fields that have a policy of their own."""
    rules = (sides_of(rule.lower()) for rule in settings.conflict_policy_fields)
    return {field: ConflictPolicy(policy) for name, policy in rules for field in FIELDS_OF_SETTING[name]}


def photo_policy(settings: Settings) -> ConflictPolicy:
    """Return who wins where an actor has another photo already.

    Not ``conflict_policy``: what an agent knows of a person is shown in all libraries, also those that SceneSync leaves
    alone, so it is replaced only if somebody says so of photos.
    """
    rules = (sides_of(rule.lower()) for rule in settings.conflict_policy_fields)
    return next((ConflictPolicy(policy) for name, policy in rules if name == "performer_photos"), ConflictPolicy.FILL)


def _patterns(texts: Sequence[str]) -> tuple[NamePattern, ...]:
    return tuple(map(name_pattern, texts))


def _renaming(rules: Sequence[str]) -> tuple[RenameRule, ...]:
    return tuple(rename_rule(*sides_of(rule)) for rule in rules)
