from __future__ import annotations

import pytest

from scenesync.domain.diff import Baseline, ImageBaseline
from scenesync.domain.fields import Field, FieldValue
from scenesync.domain.foreign_edit import foreign_fields
from scenesync.domain.item import Item


def item(**values: FieldValue) -> Item:
    return Item("1", "1", (), {Field[name.upper()]: value for name, value in values.items()})


def foreign(shown: Item, baselines: dict[Field, Baseline]) -> tuple[Field, ...]:
    return foreign_fields(shown, baselines, {})


def test_what_shows_as_it_was_left_is_not_foreign() -> None:
    left = {Field.TITLE: Baseline("Harbour ", shown="Harbour"), Field.GENRES: Baseline(("Sea",), shown=("Sea",))}
    assert foreign(item(title="Harbour", genres=("Sea",), summary="Not ours"), left) == ()


def test_another_text_or_list_is() -> None:
    left = {Field.TITLE: Baseline("Harbour", shown="Harbour"), Field.GENRES: Baseline(("Sea",), shown=("Sea",))}
    assert foreign(item(title="Quay", genres=("Sea", "Boats")), left) == (Field.TITLE, Field.GENRES)
    assert foreign(item(genres=("Sea",)), left) == (Field.TITLE,), "emptied counts too"


@pytest.mark.parametrize("shown", ["Before", "Harbour"])
def test_a_write_that_is_not_proven_yet_raises_no_suspicion(shown: str) -> None:
    assert foreign(item(title=shown), {Field.TITLE: Baseline("Harbour", replaced="Before")}) == ()


def test_of_a_list_that_people_fill_too_only_ours_counts() -> None:
    left = {Field.LABELS: Baseline(("Stash",), shown=("Stash",))}
    assert foreign(item(labels=("stash", "Mine")), left) == ()
    assert foreign(item(labels=("Mine",)), left) == (Field.LABELS,)


def test_another_picture_counts_once_ours_is_proven() -> None:
    shown = item(poster="/library/metadata/1/thumb/2")
    assert foreign_fields(shown, {}, {Field.POSTER: ImageBaseline("sha", "/library/metadata/1/thumb/1")}) == (
        Field.POSTER,
    )
    assert foreign_fields(shown, {}, {Field.POSTER: ImageBaseline("sha", "")}) == ()
