"""A listing tells some fields in full; of lists it may only rule something out."""

from __future__ import annotations

import pytest

from scenesync.domain.fields import Field
from scenesync.domain.item import ListedItem
from scenesync.domain.shown_item import CUT_SHORT, NOT_TOLD, TOLD_IN_FULL, ShownItem

PIER = ShownItem(
    ListedItem("1201", "4", ()),
    {Field.TITLE: "Harbour at dawn", Field.STUDIO: "North Pier"},
    {Field.GENRES: ("Sea", "Outdoor"), Field.ACTORS: ("Ann Example",)},
)


def test_every_field_is_told_cut_short_or_not_told() -> None:
    assert set(Field) == TOLD_IN_FULL | CUT_SHORT | NOT_TOLD
    assert not TOLD_IN_FULL & CUT_SHORT
    assert {Field.LABELS} == NOT_TOLD


def test_what_is_told_in_full_is_a_value() -> None:
    assert PIER.value(Field.STUDIO) == "North Pier"
    assert PIER.value(Field.SUMMARY) == ""
    assert PIER.value(Field.SORT_TITLE) == "Harbour at dawn"


@pytest.mark.parametrize("field", sorted(CUT_SHORT | NOT_TOLD))
def test_what_is_not_told_in_full_never_passes_for_a_value(field: Field) -> None:
    with pytest.raises(KeyError):
        PIER.value(field)


@pytest.mark.parametrize(
    ("field", "wanted", "ruled_out"),
    [
        (Field.GENRES, ("Sea", "Outdoor", "Night"), False),  # the rest may follow
        (Field.GENRES, ("outdoor", "sea"), False),
        (Field.GENRES, ("Sea",), True),  # it shows one that is not wanted
        (Field.GENRES, (), True),
        (Field.ACTORS, ("Ann Example",), False),
        (Field.DIRECTORS, ("A. Writer",), True),  # it shows none at all
        (Field.DIRECTORS, (), False),
        (Field.LABELS, ("stash",), False),  # in no listing, whatever it has
        (Field.TITLE, "Harbour at dusk", False),
    ],
)
def test_a_beginning_may_rule_a_list_out(field: Field, wanted: str | tuple[str, ...], *, ruled_out: bool) -> None:
    assert PIER.rules_out(field, wanted) is ruled_out
