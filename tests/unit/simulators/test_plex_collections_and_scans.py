import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from plex_over_http import World, world

from scenesync.simulators.plex.model import PlexItem


@pytest.fixture
def there() -> Iterator[World]:
    with world() as running:
        yield running


def eventually(holds: Callable[[], bool], timeout_s: float = 5) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.005)


def create(there: World, title: str, *members: PlexItem) -> int:
    keys = ",".join(member.rating_key for member in members)
    uri = f"server://{there.plex.machine_identifier}/com.plexapp.plugins.library/library/metadata/{keys}"
    pairs = [("sectionId", there.library.key), ("title", title), ("smart", 0), ("type", 1)]
    return there.send("POST", "/library/collections", *pairs, *([("uri", uri)] if members else [])).status


def test_a_collection_tag_is_not_the_collection(there: World) -> None:
    film = there.film()
    there.edit(film, ("collection[0].tag.tag", "Trips"))
    (collection,) = there.plex.collections()
    (tag,) = there.read(film)["Collection"]
    assert tag["tag"] == collection.title == "Trips"
    assert str(tag["id"]) != collection.rating_key
    (entry,) = there.json(f"/library/sections/{there.library.key}/all", ("type", 18))["Metadata"]
    assert (entry["ratingKey"], entry["type"], entry["subtype"]) == (collection.rating_key, "collection", "movie")
    assert entry["childCount"] == 1


def test_an_emptied_collection_stays_until_it_is_deleted(there: World) -> None:
    film = there.film()
    there.edit(film, ("collection[0].tag.tag", "Trips"))
    there.edit(film, ("collection[].tag.tag-", "Trips"))
    (collection,) = there.plex.collections()
    assert (list(collection.members), film.collections) == ([], ())
    path = f"/library/sections/{there.library.key}/collection/{collection.rating_key}"
    assert there.send("DELETE", path).status == 200
    assert there.plex.collections() == []
    assert there.plex.deleted_media == []


def test_an_empty_collection_can_be_made_and_a_taken_title_cannot(there: World) -> None:
    assert create(there, "Trips") == 200
    assert create(there, "Trips") == 409
    assert create(there, "") == 400
    there.plex.behaviour = replace(there.plex.behaviour, duplicate_collection="duplicate")
    assert create(there, "Trips") == 200
    assert [found.title for found in there.plex.collections()] == ["Trips", "Trips"]


def test_members_come_and_go_by_either_verb(there: World) -> None:
    first, second = there.film("a.mp4"), there.film("b.mp4")
    create(there, "Trips", first, second)
    (collection,) = there.plex.collections()
    items = f"/library/collections/{collection.rating_key}/items"
    assert there.send("DELETE", f"{items}/{first.rating_key}").status == 200
    assert there.send("PUT", f"{items}/{second.rating_key}").status == 200
    assert there.send("PUT", f"{items}/{second.rating_key}").status == 404
    assert (first.collections, second.collections) == ((), ())
    assert there.send("PUT", items, ("uri", f"server://x/y/library/metadata/{first.rating_key}")).status == 200
    assert first.collections == ("Trips",)
    assert there.send("PUT", items, ("uri", "nonsense")).status == 400


def test_renaming_a_collection_reaches_its_members_unless_the_title_is_taken(there: World) -> None:
    film = there.film()
    there.edit(film, ("collection[0].tag.tag", "Trips"), ("collection[1].tag.tag", "Walks"))
    trips, _walks = there.plex.collections()
    assert there.edit(trips, ("title.value", "Walks")) == 409
    assert there.edit(trips, ("title.value", "Journeys")) == 200
    assert film.collections == ("Journeys", "Walks")
    assert [entry["tag"] for entry in there.read(film)["Collection"]] == ["Journeys", "Walks"]


def test_tags_of_a_collection_always_replace(there: World) -> None:
    there.plex.behaviour = replace(there.plex.behaviour, tags_on_items="add")
    create(there, "Trips")
    (collection,) = there.plex.collections()
    there.edit(collection, ("label[0].tag.tag", "One"))
    there.edit(collection, ("label[0].tag.tag", "Two"))
    assert collection.labels == ("Two",)


def test_a_collection_has_preferences_and_images(there: World) -> None:
    create(there, "Trips")
    (collection,) = there.plex.collections()
    prefs = f"/library/collections/{collection.rating_key}/prefs"
    assert there.send("PUT", prefs, ("collectionMode", "1")).status == 200
    assert there.read(collection)["collectionMode"] == "1"
    assert there.send("POST", f"/library/metadata/{collection.rating_key}/posters", body=b"picture").status == 200
    assert there.read(collection)["thumb"]


def test_a_removed_movie_leaves_its_collections(there: World) -> None:
    film = there.film()
    there.edit(film, ("collection[0].tag.tag", "Trips"))
    there.plex.remove_item(film.rating_key)
    (collection,) = there.plex.collections()
    assert there.json(f"/library/collections/{collection.rating_key}/children")["size"] == 0


def refresh(there: World, *pairs: tuple[str, str], method: str = "GET") -> int:
    return there.send(method, f"/library/sections/{there.library.key}/refresh", *pairs).status


def test_a_scan_is_queued_and_done_later(there: World) -> None:
    there.plex.add_unscanned_file(there.library, file="/data/media/new/a.mp4", size_bytes=5, duration_ms=7)
    assert refresh(there, ("path", "/data/media/new")) == 200
    assert there.plex.items() == []
    (section,) = there.json("/library/sections")["Directory"]
    assert section["refreshing"] is True
    eventually(lambda: len(there.plex.items()) == 1)
    (item,) = there.plex.items()
    assert (item.title, item.versions[0].size_bytes, item.versions[0].duration_ms) == ("a", 5, 7)
    eventually(lambda: there.xml("/library/sections").find("Directory").get("refreshing") == "0")


@pytest.mark.parametrize("folder", ["/data/media/other", "/data/media/ne", "/elsewhere", "/data/media/new/a.mp4/x"])
def test_a_scan_of_another_folder_finds_nothing(there: World, folder: str) -> None:
    there.plex.behaviour = replace(there.plex.behaviour, scan_delay_s=0)
    there.plex.add_unscanned_file(there.library, file="/data/media/new/a.mp4")
    assert refresh(there, ("path", folder)) == 200
    eventually(lambda: there.library.scans_queued == 0)
    assert there.plex.items() == []
    refresh(there)
    eventually(lambda: len(there.plex.items()) == 1)


def test_some_files_wait_for_the_test_itself(there: World) -> None:
    there.plex.behaviour = replace(there.plex.behaviour, scan_delay_s=0)
    there.plex.add_unscanned_file(there.library, file="/data/media/a.mp4", appears_after_scan=False)
    refresh(there)
    eventually(lambda: there.library.scans_queued == 0)
    assert there.plex.items() == []
    assert [item.title for item in there.plex.scan()] == ["a"]


def test_the_second_of_two_scans_may_get_lost(there: World) -> None:
    there.plex.behaviour = replace(there.plex.behaviour, second_scan_is_lost=True)
    for folder in ("a", "b"):
        there.plex.add_unscanned_file(there.library, file=f"/data/media/{folder}/{folder}.mp4")
        assert refresh(there, ("path", f"/data/media/{folder}")) == 200
    eventually(lambda: there.library.scans_queued == 0)
    assert [item.title for item in there.plex.items()] == ["a"]


def test_a_scan_is_asked_for_by_get(there: World) -> None:
    assert refresh(there, method="POST") == 404
    there.plex.behaviour = replace(there.plex.behaviour, scan_accepts_post=True)
    assert refresh(there, method="POST") == 200
    assert there.send("GET", "/library/sections/9/refresh").status == 404


def test_control_characters_make_bad_xml_and_good_json(there: World) -> None:
    film = there.film(title="Bell \x07 tower")
    assert there.read(film)["title"] == "Bell \x07 tower"
    with pytest.raises(ET.ParseError):
        there.xml(f"/library/metadata/{film.rating_key}")
