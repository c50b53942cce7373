"""What becomes of Plex's documents, the full ones and the odd ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from plex_documents import full_item, library_read

from scenesync.domain.fields import Field
from scenesync.domain.item import ItemPage, Library, ListedItem, MediaPart, ServerIdentity, UploadedImage
from scenesync.plex import parse


def node(document: dict[str, Any]) -> parse.Node:
    return parse.container(json.dumps(document).encode())


def test_a_full_item_is_read_with_all_that_is_set() -> None:
    (item,) = parse.items(node(library_read(full_item())))

    assert item.rating_key == "1201"
    assert item.library_key == "4"
    assert item.parts == (MediaPart("/data/north-pier/beach walk.mp4", 961234567, 1830000),)
    assert item.values == {
        Field.TITLE: "Beach Walk",
        Field.SORT_TITLE: "Walk, Beach",
        Field.SUMMARY: "Two friends walk.\nThen they swim.",
        Field.DATE: "2021-06-05",
        Field.STUDIO: "North Pier",
        Field.RATING: "8",
        Field.LABELS: ("stash",),
        Field.ACTORS: ("Ann Example", "Bo Müller"),
        Field.GENRES: ("Outdoor", "Sea"),
        Field.DIRECTORS: ("A. Writer",),
        Field.COLLECTIONS: ("North Pier",),
        Field.POSTER: "/library/metadata/1201/thumb/1700000400",
        Field.BACKGROUND: "/library/metadata/1201/art/1700000400",
    }
    assert item.locked == {"title", "actor", "thumb"}


def test_the_smaller_texts_are_read_too() -> None:
    (item,) = parse.items(node(library_read(full_item(contentRating="X", tagline="NP-001"))))

    assert (item.value(Field.CONTENT_RATING), item.value(Field.TAGLINE)) == ("X", "NP-001")


@pytest.mark.parametrize(
    ("shown", "rating"), [(8.0, "8"), ("8.5", "8.5"), (10, "10"), (0.0, ""), ("none", ""), (None, ""), (7.25, "7.25")]
)
def test_a_rating_has_one_spelling(shown: object, rating: str) -> None:
    (item,) = parse.items(node(library_read(full_item(userRating=shown))))

    assert item.value(Field.RATING) == rating


def test_a_bare_item_has_no_values() -> None:
    (item,) = parse.items(node({"MediaContainer": {"Metadata": [{"ratingKey": "7"}]}}))

    assert (item.rating_key, item.library_key, item.parts, item.values, item.locked) == ("7", "", (), {}, frozenset())


@pytest.mark.parametrize("row", [{"librarySectionID": "5"}, {"librarySectionKey": "/library/sections/5"}])
def test_an_item_may_name_its_library_itself(row: dict[str, Any]) -> None:
    (item,) = parse.items(node(library_read(full_item(**row))))

    assert item.library_key == "5"


def test_numbers_may_be_strings_and_keys_numbers() -> None:
    part = {"file": "/a.mp4", "size": "12", "duration": "34"}

    (item,) = parse.items(node(library_read(full_item(ratingKey=1201, title=1917, Media=[{"Part": [part]}]))))

    assert item.rating_key == "1201"
    assert item.values[Field.TITLE] == "1917"
    assert item.parts == (MediaPart("/a.mp4", 12, 34),)


def test_single_things_may_stand_for_lists() -> None:
    row = full_item(Genre={"tag": "Sea"}, Media={"Part": {"file": "/a.mp4"}}, Field={"name": "title"})

    (item,) = parse.items(node({"MediaContainer": {"Metadata": row}}))

    assert item.values[Field.GENRES] == ("Sea",)
    assert item.parts == (MediaPart("/a.mp4"),)
    assert item.locked == {"title"}


@pytest.mark.parametrize("odd", [None, "", 3, [], [None, 3, "x", {}], {"tag": None}, {"tag": ""}])
def test_odd_lists_are_no_list(odd: object) -> None:
    (item,) = parse.items(node(library_read(full_item(Genre=odd, Media=odd, Field=odd))))

    assert Field.GENRES not in item.values
    assert item.parts == ()
    assert item.locked == frozenset()


@pytest.mark.parametrize("odd", [None, "", "x", True, [], {}, "1e999", 1e999, "9" * 5000])
def test_odd_numbers_are_no_number(odd: object) -> None:
    media = [{"duration": odd, "Part": [{"file": "/a.mp4", "size": odd, "duration": odd}]}]

    (item,) = parse.items({"Metadata": [full_item(Media=media)]})

    assert item.parts == (MediaPart("/a.mp4"),)


def test_a_single_part_may_have_its_duration_from_the_medium_and_several_may_not() -> None:
    whole = {"duration": 100, "Part": [{"file": "/a.mp4"}]}
    halves = {"duration": 100, "Part": [{"file": "/b1.mp4"}, {"file": "/b2.mp4", "duration": 40}]}

    (item,) = parse.items(node(library_read(full_item(Media=[whole, halves]))))

    assert item.parts == (
        MediaPart("/a.mp4", duration_ms=100),
        MediaPart("/b1.mp4"),
        MediaPart("/b2.mp4", duration_ms=40),
    )


def test_unlocked_fields_are_not_locked() -> None:
    fields = [{"name": "title", "locked": "0"}, {"name": "art", "locked": False}, {"name": "genre", "locked": "1"}]

    (item,) = parse.items(node(library_read(full_item(Field=fields))))

    assert item.locked == {"genre"}


def test_a_name_that_comes_twice_counts_once() -> None:
    roles = [{"tag": "Ann", "role": "A"}, {"tag": "Bo"}, {"tag": "Ann", "role": "B"}]

    (item,) = parse.items(node(library_read(full_item(Role=roles))))

    assert item.values[Field.ACTORS] == ("Ann", "Bo")


def test_half_characters_do_not_get_in() -> None:
    (item,) = parse.items(parse.container(b'{"MediaContainer":{"Metadata":[{"ratingKey":"1","title":"a\\ud83cb"}]}}'))

    assert item.values[Field.TITLE] == "a?b"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<!DOCTYPE html><html><body>Login</body></html>", "HTML"),
        (b"\xef\xbb\xbf\n<HTML>", "HTML"),
        (b'{"MediaContainer":{"Metad', "not JSON"),
        (b'<?xml version="1.0"?><MediaContainer/>', "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"[]", "without a MediaContainer"),
        (b"{}", "without a MediaContainer"),
        (b'{"MediaContainer":[]}', "without a MediaContainer"),
    ],
)
def test_what_plex_never_sends_is_told_apart(body: bytes, what: str) -> None:
    with pytest.raises(parse.NotPlex, match=what):
        parse.container(body)


def test_the_identity_is_read() -> None:
    found = parse.server_identity({"machineIdentifier": "m-1", "version": "1.43.2"})

    assert found == ServerIdentity("m-1", "1.43.2")


def test_an_identity_without_identifier_is_not_plex() -> None:
    with pytest.raises(parse.NotPlex):
        parse.server_identity({"version": "1"})


def test_only_movie_libraries_count() -> None:
    sections = [
        {"key": "4", "type": "movie", "title": "Scenes", "Location": [{"id": 1, "path": "/a"}, {"path": "/b"}]},
        {"key": 5, "type": "movie", "title": "Clips", "agent": "tv.plex.agents.none", "Location": {"path": "/c"}},
        {"key": "6", "type": "show", "title": "Series"},
        {"key": "7", "type": "artist", "title": "Concerts"},
        {"type": "movie", "title": "No key"},
    ]

    assert parse.movie_libraries({"Directory": sections}) == (
        Library("4", "Scenes", ("/a", "/b")),
        Library("5", "Clips", ("/c",)),
    )


def rows(first: int, count: int) -> list[dict[str, Any]]:
    return [{"ratingKey": str(key), "title": f"T{key}"} for key in range(first, first + count)]


def page(container: dict[str, Any], start: int, size: int, header_total: str = "") -> ItemPage:
    return parse.item_page(container, library_key="4", start=start, size=size, header_total=header_total)


def keys(found: ItemPage) -> list[int]:
    return [int(item.rating_key) for item in found.items]


def test_a_page_is_read() -> None:
    row = full_item()

    found = page({"offset": 0, "size": 1, "totalSize": 321, "Metadata": [row]}, 0, 100)

    assert found == ItemPage(
        items=(
            ListedItem(
                rating_key="1201",
                library_key="4",
                parts=(MediaPart("/data/north-pier/beach walk.mp4", 961234567, 1830000),),
                title="Beach Walk",
                added_at=1699990000,
                updated_at=1700000400,
            ),
        ),
        total=321,
    )


def test_a_server_may_send_fewer_than_asked_for() -> None:
    found = page({"offset": 100, "totalSize": "321", "Metadata": rows(100, 50)}, 100, 200)

    assert (keys(found), found.total) == (list(range(100, 150)), 321)


def test_a_server_may_not_say_its_total() -> None:
    assert page({"Metadata": rows(100, 50)}, 100, 50).total is None
    assert page({"Metadata": rows(100, 50)}, 100, 50, header_total="999").total == 999


def test_a_server_may_ignore_paging() -> None:
    everything = {"size": 500, "Metadata": rows(0, 500)}

    first = page(everything, 0, 100)
    later = page(everything, 480, 100)

    assert (len(first.items), first.total) == (500, 500)
    assert (keys(later), later.total) == (list(range(480, 500)), 500)
    assert page(everything, 500, 100).items == ()


def test_a_server_may_begin_before_the_start() -> None:
    found = page({"offset": 80, "totalSize": 200, "Metadata": rows(80, 40)}, 100, 100)

    assert keys(found) == list(range(100, 120))


def test_an_empty_page_ends_a_listing() -> None:
    assert page({"size": 0, "totalSize": 40}, 40, 100) == ItemPage((), 40)


def test_the_container_or_the_row_may_name_the_library() -> None:
    found = page(
        {"librarySectionID": 9, "Metadata": [{"ratingKey": "1"}, {"ratingKey": "2", "librarySectionID": 8}]}, 0, 9
    )

    assert [item.library_key for item in found.items] == ["9", "8"]


def test_candidates_of_images_are_read() -> None:
    photos = [
        {"key": "/library/metadata/1/file?url=x", "ratingKey": "upload://posters/abc", "selected": True},
        {"key": "/library/metadata/1/file?url=y", "ratingKey": "upload://posters/def", "selected": "0"},
        {"key": "media://x.jpg", "selected": "1"},
        {"thumb": "nothing to select it by"},
    ]

    assert parse.uploaded_images({"Metadata": photos}) == (
        UploadedImage("upload://posters/abc", selected=True),
        UploadedImage("upload://posters/def", selected=False),
        UploadedImage("media://x.jpg", selected=True),
    )
