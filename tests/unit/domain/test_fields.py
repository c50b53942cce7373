from __future__ import annotations

import pytest

from scenesync.domain.fields import (
    IMAGE_FIELDS,
    LIST_FIELDS,
    SHARED_LISTS,
    Field,
    FieldValue,
    empty_value,
    rating_text,
    same_to_the_eye,
    shown_as,
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Harbour", " Harbour "),
        ("One.\r\n\r\nTwo.", "One.\n\nTwo."),
        ("One. \nTwo.", "One.\nTwo."),
        ("caf\u00e9", "cafe\u0301"),
        (("Ann", "Bo"), ("Bo", "Ann")),
        (("travel",), ("Travel",)),
        (("leaving-soon",), ("Leaving-Soon ",)),
        ("", ""),
        ((), ()),
    ],
)
def test_what_a_server_changes_by_itself_looks_the_same(left: FieldValue, right: FieldValue) -> None:
    assert same_to_the_eye(left, right)
    assert same_to_the_eye(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Harbour", "harbour"),
        ("One. Two.", "One.\nTwo."),
        ("One.\n\nTwo.", "One.\nTwo."),
        (("Ann",), ("Ann", "Bo")),
        (("Ann",), ("Anne",)),
        ("Ann", ("Ann",)),
        ("Harbour", ""),
        ((), ""),
    ],
)
def test_what_a_person_could_have_meant_looks_different(left: FieldValue, right: FieldValue) -> None:
    assert not same_to_the_eye(left, right)
    assert not same_to_the_eye(right, left)


def test_a_field_is_empty_in_its_own_kind() -> None:
    for field in Field:
        assert empty_value(field) == (() if field in LIST_FIELDS else "")


def test_shared_lists_are_lists_and_images_are_not() -> None:
    assert SHARED_LISTS < LIST_FIELDS
    assert not IMAGE_FIELDS & LIST_FIELDS


@pytest.mark.parametrize(
    ("rating", "text"),
    [(8.5, "8.5"), ("8.0", "8"), (7.25, "7.25"), (0, ""), ("", ""), (None, ""), ("x", ""), (11, "10")],
)
def test_a_rating_has_one_spelling(rating: float | str | None, text: str) -> None:
    assert rating_text(rating) == text


@pytest.mark.parametrize(
    ("shown", "wanted", "same"),
    [
        ("8.5", "8.5", True),
        ("8", "8.5", True),  # a server that keeps half stars, which are whole numbers
        ("9", "8.5", True),
        ("8", "8.6", False),
        ("8.4", "8.5", False),
        ("", "8.5", False),
        ("8", "", False),
        ("", "", True),
    ],
)
def test_a_rating_may_be_shown_in_half_stars(shown: str, wanted: str, same: object) -> None:
    assert shown_as(Field.RATING, shown, wanted) is same
    assert not shown_as(Field.SUMMARY, "8", "8.5")
