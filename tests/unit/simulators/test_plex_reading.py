"""Listings, single reads, paging, filters and tokens, byte by byte where it matters."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from plex_over_http import World, world

from scenesync.simulators.plex.behaviour import PlexBehaviour

RICH = {
    "summary": 'Two friends walk, "slowly" & <surely>.\nThen they rest.',
    "studio": "North Pier",
    "originally_available_at": "2021-06-05",
    "user_rating": 8.0,
    "genres": ["Outdoor", "Sea", "Walks"],
    "actors": ["Ann", "Bob", "Cem", "Dee"],
    "directors": ["E. F.", "G. H.", "I. J."],
    "labels": ["Stash"],
    "collections": ["Pier films"],
}


@pytest.fixture
def there() -> Iterator[World]:
    with world() as running:
        yield running


def test_a_full_read_shows_everything_in_json_and_xml_alike(there: World) -> None:
    film = there.film("beach walk.mp4", "Beach Walk")
    there.plex.edit_by_hand(film, **RICH)
    entry = there.read(film)
    assert entry["title"] == "Beach Walk"
    assert (entry["ratingKey"], entry["year"], entry["userRating"], entry["duration"]) == ("1001", 2021, 8.0, 60_000)
    assert entry["summary"] == RICH["summary"]
    assert entry["Media"][0]["Part"][0]["file"] == "/data/media/beach walk.mp4"
    assert entry["Media"][0]["Part"][0]["size"] == 1_000_000
    assert [genre["tag"] for genre in entry["Genre"]] == RICH["genres"]
    assert [role["tag"] for role in entry["Role"]] == RICH["actors"]
    assert {"id", "filter", "tag"} <= entry["Role"][0].keys()
    assert [label["tag"] for label in entry["Label"]] == ["Stash"]
    assert {field["name"] for field in entry["Field"]} == {
        "summary", "studio", "originallyAvailableAt", "userRating", "genre", "actor", "director", "label", "collection",
    }  # fmt: skip
    assert entry["Field"][0]["locked"] is True

    (video,) = there.xml(f"/library/metadata/{film.rating_key}")
    assert video.tag == "Video"
    assert {name: str(value) for name, value in entry.items() if isinstance(value, str | int | float)} == video.attrib
    assert [genre.get("tag") for genre in video.iter("Genre")] == RICH["genres"]
    assert [field.get("locked") for field in video.iter("Field")] == ["1"] * 9
    assert len(list(video.iter("Stream"))) == 2


def test_unset_fields_are_absent(there: World) -> None:
    entry = there.read(there.film())
    assert not {"summary", "studio", "year", "userRating", "art", "Genre", "Role", "Field"} & entry.keys()
    assert entry["title"] == "harbour"


def test_a_listing_truncates_lists_and_hides_labels_and_locks(there: World) -> None:
    film = there.film()
    there.plex.edit_by_hand(film, **RICH)
    (entry,) = there.listed()["Metadata"]
    assert [genre["tag"] for genre in entry["Genre"]] == ["Outdoor", "Sea"]
    assert entry["Role"] == [{"tag": "Ann"}, {"tag": "Bob"}, {"tag": "Cem"}]
    assert len(entry["Director"]) == 2
    assert not {"Label", "Field", "Image"} & entry.keys()
    assert "Stream" not in entry["Media"][0]["Part"][0]
    assert entry["summary"] == RICH["summary"]
    there.plex.behaviour = replace(there.plex.behaviour, listing="lax")
    (entry,) = there.listed()["Metadata"]
    assert (len(entry["Genre"]), len(entry["Role"]), len(entry["Label"])) == (3, 4, 1)
    assert {"Field", "Image"} <= entry.keys()


def test_a_listing_entry_follows_edits(there: World) -> None:
    film = there.film(title="Before")
    assert there.titles() == ["Before"]
    assert there.edit(film, ("title.value", "After")) == 200
    assert there.titles() == ["After"]


def test_several_items_are_read_at_once_and_missing_ones_left_out(there: World) -> None:
    first, second = there.film("a.mp4"), there.film("b.mp4")
    found = there.json(f"/library/metadata/{second.rating_key},77777,{first.rating_key}")
    assert [entry["title"] for entry in found["Metadata"]] == ["b", "a"]
    assert found["size"] == 2
    for path in ("/library/metadata/77777", "/library/metadata/77777,88888"):
        answer = there.send("GET", path, Accept="application/json")
        assert answer.status == 404
        assert answer.headers["Content-Type"] == "text/html"
        assert b"<h1>404 Not Found</h1>" in answer.data


def test_pages_by_header_or_by_query(there: World) -> None:
    for number in range(5):
        there.film(f"{number}.mp4")
    by_query = there.listed(("X-Plex-Container-Start", 3), ("X-Plex-Container-Size", 10))
    assert [entry["title"] for entry in by_query["Metadata"]] == ["3", "4"]
    assert (by_query["size"], by_query["offset"], by_query["totalSize"]) == (2, 3, 5)
    by_header = there.listed(X_Plex_Container_Start="1", X_Plex_Container_Size="2")
    assert [entry["title"] for entry in by_header["Metadata"]] == ["1", "2"]
    nothing = there.listed(("X-Plex-Container-Start", 0), ("X-Plex-Container-Size", 0))
    assert (nothing["size"], nothing["totalSize"]) == (0, 5)
    assert "Metadata" not in nothing
    beyond = there.listed(("X-Plex-Container-Start", 50), ("X-Plex-Container-Size", 2))
    assert (beyond["size"], beyond["totalSize"]) == (0, 5)


def test_page_facts_are_in_headers_too(there: World) -> None:
    there.film()
    path = f"/library/sections/{there.library.key}/all"
    answer = there.send("GET", path, X_Plex_Container_Start="0", X_Plex_Container_Size="7")
    assert answer.headers["X-Plex-Container-Total-Size"] == "1"
    assert answer.headers["X-Plex-Container-Start"] == "0"


def test_a_server_may_give_smaller_pages_and_no_total(there: World) -> None:
    there.plex.behaviour = PlexBehaviour(page_size_cap=2, total_size_reported=False)
    for number in range(5):
        there.film(f"{number}.mp4")
    page = there.listed(("X-Plex-Container-Start", 0), ("X-Plex-Container-Size", 100))
    assert page["size"] == 2
    assert "totalSize" not in page
    assert there.listed()["size"] == 2


def test_an_item_added_between_pages_shifts_the_next_one(there: World) -> None:
    there.film("b.mp4")
    there.film("c.mp4")
    there.plex.on_page = lambda offset: there.film("a.mp4") and None if offset == 0 else None
    paging = ("X-Plex-Container-Size", 1)
    first = there.listed(paging, ("X-Plex-Container-Start", 0))
    second = there.listed(paging, ("X-Plex-Container-Start", 1))
    assert first["Metadata"][0]["title"] == second["Metadata"][0]["title"] == "b"
    assert second["totalSize"] == 3


def test_limit_bounds_the_total(there: World) -> None:
    for number in range(5):
        there.film(f"{number}.mp4")
    assert there.listed(("limit", 3))["totalSize"] == 3


def test_filters_narrow_a_listing(there: World) -> None:
    beach, town = there.film("beach.mp4", "Beach Walk"), there.film("town.mp4", "Old Town")
    there.plex.edit_by_hand(beach, user_rating=6, genres=["Sea"], originally_available_at="2020-01-02")
    genre = there.read(beach)["Genre"][0]["id"]
    assert there.titles(("title", "WALK")) == ["Beach Walk"]
    assert there.titles(("title=", "Old Town")) == ["Old Town"]
    assert there.titles(("title!", "walk")) == ["Old Town"]
    assert there.titles(("id", f"{town.rating_key},99999")) == ["Old Town"]
    assert there.titles(("genre", genre)) == ["Beach Walk"]
    assert there.titles(("genre!", genre)) == ["Old Town"]
    assert there.titles(("userRating>", 6)) == ["Beach Walk"]
    assert there.titles(("userRating>>", 6)) == []
    assert there.titles(("originallyAvailableAt>>", "2019-01-01")) == ["Beach Walk"]
    assert there.titles(("guid", f"tv.plex.agents.none://{town.rating_key}")) == ["Old Town"]


def test_times_are_compared_strictly(there: World) -> None:
    film = there.film(title="Old Town")
    now = film.updated_at
    assert there.titles(("updatedAt>>", now - 1)) == ["Old Town"]
    assert there.titles(("updatedAt>>", now)) == []
    assert there.titles(("addedAt<<", now + 1)) == ["Old Town"]
    assert there.titles(("addedAt>>", "-1h")) == ["Old Town"]
    assert time.time() - now < 60


def test_an_unknown_filter_finds_nothing_without_an_error(there: World) -> None:
    there.film()
    assert there.listed(("fle", "x"))["totalSize"] == 0
    assert there.listed(("includeGuids", 1), ("skipRefresh", 1), ("sort", "id"))["totalSize"] == 1


@pytest.mark.parametrize(
    ("mode", "asked", "found"),
    [
        ("unsupported", "/data/media/a/walk.mp4", []),
        ("ignored", "/data/media/a/walk.mp4", ["other", "walk", "walk"]),
        ("basename", "walk.mp4", ["walk", "walk"]),
        ("basename", "/data/media/a/walk.mp4", ["walk", "walk"]),
        ("basename", "alk.mp4", []),
        ("superset", "/data/media/a/walk.mp4", ["other", "walk"]),
        ("superset", "walk.mp4", ["walk", "walk"]),
    ],
)
def test_the_file_filter_in_its_modes(there: World, mode: str, asked: str, found: list[str]) -> None:
    for name in ("a/walk.mp4", "a/other.mp4", "b/walk.mp4"):
        there.film(name)
    there.plex.behaviour = replace(there.plex.behaviour, file_filter=mode)
    assert there.titles(("file", asked)) == found


def test_projections_are_requests_not_guarantees(there: World) -> None:
    there.plex.edit_by_hand(there.film(), **RICH)
    (entry,) = there.listed(("excludeElements", "Media,Genre"), ("excludeFields", "summary"))["Metadata"]
    assert not {"Media", "Genre", "summary"} & entry.keys()
    assert "Role" in entry
    only = (("includeFields", "updatedAt"), ("includeElements", "Media"))
    (entry,) = there.listed(*only, X_Plex_Pms_Api_Version="1.2.0")["Metadata"]
    assert entry.keys() == {"ratingKey", "key", "type", "updatedAt", "Media"}
    (entry,) = there.listed(*only)["Metadata"]  # without an API version these are additions
    assert {"title", "Genre"} <= entry.keys()
    there.plex.behaviour = replace(there.plex.behaviour, honours_projection=False)
    (entry,) = there.listed(("excludeElements", "Media"))["Metadata"]
    assert "Media" in entry


def test_every_reading_endpoint_speaks_json_and_xml(there: World) -> None:
    film = there.film()
    there.plex.edit_by_hand(film, genres=["Sea"], collections=["Pier films"])
    (collection,) = there.plex.collections()
    section = f"/library/sections/{there.library.key}"
    for path, array in {
        "/": "Directory",
        "/identity": None,
        "/library": "Directory",
        "/activities": None,
        "/library/sections": "Directory",
        "/library/sections/all": "Directory",
        section: "Directory",
        f"{section}/all": "Metadata",
        f"{section}/collections": "Metadata",
        f"{section}/genre": "Directory",
        f"/library/metadata/{film.rating_key}": "Metadata",
        f"/library/metadata/{collection.rating_key}": "Metadata",
        f"/library/metadata/{film.rating_key}/posters": "Metadata",
        f"/library/collections/{collection.rating_key}": "Metadata",
        f"/library/collections/{collection.rating_key}/children": "Metadata",
    }.items():
        container = there.json(path)
        assert (array in container) == (array is not None), path
        assert there.xml(path).tag == "MediaContainer"


def test_sections_show_their_roots_and_numbers_are_typed(there: World) -> None:
    (section,) = there.json("/library/sections")["Directory"]
    assert section["Location"] == [{"id": 1, "path": "/data/media"}]
    assert (section["key"], section["type"], section["refreshing"]) == (there.library.key, "movie", False)


def test_the_filter_menu_comes_with_the_listing_when_asked_for(there: World) -> None:
    meta = there.listed(("includeMeta", 1))["Meta"]
    assert meta["Type"][0]["type"] == "movie"
    assert {field["type"] for field in meta["FieldType"]} >= {"tag", "string", "date"}


def test_tokens(there: World) -> None:
    film = there.film()
    path = f"/library/metadata/{film.rating_key}"
    assert there.send("GET", "/identity", X_Plex_Token="").status == 200
    for token in ("", "wrong"):
        answer = there.send("GET", path, X_Plex_Token=token, Accept="application/json")
        assert answer.status == 401
        assert b"401 Unauthorized" in answer.data
    there.plex.token = "another"
    assert there.send("GET", path).status == 200


def test_a_token_in_the_query_is_as_good_and_a_guest_may_only_read() -> None:
    with world(read_only_token="guest") as there:
        film = there.film()
        path = f"/library/metadata/{film.rating_key}"
        assert there._pool.request("GET", f"{there.plex.url}{path}?X-Plex-Token={there.plex.token}").status == 200
        assert there.send("GET", path, X_Plex_Token="guest").status == 200
        assert there.send("PUT", path, ("title.value", "Mine"), X_Plex_Token="guest").status == 403
        scan = f"/library/sections/{there.library.key}/refresh"
        assert there.send("GET", scan, X_Plex_Token="guest").status == 403
        assert film.title == "harbour"


def test_a_wrong_path_or_verb_is_404(there: World) -> None:
    film = there.film()
    assert there.send("GET", "/nowhere").status == 404
    assert there.send("GET", f"/library/metadata/{film.rating_key}/refresh").status == 404
    assert there.send("GET", "/library/sections/99/all").status == 404


def test_versions_renames_and_trash_show(there: World) -> None:
    film = there.film("one.mp4")
    there.plex.add_version(film, file="/data/media/two.mkv", size_bytes=None, duration_ms=None)
    there.plex.rename_file(film, "/data/media/uno.mp4")
    parts = [media["Part"][0] for media in there.read(film)["Media"]]
    assert [part["file"] for part in parts] == ["/data/media/uno.mp4", "/data/media/two.mkv"]
    assert "size" not in parts[1]
    assert there.plex.item_by_file("/data/media/two.mkv") is film
    there.plex.trash_item(film.rating_key)
    assert there.listed()["Metadata"][0]["deletedAt"] >= film.added_at
    assert there.send("PUT", f"/library/sections/{there.library.key}/emptyTrash").status == 200
    assert there.plex.items() == []
    with pytest.raises(KeyError):
        there.plex.item(film.rating_key)
