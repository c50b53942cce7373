from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenesync.store.outages import Outage
from scenesync.worker.availability.reliability import WINDOW_S, Reliability, reliability

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_S = 86_400.0
NOW = 1_800_000_000.0


def outages(*periods: tuple[float, float | None]) -> Sequence[Outage]:
    """Return outages by their beginning and end, in seconds before now (None: still going on)."""
    return [Outage("plex", "refused", NOW - begin, None if end is None else NOW - end, 0) for begin, end in periods]


def judged(
    *periods: tuple[float, float | None], window_s: float = 100.0, known_s: float | None = 1000.0
) -> Reliability:
    """Judge a server that has been known for ``known_s`` seconds."""
    known_since = None if known_s is None else NOW - known_s
    return reliability(outages(*periods), now=NOW, known_since=known_since, window_s=window_s)


def test_without_an_outage_it_was_always_there() -> None:
    assert judged() == Reliability(availability=1.0, outages=0, mttr_s=None, mtbf_s=None, observed_s=100.0)


def test_of_what_nobody_has_asked_yet_nothing_is_said() -> None:
    assert judged(known_s=None) == Reliability(availability=None, observed_s=0.0)


def test_time_before_the_first_look_does_not_count() -> None:
    assert judged((10.0, 5.0), known_s=20.0) == Reliability(0.75, 1, mttr_s=5.0, mtbf_s=15.0, observed_s=20.0)
    assert judged(known_s=20.0) == Reliability(1.0, observed_s=20.0)


def test_an_outage_is_known_from_its_beginning_whatever_else_is() -> None:
    assert judged((40.0, 30.0), known_s=None) == Reliability(0.75, 1, mttr_s=10.0, mtbf_s=30.0, observed_s=40.0)
    assert judged((40.0, 30.0), known_s=20.0).observed_s == 40.0


def test_a_first_look_in_the_future_is_a_clock_that_was_set_back() -> None:
    assert judged(known_s=-50.0) == Reliability()


def test_two_outages_are_averaged() -> None:
    assert judged((90.0, 80.0), (50.0, 20.0)) == Reliability(0.6, 2, mttr_s=20.0, mtbf_s=30.0, observed_s=100.0)


def test_one_that_lasts_counts_up_to_now() -> None:
    assert judged((25.0, None)) == Reliability(0.75, 1, mttr_s=25.0, mtbf_s=75.0, observed_s=100.0)


def test_of_one_that_began_before_the_window_only_the_part_inside_counts() -> None:
    assert judged((500.0, 90.0)).availability == pytest.approx(0.9)


def test_one_that_lasts_longer_than_the_window_leaves_nothing() -> None:
    assert judged((500.0, None)) == Reliability(0.0, 1, mttr_s=100.0, mtbf_s=0.0, observed_s=100.0)


def test_one_before_the_window_does_not_count() -> None:
    assert judged((500.0, 101.0)) == Reliability(1.0, observed_s=100.0)


def test_overlapping_and_touching_periods_are_one_outage() -> None:
    assert judged((60.0, 40.0), (50.0, 30.0), (30.0, 20.0)) == Reliability(
        0.6, 1, mttr_s=40.0, mtbf_s=60.0, observed_s=100.0
    )


def test_an_outage_inside_another_adds_nothing() -> None:
    assert judged((60.0, 20.0), (50.0, 40.0)) == judged((60.0, 20.0))


def test_after_a_clock_was_set_back_nothing_is_negative() -> None:
    assert judged((10.0, 50.0)) == Reliability(1.0, 1, mttr_s=0.0, mtbf_s=100.0, observed_s=100.0)
    assert judged((-50.0, -10.0)).availability == 1.0


def test_the_window_is_thirty_days() -> None:
    assert pytest.approx(30 * DAY_S) == WINDOW_S
    assert reliability(outages((3 * DAY_S, 0.0)), now=NOW, known_since=NOW - 40 * DAY_S).availability == pytest.approx(
        0.9
    )


@given(st.lists(st.tuples(st.floats(-10, 200), st.one_of(st.none(), st.floats(-10, 200))), max_size=12))
def test_whatever_the_history_the_figures_agree_with_each_other(periods: list[tuple[float, float | None]]) -> None:
    figures = judged(*periods)
    assert figures.availability is not None
    assert figures.observed_s == 100.0
    assert 0.0 <= figures.availability <= 1.0
    assert figures.outages <= len(periods)
    if figures.outages:
        assert figures.mttr_s is not None
        assert figures.mtbf_s is not None
        assert figures.mttr_s >= 0
        assert figures.mtbf_s >= 0
        assert figures.availability == pytest.approx(figures.mtbf_s / (figures.mtbf_s + figures.mttr_s))
        assert figures.outages * (figures.mtbf_s + figures.mttr_s) == pytest.approx(100.0)
    else:
        assert figures == Reliability(1.0, observed_s=100.0)
