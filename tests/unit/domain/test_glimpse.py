"""A listing proves a field right or leaves it in doubt; it never says that one is wrong."""

from __future__ import annotations

import pytest

from scenesync.domain.diff import Baseline
from scenesync.domain.fields import Field, FieldValue
from scenesync.domain.glimpse import Glimpses, same_picture
from scenesync.domain.item import ListedItem
from scenesync.domain.shown_item import ShownItem

LONG = "A pier, a ferry, and a long evening. " * 20


def glimpses(**others: tuple[str, ...]) -> Glimpses:
    """What a server showed that cuts genres at two and actors at three, as one item of another film tells."""
    found = Glimpses()
    lists = {"genre": ("Sea", "Travel"), "actor": ("Ann", "Bea", "Cy"), **others}
    found.add(ShownItem(ListedItem("9", "1", ()), {}, {Field(name): names for name, names in lists.items()}))
    return found


def doubts(
    wanted: dict[Field, FieldValue], baselines: dict[Field, Baseline] | None = None, **shown: FieldValue
) -> set[Field]:
    found = glimpses()
    values = {Field(name): value for name, value in shown.items() if isinstance(value, str)}
    lists = {Field(name): value for name, value in shown.items() if not isinstance(value, str)}
    found.add(ShownItem(ListedItem("1", "1", ()), values, lists))
    glimpse = found.of("1")
    assert glimpse is not None
    return set(glimpse.doubts(wanted, baselines or {}))


@pytest.mark.parametrize("text", ["Harbour", LONG, ""])
def test_texts_that_are_equal_are_sure_and_others_in_doubt(text: str) -> None:
    assert doubts({Field.SUMMARY: text}, summary=text) == set()
    assert doubts({Field.SUMMARY: text + " More."}, summary=text) == {Field.SUMMARY}


def test_a_sort_title_that_is_not_told_is_the_title() -> None:
    assert doubts({Field.SORT_TITLE: "Harbour"}, title="Harbour") == set()


@pytest.mark.parametrize(
    ("shown", "wanted", "is_sure"),
    [
        (("Sea",), ("Sea",), True),
        (("Sea",), ("Sea", "Travel"), False),
        (("Sea", "Travel"), ("Sea", "Travel"), False),  # a third may be hidden
        (("Sea", "Travel"), ("Sea", "Travel", "Night"), False),
        ((), (), True),
        ((), ("Sea",), False),
    ],
)
def test_a_list_is_sure_only_where_it_cannot_go_on(shown: FieldValue, wanted: FieldValue, *, is_sure: bool) -> None:
    assert doubts({Field.GENRES: wanted}, genre=shown) == (set() if is_sure else {Field.GENRES})


def test_a_list_of_two_is_whole_where_others_are_longer() -> None:
    assert doubts({Field.ACTORS: ("Ann", "Bea")}, actor=("Ann", "Bea")) == set()
    assert doubts({Field.ACTORS: ("Bea", "Ann")}, actor=("Ann", "Bea")) == {Field.ACTORS}  # the order counts


def test_a_kind_of_list_that_the_server_never_shows_proves_nothing() -> None:
    assert doubts({Field.DIRECTORS: ("Dee",)}) == {Field.DIRECTORS}
    assert doubts({Field.DIRECTORS: ()}) == set()


def test_what_the_server_made_of_our_text_is_sure_once_it_was_seen_to() -> None:
    wanted = {Field.SUMMARY: f" {LONG}"}
    assert doubts(wanted, summary=LONG.strip()) == {Field.SUMMARY}
    assert doubts(wanted, {Field.SUMMARY: Baseline(f" {LONG}", shown=LONG.strip())}, summary=LONG.strip()) == set()


def test_in_a_list_that_people_fill_only_ours_counts() -> None:
    wanted: dict[Field, FieldValue] = {Field.COLLECTIONS: ("Concerts",)}
    assert doubts(wanted, collection=("Theirs", "Concerts")) == set()
    assert doubts(wanted, collection=("Theirs",)) == {Field.COLLECTIONS}
    ours = {Field.COLLECTIONS: Baseline(("Concerts", "Old"))}
    assert doubts(wanted, ours, collection=("Old", "Concerts")) == {Field.COLLECTIONS}
    assert doubts({Field.LABELS: ()}) == set()


def test_a_date_that_plex_filled_in_is_left_to_it_but_not_one_of_ours() -> None:
    assert doubts({Field.DATE: ""}, originallyAvailableAt="2024-01-01") == set()
    ours = {Field.DATE: Baseline("2024-01-01", shown="2024-01-01")}
    assert doubts({Field.DATE: ""}, ours, originallyAvailableAt="2024-01-01") == {Field.DATE}


def test_pictures_are_told_apart_by_their_paths() -> None:
    found = glimpses()
    path = "/library/metadata/1/thumb/1700000000"
    found.add(ShownItem(ListedItem("1", "1", ()), {Field.POSTER: path, Field.BACKGROUND: path * 5}, {}))
    glimpse = found.of("1")
    assert glimpse is not None
    assert same_picture(glimpse.picture(Field.POSTER), path)
    assert same_picture(glimpse.picture(Field.BACKGROUND), path * 5)
    assert not same_picture(glimpse.picture(Field.POSTER), f"{path}1")
    assert found.of("2") is None


def test_each_item_is_told_apart_and_the_latest_look_at_it_counts() -> None:
    found = Glimpses()
    texts = {"1": "One.\nTwo.", "2": "\n", "3": 'Quoted "\\n" ☀', "4": ""}
    for round_ in ("earlier ", ""):
        for key, text in texts.items():
            found.add(ShownItem(ListedItem(key, f"library {key}", ()), {Field.TITLE: round_ + text}, {}))

    assert len(found) == len(texts)
    assert "5" not in found
    assert found.of("5") is None
    for key, text in texts.items():
        glimpse = found.of(key)
        assert glimpse is not None
        assert glimpse.library_key == f"library {key}"
        assert set(glimpse.doubts({Field.TITLE: text})) == set()
        assert set(glimpse.doubts({Field.TITLE: "earlier " + text})) == {Field.TITLE}
