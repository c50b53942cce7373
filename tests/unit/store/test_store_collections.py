from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from store_samples import OTHER_SERVER, SERVER

from scenesync.domain.collection import KnownCollection, Origin, OriginKind, OriginLink, Standing, WantedCollection
from scenesync.domain.diff import Baseline
from scenesync.domain.fields import Field
from scenesync.store.baselines import BaselineStore
from scenesync.store.collections import CollectionStore

if TYPE_CHECKING:
    from store_engines import OpenStore

    from scenesync.store.database import Database

PIER = KnownCollection("1", "North Pier", Standing.OURS, "301", "d", keeps_title=True, may_be_empty=True)
STUDIO = WantedCollection("North Pier", Origin(OriginKind.STUDIO, 4), changed_at=12.5)
TAG = WantedCollection("north pier", Origin(OriginKind.TAG, 4), changed_at=1.0)


@pytest.fixture
def store(database: Database) -> CollectionStore:
    return CollectionStore(database, SERVER)


def test_a_collection_is_found_by_its_title_and_outlives_the_process(open_store: OpenStore) -> None:
    with open_store() as database:
        CollectionStore(database, SERVER).put(PIER)
    with open_store() as database:
        store = CollectionStore(database, SERVER)
        assert store.find("1", "north pier") == PIER
        assert store.find("2", "north pier") is None
        assert store.find("1", "south pier") is None
        assert CollectionStore(database, OTHER_SERVER).find("1", "north pier") is None


def test_there_is_one_of_a_title_in_a_library(store: CollectionStore) -> None:
    capitals = replace(PIER, title="NORTH PIER", standing=Standing.FOREIGN)
    elsewhere = replace(PIER, library_key="2")
    for each in (PIER, capitals, elsewhere):
        store.put(each)
    assert store.all() == (capitals, elsewhere)


def test_those_that_a_member_left_are_told(store: CollectionStore) -> None:
    store.put(PIER)
    store.put(KnownCollection("1", "South Pier", Standing.OURS))
    assert store.with_a_member_gone() == (PIER,)


def test_origins_that_share_a_title_are_told_by_it(store: CollectionStore) -> None:
    store.put(PIER)
    store.link("1", STUDIO, PIER.key)
    store.link("1", TAG, PIER.key)
    assert store.link_of("1", STUDIO.origin) == OriginLink(STUDIO.origin, "north pier", 12.5)
    assert store.link_of("2", STUDIO.origin) is None
    assert {each.origin for each in store.links("1", PIER.key)} == {STUDIO.origin, TAG.origin}


def test_a_renamed_collection_takes_its_origins_along(store: CollectionStore) -> None:
    store.put(PIER)
    store.link("1", STUDIO, PIER.key)
    renamed = replace(PIER, title="West Pier")
    store.rename(PIER, renamed)
    assert store.all() == (renamed,)
    assert store.link_of("1", STUDIO.origin) == OriginLink(STUDIO.origin, "west pier", 12.5)


def test_a_collection_may_be_renamed_in_its_capitals_alone(store: CollectionStore) -> None:
    store.put(PIER)
    store.link("1", STUDIO, PIER.key)
    renamed = replace(PIER, title="NORTH PIER")
    store.rename(PIER, renamed)
    assert store.all() == (renamed,)
    assert store.links("1", PIER.key) != ()


def test_a_forgotten_collection_leaves_nothing(store: CollectionStore) -> None:
    store.put(PIER)
    store.link("1", STUDIO, PIER.key)
    store.forget(PIER)
    assert store.all() == ()
    assert store.link_of("1", STUDIO.origin) is None


def test_what_was_written_to_a_list_is_renamed_for_the_items_named(database: Database) -> None:
    baselines = BaselineStore(database, SERVER)
    was = Baseline(("North Pier", "Tour"), shown=("Tour", "north pier"), replaced=("Tour",), locked=False)
    for item in ("101", "102"):
        baselines.write(item, 7, {Field.COLLECTIONS: was, Field.TITLE: Baseline("North Pier")})
    baselines.rename_in_list(["101", "999"], Field.COLLECTIONS, "North Pier", "West Pier")
    assert baselines.read("101") == {
        Field.COLLECTIONS: Baseline(("West Pier", "Tour"), ("Tour", "West Pier"), ("Tour",), locked=False),
        Field.TITLE: Baseline("North Pier"),
    }
    assert baselines.read("102")[Field.COLLECTIONS] == was
    assert baselines.scenes_of("101") == {7}


def test_an_unproven_list_stays_unproven_when_it_is_renamed(database: Database) -> None:
    baselines = BaselineStore(database, SERVER)
    baselines.write("101", 7, {Field.COLLECTIONS: Baseline(("North Pier",))})
    baselines.rename_in_list(["101"], Field.COLLECTIONS, "north pier", "West Pier")
    assert baselines.read("101")[Field.COLLECTIONS] == Baseline(("West Pier",))


def test_places_in_a_group_are_kept_by_item(store: CollectionStore) -> None:
    store.put_places("1", 5, {"101": 2, "102": 1})
    store.put_places("1", 5, {"101": None, "102": 3, "103": 4})
    store.put_places("1", 6, {"101": 9})
    assert store.places("1", 5) == {"102": 3, "103": 4}
    assert (store.place_of("1", 5, "102"), store.place_of("1", 5, "101"), store.place_of("2", 5, "102")) == (
        3,
        None,
        None,
    )
