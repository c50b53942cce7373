"""What a difference is called, and which scenes must not blank an item."""

from __future__ import annotations

import pytest

from scenesync.domain.diff import Baseline, FieldChange
from scenesync.domain.fields import Field
from scenesync.domain.gaps import GapKind, is_bare, kind_of, takes_away
from scenesync.domain.scene import Performer, Scene, Studio, Tag

OURS = Baseline("Ours", shown="Ours")


def change(before: str, after: str, field: Field = Field.SUMMARY) -> FieldChange:
    return FieldChange(field, before, after)


@pytest.mark.parametrize(
    ("before", "baselines", "is_news", "kind"),
    [
        ("", {}, True, GapKind.EMPTY),
        ("file name", {}, True, GapKind.STALE),
        ("Ours", {Field.SUMMARY: OURS}, True, GapKind.STALE),
        ("Theirs", {Field.SUMMARY: OURS}, False, GapKind.DRIFTED),
        ("", {Field.SUMMARY: OURS}, True, GapKind.DRIFTED),
        ("", {Field.TITLE: OURS}, True, GapKind.STALE),  # it was right when the title was written
        ("Theirs", {Field.TITLE: OURS}, False, GapKind.DRIFTED),
    ],
)
def test_a_difference_has_its_name(
    before: str, baselines: dict[Field, Baseline], kind: GapKind, *, is_news: bool
) -> None:
    assert kind_of([change(before, "New")], baselines, is_news=is_news) is kind


def test_of_several_the_worst_counts() -> None:
    changes = [change("Ours", "New"), change("Theirs", "Title", Field.TITLE)]
    baselines = {Field.SUMMARY: OURS, Field.TITLE: OURS}
    assert kind_of(changes, baselines, is_news=True) is GapKind.DRIFTED


@pytest.mark.parametrize(
    "scene",
    [
        Scene(1, studio=Studio(1, "Quay")),
        Scene(1, performers=(Performer(1, "Ann"),)),
        Scene(1, tags=(Tag(1, "Sea"),)),
        Scene(1, details="A pier."),
        Scene(1, date="2024"),
    ],
)
def test_a_scene_with_anything_worth_showing_is_not_bare(scene: Scene) -> None:
    assert not is_bare(scene)
    assert is_bare(Scene(1, title="Harbour", code="SC-1", organized=True))


def test_taking_away_is_emptying_what_is_shown_and_not_ours() -> None:
    assert takes_away([change("Somebody's words", "")], {})
    assert not takes_away([change("Ours", "")], {Field.SUMMARY: OURS})
    assert not takes_away([change("Somebody's words", "Ours"), change("", "Ours")], {})
    assert takes_away([FieldChange(Field.GENRES, ("Sea",), ())], {Field.SUMMARY: OURS})
