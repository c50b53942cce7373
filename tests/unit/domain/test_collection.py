from __future__ import annotations

import pytest

from scenesync.domain.collection import (
    CollectionRules,
    CollectionSource,
    Origin,
    OriginKind,
    OriginLink,
    WantedCollection,
    belongs_to_us,
    describer,
    title_key,
    titled,
    wanted_collections,
)
from scenesync.domain.desired import desired_fields
from scenesync.domain.field_rules import FieldRules
from scenesync.domain.fields import Field, FieldValue
from scenesync.domain.item import Collection, Item
from scenesync.domain.name_rules import name_pattern
from scenesync.domain.scene import About, Group, Scene, Studio, Tag

LABEL = Studio(3, "Harbour Group", about=About("The parent.", "http://stash/studio/3/image", 3.0))
SCENE = Scene(
    id=1,
    studio=Studio(2, "North  Pier", parent=LABEL, about=About("Concerts.\r\nBy the sea.", "", 2.0)),
    groups=(Group(5, "Encores", 2, About("All of them.", "", 5.0)), Group(6, " ")),
    tags=(Tag(7, "Tour 2024"), Tag(8, "Sea")),
)
STUDIO, PARENTS, GROUPS = CollectionSource.STUDIO, CollectionSource.PARENT_STUDIOS, CollectionSource.GROUPS


def rules(*sources: CollectionSource, tags: str = "") -> CollectionRules:
    return CollectionRules(frozenset(sources), (name_pattern(tags),) if tags else ())


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (rules(), []),
        (rules(STUDIO), ["North Pier"]),
        (rules(PARENTS), ["Harbour Group"]),
        (rules(STUDIO, PARENTS), ["North Pier", "Harbour Group"]),
        (rules(GROUPS), ["Encores"]),  # a blank name is no title
        (rules(tags="tour*"), ["Tour 2024"]),
        (rules(tags="/e/"), ["Sea"]),
        (rules(STUDIO, GROUPS, tags="*"), ["North Pier", "Encores", "Tour 2024", "Sea"]),
    ],
)
def test_what_is_made_a_collection(which: CollectionRules, expected: list[str]) -> None:
    assert [each.title for each in wanted_collections(SCENE, which)] == expected


def test_what_a_collection_looks_like_comes_from_its_origin() -> None:
    own, parent, group = wanted_collections(SCENE, rules(STUDIO, PARENTS, GROUPS))
    assert own == WantedCollection("North Pier", Origin(OriginKind.STUDIO, 2), "Concerts.\nBy the sea.", "", 2.0)
    assert (parent.summary, parent.image_url, parent.changed_at) == ("The parent.", "http://stash/studio/3/image", 3.0)
    assert (group.origin, group.summary) == (Origin(OriginKind.GROUP, 5), "All of them.")


def test_a_scene_without_any_of_it_wants_none() -> None:
    assert wanted_collections(Scene(id=1), rules(STUDIO, PARENTS, GROUPS, tags="*")) == ()


def test_two_of_one_name_are_one_title_and_both_are_told() -> None:
    scene = Scene(id=1, studio=Studio(1, "Tour"), tags=(Tag(2, "TOUR"),))
    field_rules = FieldRules(collections=rules(STUDIO, tags="*"))
    desired = desired_fields(scene, frozenset({Field.COLLECTIONS}), field_rules)
    assert desired.values == {Field.COLLECTIONS: ("Tour",)}
    assert [each.origin.kind for each in desired.collections] == [OriginKind.STUDIO, OriginKind.TAG]


def test_where_collections_are_off_none_are_told() -> None:
    assert desired_fields(SCENE).collections == ()


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("North Pier", "NORTH pier ", True),
        ("Caf\u00e9", "CAFE\u0301", True),
        ("Straße", "STRASSE", True),
        ("North Pier", "North-Pier", False),
    ],
)
def test_titles_are_compared_without_capitals_and_forms(left: str, right: str, same: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert (title_key(left) == title_key(right)) is same


@pytest.mark.parametrize(
    ("origins", "first"),
    [
        ([], None),
        ([(OriginKind.TAG, 1)], (OriginKind.TAG, 1)),
        ([(OriginKind.TAG, 1), (OriginKind.GROUP, 9)], (OriginKind.GROUP, 9)),
        ([(OriginKind.GROUP, 1), (OriginKind.STUDIO, 9), (OriginKind.TAG, 1)], (OriginKind.STUDIO, 9)),
        ([(OriginKind.STUDIO, 9), (OriginKind.STUDIO, 4)], (OriginKind.STUDIO, 4)),
    ],
)
def test_of_several_origins_always_the_same_one_describes(
    origins: list[tuple[OriginKind, int]], first: tuple[OriginKind, int] | None
) -> None:
    links = [OriginLink(Origin(*each), "tour", 0.0) for each in origins]
    assert describer(links) == (None if first is None else Origin(*first))
    assert describer(reversed(links)) == describer(links)


def collection(
    *, summary: str = "", locked: frozenset[str] = frozenset(), smart: bool = False, title: str = "Tour"
) -> Collection:
    values: dict[Field, FieldValue] = {Field.TITLE: title, Field.SUMMARY: summary}
    return Collection(Item("9", "1", (), values, locked), 2, is_smart=smart)


@pytest.mark.parametrize(
    ("found", "members", "ours", "verdict"),
    [
        (collection(), {"1"}, {"1"}, True),
        (collection(), {"1", "2"}, {"1", "2", "3"}, True),
        (collection(), {"1", "2"}, {"1"}, False),  # somebody put another film there
        (collection(), set(), set(), False),  # nobody can tell who made an empty one
        (collection(summary="By hand."), {"1"}, {"1"}, False),
        (collection(locked=frozenset({"title"})), {"1"}, {"1"}, False),
        (collection(smart=True), {"1"}, {"1"}, False),
    ],
)
def test_whose_a_collection_is_that_was_not_there_before(
    found: Collection,
    members: set[str],
    ours: set[str],
    verdict: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert belongs_to_us(found, members, ours) is verdict


def test_collections_are_found_by_their_title() -> None:
    tour, other, capitals = collection(), collection(title="Sea"), collection(title="TOUR")
    assert titled([tour, other, capitals], "tour") == (tour, capitals)
