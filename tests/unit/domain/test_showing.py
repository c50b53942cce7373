from __future__ import annotations

from dataclasses import replace

import pytest

from scenesync.domain.collection import CollectionRules, CollectionSource
from scenesync.domain.desired import DEFAULT_FIELDS, DEFAULT_RULES
from scenesync.domain.entities import Entity, Relation
from scenesync.domain.field_rules import ContentRatingRules, FieldRules, LabelRules, StudioName, TagRules
from scenesync.domain.fields import Field
from scenesync.domain.holds import fingerprint
from scenesync.domain.name_rules import NamePattern, name_pattern, rename_rule
from scenesync.domain.participation import Participation
from scenesync.domain.scene import Group, Performer, Scene, SceneFile, Studio, Tag
from scenesync.domain.showing import ALL_LEVELS, NEXT_LEVEL, NO_LEVEL, SceneTrace, Showing
from scenesync.domain.title_template import title_template

NOTHING = Showing(frozenset({Field.SUMMARY}))
LIVE = (name_pattern("Live*"),)


def titled(template: str, **rules: object) -> FieldRules:
    return replace(DEFAULT_RULES, title=title_template(template), **rules)  # type: ignore[arg-type]


def collected(*sources: CollectionSource, tags: tuple[NamePattern, ...] = ()) -> FieldRules:
    return replace(DEFAULT_RULES, collections=CollectionRules(frozenset(sources), tags))


@pytest.mark.parametrize(
    ("showing", "shown"),
    [
        (Showing(), {Entity.PERFORMER, Entity.STUDIO, Entity.TAG}),
        (NOTHING, set()),
        (Showing(frozenset({Field.ACTORS})), {Entity.PERFORMER}),
        (Showing(frozenset({Field.STUDIO})), {Entity.STUDIO}),
        (Showing(frozenset({Field.COLLECTIONS})), {Entity.STUDIO}),
        (Showing(frozenset({Field.COLLECTIONS}), collected(CollectionSource.PARENT_STUDIOS)), {Entity.STUDIO}),
        (Showing(frozenset({Field.COLLECTIONS}), collected(CollectionSource.GROUPS)), {Entity.GROUP}),
        (Showing(frozenset({Field.COLLECTIONS}), collected(tags=LIVE)), {Entity.TAG}),
        (Showing(frozenset({Field.SUMMARY}), collected(*CollectionSource, tags=LIVE)), set()),
        (Showing(frozenset({Field.GENRES})), {Entity.TAG}),
        (Showing(frozenset({Field.LABELS})), set()),
        (Showing(frozenset({Field.LABELS}), replace(DEFAULT_RULES, labels=LabelRules(tags=LIVE))), {Entity.TAG}),
        (Showing(frozenset({Field.CONTENT_RATING})), set()),
        (
            Showing(
                frozenset({Field.CONTENT_RATING}),
                replace(DEFAULT_RULES, content_rating=ContentRatingRules("", (rename_rule("Live", "12"),))),
            ),
            {Entity.TAG},
        ),
        (Showing(frozenset({Field.TITLE}), titled("{group} {title}")), {Entity.GROUP}),
        (Showing(frozenset({Field.TITLE}), titled("{title} ({performers})")), {Entity.PERFORMER}),
        (Showing(frozenset({Field.TITLE}), titled("{studio} - {title}")), {Entity.STUDIO}),
        (Showing(frozenset({Field.TITLE}), titled("{parent_studio}: {title}")), {Entity.STUDIO}),
        (Showing(frozenset({Field.SUMMARY}), titled("{group} {studio} {title}")), set()),
        (replace(NOTHING, participation=Participation(only_tags=("Live",))), {Entity.TAG}),
        (replace(NOTHING, participation=Participation(skip_tags=("Raw",))), {Entity.TAG}),
        (replace(NOTHING, participation=Participation(only_studios=("Pier",))), {Entity.STUDIO}),
    ],
)
def test_what_the_settings_let_show(showing: Showing, shown: set[Entity]) -> None:
    assert {entity for entity in Entity if showing.shows(entity)} == shown


@pytest.mark.parametrize(
    ("showing", "studios", "tags"),
    [
        (Showing(), NO_LEVEL, NO_LEVEL),
        (Showing(rules=replace(DEFAULT_RULES, studio=StudioName.PATH)), ALL_LEVELS, NO_LEVEL),
        (Showing(rules=replace(DEFAULT_RULES, studio=StudioName.PARENT)), ALL_LEVELS, NO_LEVEL),
        (Showing(rules=titled("{parent_studio} {title}")), ALL_LEVELS, NO_LEVEL),
        (Showing(frozenset({Field.TITLE}), titled("{studio} {title}", studio=StudioName.ROOT)), ALL_LEVELS, NO_LEVEL),
        (Showing(participation=Participation(only_studios=("Pier",))), ALL_LEVELS, NO_LEVEL),
        (Showing(frozenset({Field.COLLECTIONS}), collected(CollectionSource.STUDIO)), NO_LEVEL, NO_LEVEL),
        (Showing(frozenset({Field.COLLECTIONS}), collected(CollectionSource.PARENT_STUDIOS)), ALL_LEVELS, NO_LEVEL),
        (Showing(participation=Participation(skip_tags=("Raw",))), NO_LEVEL, NEXT_LEVEL),
        (Showing(rules=replace(DEFAULT_RULES, tags=TagRules(parents=True))), NO_LEVEL, ALL_LEVELS),
    ],
)
def test_how_far_below_a_name_counts(showing: Showing, studios: int, tags: int) -> None:
    assert (showing.levels_below(Entity.STUDIO), showing.levels_below(Entity.TAG)) == (studios, tags)
    assert showing.levels_below(Entity.PERFORMER) == showing.levels_below(Entity.GROUP) == NO_LEVEL


SCENE = Scene(
    9,
    studio=Studio(1, "Reel", Studio(2, "Pier", Studio(3, "Harbour Group"))),
    performers=(Performer(4, "Ada"), Performer(5, "Ben")),
    tags=(Tag(6, "Live", (Tag(7, "Music", (Tag(8, "Art"),)),)),),
    groups=(Group(10, "Tour"),),
    files=(SceneFile("/data/tour.mkv", 700, 60.0),),
)


def ids(trace: SceneTrace, entity: Entity) -> set[int]:
    return {relation.id for relation in trace.relations if relation.entity is entity}


def test_a_trace_has_what_shows_and_the_files() -> None:
    trace = Showing().trace(SCENE, read_at=17.5)
    assert trace.relations == {
        Relation(Entity.STUDIO, 1),
        *(Relation(Entity.PERFORMER, each) for each in (4, 5)),
        Relation(Entity.TAG, 6),
    }
    assert (trace.scene_id, trace.files) == (9, SCENE.files)
    assert (trace.updated_at, trace.fingerprint, trace.read_at) == (SCENE.updated_at, fingerprint(SCENE), 17.5)


def test_a_trace_has_those_above_where_their_names_show() -> None:
    everything = Showing(
        DEFAULT_FIELDS, titled("{group} {title}", studio=StudioName.PATH, tags=TagRules(parents=True))
    ).trace(SCENE, read_at=17.5)
    assert ids(everything, Entity.STUDIO) == {1, 2, 3}
    assert ids(everything, Entity.TAG) == {6, 7, 8}
    assert ids(everything, Entity.GROUP) == {10}
    filtered = Showing(participation=Participation(only_tags=("Music",))).trace(SCENE, read_at=17.5)
    assert ids(filtered, Entity.TAG) == {6, 7}
