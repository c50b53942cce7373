"""Edits under every answer to the open questions."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from plex_over_http import World, world

from scenesync.simulators.plex.model import PlexItem
from scenesync.simulators.plex.tags import title_case_label


@pytest.fixture
def there() -> Iterator[World]:
    with world() as running:
        yield running


@pytest.fixture
def film(there: World) -> PlexItem:
    film = there.film(title="Beach Walk")
    there.plex.edit_by_hand(film, locked=False, genres=["A", "B"], actors=["Ann"], labels=["Mine"])
    return film


def switch(there: World, **switches: object) -> None:
    there.plex.behaviour = replace(there.plex.behaviour, **switches)


def test_an_edit_answers_200_with_nothing(there: World, film: PlexItem) -> None:
    answer = there.send("PUT", "/library/sections/1/all", ("id", film.rating_key), ("title.value", "Sea"))
    assert (answer.status, answer.data) == (200, b"")
    assert film.title == "Sea"


def test_values_and_locks(there: World, film: PlexItem) -> None:
    there.edit(film, ("title.value", "Sea"), ("title.locked", 0), ("summary.value", "Waves."), ("summary.locked", 1))
    assert (film.title, film.summary, film.locked) == ("Sea", "Waves.", {"summary"})
    there.edit(film, ("summary.locked", 0), ("thumb.locked", 1), ("clearLogo.locked", 1))
    assert film.locked == {"thumb", "clearLogo"}


@pytest.mark.parametrize(("locks", "expected"), [(True, {"summary"}), (False, frozenset())])
def test_an_edit_without_a_lock_parameter(there: World, film: PlexItem, *, locks: bool, expected: set[str]) -> None:
    switch(there, edit_without_lock_parameter_locks=locks)
    there.edit(film, ("summary.value", "Waves."))
    assert film.locked == expected


def test_both_spellings_of_the_address_and_several_ids(there: World, film: PlexItem) -> None:
    other = there.film("b.mp4")
    path = f"/library/metadata/{film.rating_key},{other.rating_key}"
    assert there.send("PUT", path, ("type", 4), ("studio.value", "Pier")).status == 200
    assert (film.studio, other.studio) == ("Pier", "Pier")
    ids = f"{film.rating_key},{other.rating_key}"
    there.send("PUT", "/library/sections/1/all", ("type", 1), ("id", ids), ("studio.value", ""))
    assert (film.studio, other.studio) == ("", "")
    assert there.plex.whole_library_edits == []


@pytest.mark.parametrize("pairs", [(), (("id", ""),)])
def test_an_edit_without_ids_changes_everything_and_is_noticed(
    there: World, film: PlexItem, pairs: tuple[tuple[str, str], ...]
) -> None:
    other = there.film("b.mp4")
    there.send("PUT", "/library/sections/1/all", ("type", 1), *pairs, ("studio.value", "Pier"))
    assert (film.studio, other.studio) == ("Pier", "Pier")
    assert len(there.plex.whole_library_edits) == 1


def test_ids_that_do_not_fit_change_nothing(there: World, film: PlexItem) -> None:
    elsewhere = there.plex.add_item(there.plex.add_library("Other", ["/x"]), file="/x/y.mp4")
    edit = ("studio.value", "Pier")
    for pairs in ((("id", "99999"),), (("id", elsewhere.rating_key),), (("type", 18), ("id", film.rating_key))):
        assert there.send("PUT", "/library/sections/1/all", *pairs, edit).status == 200
        switch(there, unknown_id="404")
        assert there.send("PUT", "/library/sections/1/all", *pairs, edit).status == 404
        switch(there, unknown_id="ignored")
    assert (film.studio, elsewhere.studio) == ("", "")
    assert there.send("PUT", "/library/metadata/99999", edit).status == 404
    assert there.send("PUT", "/library/sections/9/all", ("id", film.rating_key), edit).status == 404


def test_values_that_make_no_sense_are_refused_as_a_whole(there: World, film: PlexItem) -> None:
    for bad in (("originallyAvailableAt.value", "2021-13-01"), ("userRating.value", "11"), ("addedAt.value", "now")):
        assert there.edit(film, ("title.value", "Sea"), bad) == 400
    assert film.title == "Beach Walk"


def test_a_date_brings_its_year_and_takes_it_away(there: World, film: PlexItem) -> None:
    there.edit(film, ("originallyAvailableAt.value", "2021-06-05"))
    assert (film.originally_available_at, film.year) == ("2021-06-05", 2021)
    there.edit(film, ("originallyAvailableAt.value", ""))
    assert (film.originally_available_at, film.year) == ("", None)
    switch(there, year_follows_date=False)
    there.edit(film, ("originallyAvailableAt.value", "2021-06-05"))
    assert film.year is None


def test_an_empty_value_clears_or_is_ignored(there: World, film: PlexItem) -> None:
    there.edit(film, ("summary.value", "Waves."), ("userRating.value", "7"))
    there.edit(film, ("summary.value", ""), ("userRating.value", ""))
    assert (film.summary, film.user_rating) == ("", None)
    switch(there, empty_value_clears=False)
    there.edit(film, ("studio.value", "Pier"))
    there.edit(film, ("studio.value", ""))
    assert film.studio == "Pier"


def test_an_empty_title_becomes_the_original_one(there: World, film: PlexItem) -> None:
    there.edit(film, ("title.value", "Sea"))
    there.edit(film, ("title.value", ""))
    assert film.title == "Beach Walk"


def test_the_sort_title_follows_the_title_until_it_is_locked(there: World, film: PlexItem) -> None:
    there.edit(film, ("title.value", "Sea"))
    assert film.title_sort == "Sea"
    there.edit(film, ("titleSort.value", "Zzz"), ("titleSort.locked", 1))
    there.edit(film, ("title.value", "Town"))
    assert film.title_sort == "Zzz"


@pytest.mark.parametrize(("mode", "expected"), [("replace", ("C",)), ("add", ("A", "B", "C"))])
def test_indexed_tags_replace_or_add(there: World, film: PlexItem, mode: str, expected: tuple[str, ...]) -> None:
    switch(there, tags_on_items=mode)
    there.edit(film, ("genre[0].tag.tag", "C"))
    assert film.genres == expected
    assert film.labels == ("Mine",)


@pytest.mark.parametrize("mode", ["replace", "add"])
def test_the_whole_list_with_the_removals_is_right_in_both_modes(there: World, film: PlexItem, mode: str) -> None:
    switch(there, tags_on_items=mode)
    there.edit(film, ("genre[0].tag.tag", "B"), ("genre[1].tag.tag", "C"), ("genre[].tag.tag-", "A"))
    assert film.genres == ("B", "C")


@pytest.mark.parametrize("mode", ["replace", "add"])
def test_unindexed_tags_are_the_whole_list(there: World, film: PlexItem, mode: str) -> None:
    switch(there, tags_on_items=mode)
    there.edit(film, ("genre[].tag.tag", "X"), ("genre[].tag.tag", "Y"))
    assert film.genres == ("X", "Y")


def test_indexes_give_the_order(there: World, film: PlexItem) -> None:
    there.edit(film, ("actor[1].tag.tag", "Second"), ("actor[0].tag.tag", "First"), ("actor[10].tag.tag", "Last"))
    assert film.actors == ("First", "Second", "Last")


def test_clearing_needs_more_than_a_lock(there: World, film: PlexItem) -> None:
    there.edit(film, ("genre.locked", 1))
    assert (film.genres, film.locked) == (("A", "B"), {"genre"})
    there.edit(film, ("genre[].tag", ""))
    assert film.genres == ()


@pytest.mark.parametrize(
    ("decoding", "sent", "left"),
    [
        ("twice", "P%2C Q,R %26 S", ("T",)),
        ("twice", "P, Q", ("P, Q", "R & S", "T")),
        ("twice", "R & S,T", ("P, Q",)),
        ("once", "P%2C Q,R %26 S", ("P, Q", "R & S", "T")),
        ("once", "R & S,T", ("P, Q",)),
        ("once", "P, Q", ("P, Q", "R & S", "T")),
    ],
)
def test_removals_split_at_commas_after_the_first_decoding(
    there: World, film: PlexItem, decoding: str, sent: str, left: tuple[str, ...]
) -> None:
    there.plex.edit_by_hand(film, genres=["P, Q", "R & S", "T"])
    switch(there, minus_decoding=decoding)
    there.edit(film, ("genre[].tag.tag-", sent))
    assert film.genres == left


@pytest.mark.parametrize(("last_wins", "left"), [(True, ("A",)), (False, ())])
def test_repeated_removals(there: World, film: PlexItem, *, last_wins: bool, left: tuple[str, ...]) -> None:
    switch(there, minus_repeated_keys_last_wins=last_wins)
    there.edit(film, ("genre[].tag.tag-", "A"), ("genre[].tag.tag-", "B"))
    assert film.genres == left


def test_a_tag_is_one_thing_everywhere_and_so_is_an_actors_photo(there: World, film: PlexItem) -> None:
    other = there.film("b.mp4")
    there.edit(film, ("actor[0].tag.tag", "Ann"), ("actor[0].tagging.text", "Herself"))
    there.edit(other, ("actor[0].tag.tag", "Ann"), ("actor[0].tag.thumb", "http://pictures/ann.jpg"))
    (here,), (elsewhere,) = there.read(film)["Role"], there.read(other)["Role"]
    assert here["id"] == elsewhere["id"]
    assert here["thumb"] == elsewhere["thumb"] == "http://pictures/ann.jpg"
    assert (here["role"], elsewhere.get("role")) == ("Herself", None)
    assert film.roles == {"Ann": "Herself"}
    assert other.actor_photos == {"Ann": "http://pictures/ann.jpg"}


def test_a_new_photo_shows_in_lax_listings_at_once(there: World, film: PlexItem) -> None:
    switch(there, listing="lax")
    other = there.film("b.mp4")
    there.edit(other, ("actor[0].tag.tag", "Ann"))
    assert "thumb" not in there.listed(("id", film.rating_key))["Metadata"][0]["Role"][0]
    there.edit(other, ("actor[0].tag.tag", "Ann"), ("actor[0].tag.thumb", "http://pictures/ann.jpg"))
    assert "thumb" in there.listed(("id", film.rating_key))["Metadata"][0]["Role"][0]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("stash", "Stash"),
        ("leaving-soon", "Leaving-Soon"),
        ("reely.jolene_family", "Reely.jolene_family"),
        (".hidden", ".Hidden"),
        ("two words", "Two Words"),
    ],
)
def test_labels_are_title_cased(sent: str, stored: str) -> None:
    assert title_case_label(sent) == stored


def test_labels_keep_their_case_where_the_server_does(there: World, film: PlexItem) -> None:
    switch(there, labels_title_cased=False)
    there.edit(film, ("label[0].tag.tag", "stash"))
    assert film.labels == ("stash",)


def test_names_are_trimmed_and_an_existing_case_may_win(there: World, film: PlexItem) -> None:
    there.edit(film, ("genre[0].tag.tag", " a "))
    assert film.genres == ("a",)
    switch(there, existing_tag_case_wins=True)
    there.edit(film, ("genre[0].tag.tag", "b"))
    assert film.genres == ("B",)


def test_a_studio_sent_as_a_tag_lands_among_the_directors(there: World, film: PlexItem) -> None:
    there.edit(film, ("studio[0].tag.tag", "Pier"))
    assert (film.studio, film.directors) == ("", ("Pier",))


def test_unknown_parameters_are_ignored(there: World, film: PlexItem) -> None:
    path = f"/library/metadata/{film.rating_key}"
    assert there.send("PUT", path, ("colour.value", "red"), ("role[0].tag.tag", "Bob")).status == 200
    assert film.actors == ("Ann",)


def test_updated_at_moves_on_edits_but_not_on_collections(there: World, film: PlexItem) -> None:
    film.updated_at = 1000
    there.edit(film, ("collection[0].tag.tag", "Trips"))
    assert film.updated_at == 1000
    there.edit(film, ("collection[0].tag.tag", "Trips"), ("title.value", "Sea"))
    assert film.updated_at > 1000
    film.updated_at = 1000
    switch(there, updated_at_moves_on_collection=True, updated_at_moves_on_edit=False)
    there.edit(film, ("title.value", "Town"))
    assert film.updated_at == 1000
    there.edit(film, ("collection[0].tag.tag", "Trips"))
    assert film.updated_at > 1000


@pytest.mark.parametrize(("limit", "length", "status"), [(8000, 7000, 200), (8000, 8000, 414), (3000, 3000, 414)])
def test_long_targets_are_refused(there: World, film: PlexItem, limit: int, length: int, status: int) -> None:
    switch(there, max_target_bytes=limit)
    assert there.edit(film, ("summary.value", "x" * length)) == status
    assert (film.summary == "") == (status == 414)


def test_without_a_limit_any_length_is_taken(there: World, film: PlexItem) -> None:
    switch(there, max_target_bytes=None)
    assert there.edit(film, ("summary.value", "x" * 100_000)) == 200
    assert len(there.read(film)["summary"]) == 100_000


def test_rating_by_its_own_endpoint(there: World, film: PlexItem) -> None:
    known = (("key", film.rating_key), ("identifier", "com.plexapp.plugins.library"))
    assert there.send("PUT", "/:/rate", *known, ("rating", 7.5)).status == 200
    assert (film.user_rating, film.locked) == (7.5, frozenset())
    assert there.read(film)["lastRatedAt"] >= film.added_at
    assert there.send("PUT", "/:/rate", *known, ("rating", 11)).status == 400
    assert there.send("PUT", "/:/rate", *known).status == 400
    assert there.send("PUT", "/:/rate", ("key", "9"), *known[1:], ("rating", 1)).status == 404
    assert there.send("PUT", "/:/rate", *known, ("rating", -1)).status == 200
    assert film.user_rating is None


def test_deleting_a_movie_is_remembered(there: World, film: PlexItem) -> None:
    assert there.send("DELETE", f"/library/metadata/{film.rating_key}").status == 200
    assert there.plex.deleted_media == [film.rating_key]


def test_an_edit_may_leave_ratings_to_the_request_for_them(there: World, film: PlexItem) -> None:
    switch(there, edit_sets_user_rating=False)
    there.edit(film, ("userRating.value", "8.5"), ("title.value", "Sea"))
    assert (film.user_rating, film.title) == (None, "Sea")
    known = (("key", film.rating_key), ("identifier", "com.plexapp.plugins.library"))
    there.send("PUT", "/:/rate", *known, ("rating", 8.5))
    assert film.user_rating == 8.5


def test_a_rating_may_be_kept_in_half_stars(there: World, film: PlexItem) -> None:
    switch(there, user_rating_rounded=True)
    there.edit(film, ("userRating.value", "8.3"))
    assert film.user_rating == 8.0
