from __future__ import annotations

import pytest

from scenesync.domain.blast_radius import BlastLimits, Reach, may_exceed, reach_of, why_too_far, why_too_many_gone
from scenesync.domain.diff import Baseline, Edit, FieldChange
from scenesync.domain.fields import Field

LIMITS = BlastLimits(percent=50, items=1000, cleared_fields=500)
WROTE = {Field.SUMMARY: Baseline("ours"), Field.LABELS: Baseline(("Organized",))}


def edit(*changes: FieldChange) -> Edit:
    return Edit("7", "1", changes)


@pytest.mark.parametrize(
    ("changes", "baselines", "reach"),
    [
        pytest.param((), WROTE, Reach(0, 0), id="nothing to do"),
        pytest.param((FieldChange(Field.SUMMARY, "ours", "new"),), WROTE, Reach(1, 0), id="changed in Stash"),
        pytest.param((FieldChange(Field.SUMMARY, "ours", ""),), WROTE, Reach(1, 1), id="emptied in Stash"),
        pytest.param((FieldChange(Field.GENRES, ("Drama",), ()),), WROTE, Reach(1, 1), id="a list emptied"),
        pytest.param((FieldChange(Field.SUMMARY, "", ""),), WROTE, Reach(1, 0), id="empty before: nothing is lost"),
        pytest.param((FieldChange(Field.SUMMARY, "theirs", ""),), {}, Reach(0, 0), id="first write to the item"),
        pytest.param((FieldChange(Field.SUMMARY, "undone", "ours"),), WROTE, Reach(0, 0), id="written back"),
        pytest.param(
            (FieldChange(Field.LABELS, ("Mine",), ("Mine", "Organized"), owned=("Organized",)),),
            WROTE,
            Reach(0, 0),
            id="our name written back among a person's",
        ),
        pytest.param(
            (FieldChange(Field.SUMMARY, "undone", "ours"), FieldChange(Field.TITLE, "a", "b")),
            WROTE,
            Reach(1, 0),
            id="one of two written back",
        ),
    ],
)
def test_what_an_edit_counts_for(
    changes: tuple[FieldChange, ...], baselines: dict[Field, Baseline], reach: Reach
) -> None:
    assert reach_of(edit(*changes), baselines) == reach


@pytest.mark.parametrize(
    ("reach", "all_items", "stops"),
    [
        (Reach(1001, 0), 2001, True),
        (Reach(1001, 0), 2002, False),  # exactly half
        (Reach(1000, 0), 1000, False),  # all of a small library
        (Reach(1001, 0), 0, True),
        (Reach(0, 500), 10_000, False),
        (Reach(501, 501), 10_000, True),
    ],
)
def test_what_is_too_far(reach: Reach, all_items: int, *, stops: bool) -> None:
    assert bool(why_too_far(reach, LIMITS, all_items=all_items)) is stops


def test_a_hundred_percent_never_stops_a_change_of_items() -> None:
    assert why_too_far(Reach(5000, 0), BlastLimits(percent=100), all_items=5000) == ""


def test_the_reason_names_the_numbers_and_the_settings() -> None:
    assert why_too_far(Reach(1500, 0), LIMITS, all_items=2000) == (
        "it would change 1,500 of 2,000 items (75 %), more than max_change_items = 1,000 and max_change_percent = 50"
    )
    assert "max_cleared_fields = 500" in why_too_far(Reach(10, 501), LIMITS, all_items=2000)


@pytest.mark.parametrize("scenes", [0, 1, 50, 62])
def test_a_run_that_cannot_exceed_a_limit_needs_no_closer_look(scenes: int) -> None:
    assert not may_exceed(scenes, 8, LIMITS)


def test_a_run_that_might_is_looked_at() -> None:
    assert may_exceed(63, 8, LIMITS)
    assert may_exceed(1001, 0, LIMITS)


@pytest.mark.parametrize(
    ("gone", "known", "lately", "stops"),
    [
        (20, 30, 0, False),  # few
        (21, 30, 0, True),
        (3, 3, 0, True),  # all there were
        (1, 1, 0, False),  # the only one
        (1, 10, 19, False),  # few, a few at a time
        (1, 10, 20, True),
        (1, 100, 40, False),
        (1001, 100_000, 0, True),
        (1, 100_000, 1000, True),
    ],
)
def test_how_many_may_be_gone(gone: int, known: int, lately: int, *, stops: bool) -> None:
    reason = why_too_many_gone(gone, known, LIMITS, lately=lately)
    assert bool(reason) is stops
    assert ("within an hour" in reason) is (stops and lately > 0)
