from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from scenesync.worker.availability.pacing import BURST_S, FIRST_RATE, FULL_RATE, Pacing

RAMP_S = 30.0
STEP_S = 0.05


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def begun_in_steps(pacing: Pacing, clock: Clock, seconds: float) -> list[int]:
    """Let work begin as a loop with far too many jobs would; return how many began in each step."""
    counts = []
    for _ in range(round(seconds / STEP_S)):
        allowed = pacing.allowance(10_000)
        pacing.begun(allowed)
        counts.append(allowed)
        clock.now_s += STEP_S
    return counts


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_an_outage_there_is_no_limit(clock: Clock) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.erred()
    pacing.begun(5)
    assert pacing.allowance(10_000) == 10_000
    assert pacing.rate is None


def test_a_ramp_of_no_time_limits_nothing(clock: Clock) -> None:
    pacing = Pacing(0, clock=clock)
    pacing.outage_ended()
    assert pacing.allowance(10_000) == 10_000


def test_the_first_job_begins_at_once_and_the_next_at_the_first_rate(clock: Clock) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.outage_ended()
    assert pacing.allowance(16) == 1
    pacing.begun(1)
    assert pacing.allowance(16) == 0
    clock.now_s += 1 / FIRST_RATE + 0.001
    assert pacing.allowance(16) == 1


def test_several_workers_together_begin_no_more_than_one_alone(clock: Clock) -> None:
    alone = Pacing(RAMP_S, clock=clock)
    alone.outage_ended()
    counts_alone = begun_in_steps(alone, clock, RAMP_S)
    clock.now_s = 0
    five = [Pacing(RAMP_S, sharers=lambda: 5, clock=clock) for _ in range(5)]
    for each in five:
        each.outage_ended()
    began = clock.now_s
    first_at = None
    together = 0
    while clock.now_s - began < RAMP_S - STEP_S:
        for each in five:
            allowed = each.allowance(10_000)
            each.begun(allowed)
            together += allowed
            first_at = clock.now_s if allowed and first_at is None else first_at
        clock.now_s += STEP_S
    assert 0.7 * sum(counts_alone) < together <= sum(counts_alone) + 5
    assert first_at is not None
    assert first_at - began < 1.0


def test_the_rate_grows_from_slow_to_full_and_then_the_limit_is_gone(clock: Clock) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.outage_ended()
    counts = begun_in_steps(pacing, clock, RAMP_S)
    per_second = [sum(counts[at : at + 20]) for at in range(0, len(counts), 20)]
    assert per_second[0] <= FIRST_RATE * 1.2 + 1
    assert per_second[-1] >= FULL_RATE * 0.8
    assert all(later >= earlier - 1 for earlier, later in pairwise(per_second))
    clock.now_s += STEP_S
    assert pacing.allowance(10_000) == 10_000


@pytest.mark.parametrize("ramp_s", [0.5, 5.0, 300.0])
def test_no_window_of_time_sees_more_than_the_rate_at_its_end_and_one_burst(clock: Clock, ramp_s: float) -> None:
    pacing = Pacing(ramp_s, clock=clock)
    pacing.outage_ended()
    rates, counts = [], []
    while (rate := pacing.rate) is not None:
        rates.append(rate)
        counts += begun_in_steps(pacing, clock, STEP_S)
    for width in (1, 4, 20, 100):
        for end in range(width, len(counts) + 1):
            highest = rates[end - 1]
            allowed = highest * width * STEP_S + max(1.0, highest * BURST_S)
            assert sum(counts[end - width : end]) <= allowed + 1e-6


def test_jobs_that_did_not_come_are_not_made_up_for(clock: Clock) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.outage_ended()
    clock.now_s += RAMP_S / 2
    rate = pacing.rate
    assert rate is not None
    assert pacing.allowance(10_000) <= max(1, rate * BURST_S)


def test_errors_halve_the_rate_and_it_grows_again(clock: Clock) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.outage_ended()
    clock.now_s += RAMP_S / 2
    before = pacing.rate
    pacing.erred()
    after = pacing.rate
    assert before is not None
    assert after == pytest.approx(before / 2)
    clock.now_s += 1
    assert (pacing.rate or 0) > (after or 0)


def test_errors_that_come_together_halve_it_once(clock: Clock) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.outage_ended()
    clock.now_s += RAMP_S * 0.9
    before = pacing.rate or 0.0
    for _ in range(16):
        pacing.erred()
        clock.now_s += 0.01
    assert (pacing.rate or 0.0) >= before / 2
    clock.now_s += 1.0
    pacing.erred()
    assert (pacing.rate or 0.0) < before / 2


def test_it_never_falls_below_the_first_rate(clock: Clock) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.outage_ended()
    for _ in range(50):
        pacing.erred()
        clock.now_s += 1.0
        assert (pacing.rate or 0.0) >= FIRST_RATE


@pytest.mark.parametrize(("ago_s", "paced"), [(0.0, True), (10.0, True), (RAMP_S, False), (-5.0, False)])
def test_an_outage_that_ended_a_while_ago_paces_for_the_rest_of_the_ramp(
    clock: Clock, ago_s: float, *, paced: bool
) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.outage_ended(ago_s)
    if not paced:
        assert pacing.rate is None
        return
    assert pacing.rate == pytest.approx(FIRST_RATE * (FULL_RATE / FIRST_RATE) ** (ago_s / RAMP_S))
    clock.now_s += RAMP_S - ago_s + 0.01
    assert pacing.rate is None


def test_another_outage_starts_it_over(clock: Clock) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.outage_ended()
    clock.now_s += RAMP_S - 1
    pacing.outage_ended()
    assert pacing.rate == FIRST_RATE
    assert pacing.allowance(16) == 1


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing(clock: Clock) -> None:
    pacing = Pacing(RAMP_S, clock=clock)
    pacing.outage_ended()
    pacing.begun(1)
    clock.now_s -= 500
    assert pacing.allowance(16) == 0
    clock.now_s += 1.0
    assert pacing.allowance(16) == 1


def test_threads_share_one_bucket() -> None:
    pacing = Pacing(600.0)
    pacing.outage_ended()
    barrier = threading.Barrier(8)

    def spend() -> None:
        barrier.wait(10)
        for _ in range(200):
            pacing.begun(0 if pacing.allowance(1) < 1 else 1)
            pacing.erred()

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (pacing.rate or 0.0) == pytest.approx(FIRST_RATE, rel=0.5)
