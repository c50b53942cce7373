from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from store_samples import OTHER_SERVER, SERVER, film

from scenesync.domain.diff import Baseline, ImageBaseline
from scenesync.domain.fields import Field
from scenesync.domain.pins import Pin, PinnedFile
from scenesync.store.baselines import BaselineStore
from scenesync.store.pins import PinStore

if TYPE_CHECKING:
    from store_engines import OpenStore

    from scenesync.store.database import Database
    from scenesync.store.path_index import PathIndexStore

PIN = Pin("data/é.mp4", "101", (PinnedFile("/media/é.mp4", 700), PinnedFile("/media/b.mp4", None)), 7)


@pytest.fixture
def pins(database: Database) -> PinStore:
    return PinStore(database, SERVER)


def test_a_pin_is_found_by_its_file_and_outlives_the_process(open_store: OpenStore) -> None:
    with open_store() as database:
        PinStore(database, SERVER).put([PIN])
    with open_store() as database:
        assert PinStore(database, SERVER).of_files(["data/other.mp4", PIN.scene_key]) == (PIN,)
        assert PinStore(database, OTHER_SERVER).of_files([PIN.scene_key]) == ()


def test_a_later_pin_takes_the_place_of_an_earlier_one(pins: PinStore) -> None:
    later = Pin(PIN.scene_key, "102", (), 8)
    pins.put([PIN])
    pins.put([later])
    assert pins.all() == (later,)


def test_pins_are_removed_by_file_or_by_scene(pins: PinStore) -> None:
    pins.put([PIN, Pin("data/second.mp4", "101", (), 7), Pin("data/third.mp4", "103", (), 9)])
    assert pins.remove(["data/third.mp4", "data/none.mp4"]) == 1
    assert pins.remove([], scene_id=7) == 2
    assert pins.all() == ()


def test_the_scenes_that_wrote_to_an_item_are_known_by_texts_and_pictures(database: Database) -> None:
    baselines = BaselineStore(database, SERVER)
    baselines.write("101", 7, {Field.TITLE: Baseline("a"), Field.SUMMARY: Baseline("b")})
    baselines.write("101", 8, {Field.SUMMARY: Baseline("c")})
    baselines.write_image("101", 9, Field.POSTER, ImageBaseline("sha", "shown", "etag"))
    baselines.write("102", 10, {Field.TITLE: Baseline("a")})
    assert baselines.scenes_of("101") == {7, 8, 9}
    assert baselines.scenes_of("103") == frozenset()
    assert BaselineStore(database, OTHER_SERVER).scenes_of("101") == frozenset()


class TestWalkingTheIndex:
    def test_items_come_page_by_page_each_once_with_all_its_files(self, index: PathIndexStore) -> None:
        index.upsert_items([film(number, f"/m/{number}/a.mkv", f"/m/{number}/b.mkv") for number in range(1, 26)])
        found: dict[str, tuple[str, ...]] = {}
        last = ""
        while page := index.items_after(last, 10):
            assert not found.keys() & page.keys()
            found |= {key: tuple(file.path for file in files) for key, files in page.items()}
            last = max(page)
        assert found == {str(number): (f"/m/{number}/a.mkv", f"/m/{number}/b.mkv") for number in range(1, 26)}

    def test_an_item_without_a_file_is_there_too(self, index: PathIndexStore) -> None:
        index.upsert_items([film(1), type(film(2))("2", "1", ())])
        assert index.items_after("", 5)["2"] == ()

    def test_the_files_of_one_item(self, index: PathIndexStore) -> None:
        index.upsert_items([film(1, "/m/a.mkv", "/m/b.mkv"), film(2)])
        assert [file.path for file in index.files_of("1")] == ["/m/a.mkv", "/m/b.mkv"]
        assert index.files_of("3") == ()

    def test_paths_that_stand_there_twice_are_named(self, index: PathIndexStore) -> None:
        index.upsert_items([film(1, "/m/A.mkv"), film(2, "/m/a.mkv", library="2"), film(3, "/m/c.mkv")])
        assert list(index.shared_paths()) == ["m/a.mkv"]
