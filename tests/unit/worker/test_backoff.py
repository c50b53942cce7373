from __future__ import annotations

import random

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from scenesync.worker.backoff import (
    NOT_FOUND_BASE_S,
    NOT_FOUND_CAP_S,
    TRANSIENT_BASE_S,
    TRANSIENT_CAP_S,
    calculate_delay,
)


@given(st.integers(-5, 10**12), st.floats(0, 1e6), st.floats(0, 1e6), st.none() | st.integers())
def test_the_delay_is_between_nothing_and_its_bound(count: int, base: float, cap: float, seed: int | None) -> None:
    assert 0.0 <= calculate_delay(count, base, cap, seed) <= min(cap, base * 2.0 ** min(max(count, 0), 64))


@pytest.mark.parametrize(("count", "bound"), [(0, 5), (1, 10), (2, 20), (3, 40), (4, 80), (5, 80), (10**9, 80)])
def test_jitter_is_full(count: int, bound: float) -> None:
    delays = sorted(calculate_delay(count, TRANSIENT_BASE_S, TRANSIENT_CAP_S, seed) for seed in range(400))
    assert delays[0] < 0.05 * bound
    assert 0.95 * bound < delays[-1] <= bound
    assert 0.4 * bound < sum(delays) / len(delays) < 0.6 * bound


def test_the_constants_are_those_of_the_specification() -> None:
    assert (TRANSIENT_BASE_S, TRANSIENT_CAP_S, NOT_FOUND_BASE_S, NOT_FOUND_CAP_S) == (5, 80, 30, 600)


def test_a_seed_repeats_the_draw_and_none_does_not_follow_the_programs_seed() -> None:
    assert calculate_delay(4, 5, 80, 7) == calculate_delay(4, 5, 80, 7) != calculate_delay(4, 5, 80, 8)
    random.seed(1)
    first = calculate_delay(4, 5, 80)
    random.seed(1)
    assert calculate_delay(4, 5, 80) != first


@freeze_time("2024-05-01 12:00:00")
def test_retries_scatter_even_when_time_stands_still() -> None:
    assert len({calculate_delay(4, 5, 80) for _ in range(50)}) == 50
