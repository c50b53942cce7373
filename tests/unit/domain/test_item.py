from __future__ import annotations

from scenesync.domain.fields import Field, FieldValue
from scenesync.domain.item import Item


def item(values: dict[Field, FieldValue]) -> Item:
    return Item("10", "1", (), values)


def test_an_unset_field_is_empty_in_its_own_kind() -> None:
    assert item({}).value(Field.SUMMARY) == ""
    assert item({}).value(Field.GENRES) == ()


def test_the_sort_title_is_the_title_unless_plex_has_another() -> None:
    assert item({}).value(Field.SORT_TITLE) == ""
    assert item({Field.TITLE: "The Harbour"}).value(Field.SORT_TITLE) == "The Harbour"
    assert item({Field.TITLE: "The Harbour", Field.SORT_TITLE: "Harbour"}).value(Field.SORT_TITLE) == "Harbour"
