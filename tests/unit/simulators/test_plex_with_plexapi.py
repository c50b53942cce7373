"""The client library that other tools use works against the simulator without knowing."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
from plexapi.library import MovieSection
from plexapi.server import PlexServer
from plexapi.video import Movie

from scenesync.simulators.plex.server import PlexSimulator

AWKWARD_TAG = "a tag,%&\"'+ with everything"
JPEG = b"\xff\xd8\xff\xe0 not quite a picture"


@pytest.fixture
def plex() -> Iterator[PlexSimulator]:
    with PlexSimulator() as simulator:
        library = simulator.add_library("Films", ["/data/media"])
        for name in ("Beach Walk", "Harbour at Dawn", "Night Train"):
            simulator.add_item(library, file=f"/data/media/{name.lower()}.mp4", title=name)
        yield simulator
    assert simulator.simulator_failures == ()


@pytest.fixture
def server(plex: PlexSimulator) -> Iterator[PlexServer]:
    with requests.Session() as session:
        yield PlexServer(plex.url, plex.token, session=session, timeout=10)


@pytest.fixture
def section(server: PlexServer) -> MovieSection:
    return server.library.section("Films")


@pytest.fixture
def film(section: MovieSection) -> Movie:
    return section.get("Beach Walk")


def test_connecting_reads_the_server_and_its_sections(plex: PlexSimulator, server: PlexServer) -> None:
    assert server.machineIdentifier == plex.machine_identifier
    (section,) = server.library.sections()
    assert (section.type, section.agent, section.locations) == ("movie", "tv.plex.agents.none", ["/data/media"])
    assert plex.counts() == {"server": 2, "sections": 1}


def test_a_wrong_token_is_unauthorized(plex: PlexSimulator) -> None:
    with requests.Session() as session, pytest.raises(Unauthorized):
        PlexServer(plex.url, "wrong", session=session)


def test_all_walks_the_pages(plex: PlexSimulator, section: MovieSection) -> None:
    plex.clear_records()
    titles = [film.title for film in section.all(container_size=2)]
    assert titles == ["Beach Walk", "Harbour at Dawn", "Night Train"]
    assert plex.counts() == {"list": 2}


def test_items_know_their_files(plex: PlexSimulator, section: MovieSection) -> None:
    assert [film.locations for film in section.all()] == [list(item.files) for item in plex.items()]


def test_search_by_title_sort_and_tag(plex: PlexSimulator, section: MovieSection) -> None:
    plex.edit_by_hand(plex.item_by_file("/data/media/night train.mp4"), genres=["Travel"], user_rating=9)
    assert [film.title for film in section.search(title="walk")] == ["Beach Walk"]
    assert [film.title for film in section.search(sort="titleSort:desc", maxresults=1)] == ["Night Train"]
    assert [film.title for film in section.search(genre="Travel")] == ["Night Train"]
    assert [film.title for film in section.search(filters={"userRating>>": 8})] == ["Night Train"]
    assert [film.title for film in section.search(filters={"addedAt>>": "2001-01-01"}, sort="id:desc")] == [
        "Night Train",
        "Harbour at Dawn",
        "Beach Walk",
    ]


def test_fetching_by_key_and_a_missing_item(plex: PlexSimulator, server: PlexServer) -> None:
    first, second, _ = plex.items()
    assert server.fetchItem(int(first.rating_key)).title == "Beach Walk"
    both = server.fetchItems(f"/library/metadata/{first.rating_key},{second.rating_key}")
    assert [film.title for film in both] == ["Beach Walk", "Harbour at Dawn"]
    with pytest.raises(NotFound):
        server.fetchItem(999_999)


def test_text_edits_lock_and_can_be_read_back(plex: PlexSimulator, film: Movie) -> None:
    film.editTitle("Beach Run").editSummary("Two friends\nrun & rest.").editStudio("North Pier", locked=False).reload()
    assert (film.title, film.summary, film.studio) == ("Beach Run", "Two friends\nrun & rest.", "North Pier")
    assert {field.name for field in film.fields if field.locked} == {"title", "summary"}
    assert plex.item(str(film.ratingKey)).summary == "Two friends\nrun & rest."


def test_batch_edits_are_one_request(plex: PlexSimulator, film: Movie) -> None:
    film.reload()
    plex.clear_records()
    film.batchEdits().editTitle("Pier").editOriginallyAvailable("2021-06-05").editContentRating("PG")
    film.addGenre(["Sea", "Walks"]).saveEdits()
    assert plex.counts() == {"edit": 1}
    film.reload()
    assert (film.title, film.year, film.contentRating) == ("Pier", 2021, "PG")
    assert [genre.tag for genre in film.genres] == ["Sea", "Walks"]


@pytest.mark.parametrize("tags_on_items", ["replace", "add"])
def test_tags_with_awkward_characters_come_and_go(plex: PlexSimulator, film: Movie, tags_on_items: str) -> None:
    plex.behaviour = replace(plex.behaviour, tags_on_items=tags_on_items)
    film.addGenre(["Sea", AWKWARD_TAG]).reload()
    assert [genre.tag for genre in film.genres] == ["Sea", AWKWARD_TAG]
    film.removeGenre([AWKWARD_TAG, "Sea"]).reload()
    assert film.genres == []
    assert plex.item(str(film.ratingKey)).genres == ()


def test_an_awkward_tag_stays_where_names_are_decoded_once(plex: PlexSimulator, film: Movie) -> None:
    plex.behaviour = replace(plex.behaviour, minus_decoding="once")
    film.addGenre(["Sea", AWKWARD_TAG]).reload()
    film.removeGenre([AWKWARD_TAG, "Sea"]).reload()
    assert [genre.tag for genre in film.genres] == [AWKWARD_TAG]


def test_adding_to_a_listed_item_loses_what_the_listing_left_out(plex: PlexSimulator, section: MovieSection) -> None:
    item = plex.items()[0]
    plex.edit_by_hand(item, genres=["A", "B", "C", "D"])
    listed = section.all()[0]
    listed.addGenre("E")
    assert item.genres == ("A", "B", "E")


def test_labels_are_title_cased_and_absent_from_listings(section: MovieSection, film: Movie) -> None:
    film.addLabel("leaving-soon").reload()
    assert [label.tag for label in film.labels] == ["Leaving-Soon"]
    film.removeLabel("leaving-soon").reload()
    assert film.labels == []
    film.addLabel("stash")
    listed = section.all()[0]
    listed._autoReload = False
    assert listed.labels == []


def test_collection_tags_make_collections_that_outlive_their_members(section: MovieSection, film: Movie) -> None:
    film.addCollection("By the sea")
    collection = section.collection("By the sea")
    assert [member.title for member in collection.items()] == ["Beach Walk"]
    assert len(collection) == 1
    film.reload().removeCollection("By the sea")
    assert [(found.title, found.childCount) for found in section.collections()] == [("By the sea", 0)]


def test_collections_made_directly(plex: PlexSimulator, section: MovieSection) -> None:
    walk, harbour, train = section.all()
    collection = section.createCollection("Trips", items=[walk, harbour])
    collection.addItems(train).removeItems(walk)
    assert [member.title for member in collection.reload().items()] == ["Harbour at Dawn", "Night Train"]
    assert plex.item(str(walk.ratingKey)).collections == ()
    assert plex.item(str(train.ratingKey)).collections == ("Trips",)
    collection.editSummary("Going places.").reload()
    assert collection.summary == "Going places."
    with pytest.raises(BadRequest, match=r"\(409\)"):
        section.createCollection("Trips", items=[walk])
    collection.delete()
    assert section.collections() == []
    assert plex.item(str(train.ratingKey)).collections == ()


def test_many_items_are_edited_in_one_request(plex: PlexSimulator, section: MovieSection) -> None:
    films = section.all()
    plex.clear_records()
    section.batchMultiEdits(films[:2]).editStudio("North Pier").addGenre("Sea").saveMultiEdits()
    assert plex.counts() == {"edit": 1}
    assert [(item.studio, item.genres) for item in plex.items()] == [("North Pier", ("Sea",))] * 2 + [("", ())]
    assert plex.whole_library_edits == []


def test_locking_a_field_of_everything_is_seen_as_a_whole_library_edit(
    plex: PlexSimulator, section: MovieSection
) -> None:
    section.lockAllField("title")
    assert all("title" in item.locked for item in plex.items())
    assert len(plex.whole_library_edits) == 1


def test_an_uploaded_poster_is_selected_and_another_can_be_chosen(plex: PlexSimulator, film: Movie) -> None:
    item = plex.item(str(film.ratingKey))
    film.uploadPoster(filepath=JPEG)
    frame, uploaded = film.posters()
    assert (frame.selected, uploaded.selected) == (False, True)
    assert uploaded.ratingKey == f"upload://posters/{hashlib.sha1(JPEG, usedforsecurity=False).hexdigest()}"
    assert item.locked == frozenset()
    film.setPoster(frame)
    assert item.locked == {"thumb"}
    film.uploadPoster(filepath=JPEG)  # known bytes select nothing
    assert [poster.selected for poster in film.posters()] == [True, False]
    film.unlockPoster().uploadArt(filepath=JPEG).lockArt().reload()
    assert item.locked == {"art"}
    assert item.art is not None
    assert item.art.data == JPEG
    film.deletePoster()
    assert item.poster is None


def test_rating_and_clearing_it(plex: PlexSimulator, film: Movie) -> None:
    item = plex.item(str(film.ratingKey))
    film.rate(7.5).reload()
    assert (film.userRating, item.user_rating) == (7.5, 7.5)
    film.rate()
    assert item.user_rating is None
    assert item.locked == frozenset()


def test_refreshing_an_item_resets_what_is_not_locked(plex: PlexSimulator, film: Movie) -> None:
    film.editTitle("Beach Run").editSummary("Short.", locked=False).addGenre("Sea", locked=False)
    film.refresh()
    film.reload()
    assert (film.title, film.summary, film.genres) == ("Beach Run", None, [])
    assert plex.refreshed == [str(film.ratingKey)]


def test_a_scan_brings_new_files_after_a_while(plex: PlexSimulator, section: MovieSection) -> None:
    library = plex.library("Films")
    plex.add_unscanned_file(library, file="/data/media/new/Old Town.mp4")
    plex.add_unscanned_file(library, file="/data/media/other/Elsewhere.mp4")
    section.update("/data/media/new")
    assert len(section.all()) == 3
    deadline = time.monotonic() + 5
    while len(section.all()) == 3:
        assert time.monotonic() < deadline
    assert {film.title for film in section.all()} == {"Beach Walk", "Harbour at Dawn", "Night Train", "Old Town"}


def test_errors_have_the_codes_that_plexapi_folds_together(plex: PlexSimulator, film: Movie) -> None:
    plex.starting_up()
    with pytest.raises(BadRequest, match=r"^\(503\)"):
        film.reload()
    plex.starting_up(on=False)
    with pytest.raises(BadRequest, match=r"^\(414\)"):
        film.editSummary("x" * 20_000)
