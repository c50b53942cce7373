from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from freezegun import freeze_time

from scenesync.worker.circuit_breaker import CircuitBreaker, CircuitInMemory, CircuitState, Permit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.domain.circuit import Circuit

T = TypeVar("T")
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
THREADS = 16
START = "2024-05-01 12:00:00"


def all_at_once(work: Callable[[], T], threads: int = THREADS) -> Sequence[T]:
    """Run ``work`` in many threads that begin together, and return what each of them got."""
    barrier = threading.Barrier(threads)

    def begin_together() -> T:
        barrier.wait(10)
        return work()

    with ThreadPoolExecutor(threads) as pool:
        return [future.result(30) for future in [pool.submit(begin_together) for _ in range(threads)]]


def opened(*, recovery_timeout: float = 60.0, success_threshold: int = 1) -> CircuitBreaker:
    breaker = CircuitBreaker(
        failure_threshold=1, recovery_timeout=recovery_timeout, success_threshold=success_threshold
    )
    breaker.record_failure()
    return breaker


class TestManyThreads:
    def test_no_failure_is_lost_between_them(self) -> None:
        breaker = CircuitBreaker(failure_threshold=THREADS * 200 + 1)

        def fail_often() -> None:
            for _ in range(200):
                breaker.record_failure()

        all_at_once(fail_often)
        assert breaker.failure_count == THREADS * 200
        breaker.record_failure()
        assert breaker.state is OPEN

    def test_however_many_fail_together_it_opens_once(self) -> None:
        heard: list[tuple[CircuitState, CircuitState]] = []
        breaker = CircuitBreaker(on_change=lambda old, new: heard.append((old, new)))
        all_at_once(breaker.record_failure)
        assert heard == [(CLOSED, OPEN)]

    def test_one_of_them_is_the_probe(self) -> None:
        for _ in range(20):
            breaker = opened()
            breaker.allow_probe()
            permits = [permit for permit in all_at_once(breaker.try_acquire) if permit is not None]
            assert len(permits) == 1

    def test_none_gets_through_while_open_and_all_while_closed(self) -> None:
        assert all_at_once(opened().try_acquire) == [None] * THREADS
        assert None not in all_at_once(CircuitBreaker().try_acquire)

    def test_calls_that_began_before_the_outage_cannot_close_the_circuit_or_prolong_it(self) -> None:
        breaker = CircuitBreaker(failure_threshold=1)
        early = all_at_once(breaker.try_acquire)
        breaker.record_failure(early[0])
        breaker.allow_probe()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(breaker.record_success, early))
            list(pool.map(breaker.record_failure, early))
        assert breaker.state is HALF_OPEN


class TestProbes:
    def test_the_probes_success_closes_and_its_permit_is_worth_nothing_afterwards(self) -> None:
        breaker = opened()
        breaker.allow_probe()
        probe = breaker.try_acquire()
        breaker.record_success(probe)
        assert breaker.state is CLOSED
        breaker.record_failure(probe)
        assert breaker.failure_count == 0

    def test_the_probes_failure_opens_again(self) -> None:
        breaker = opened()
        breaker.allow_probe()
        breaker.record_failure(breaker.try_acquire())
        assert breaker.state is OPEN

    def test_several_successes_may_be_wanted_one_probe_after_the_other(self) -> None:
        breaker = opened(success_threshold=3)
        breaker.allow_probe()
        for _ in range(2):
            breaker.record_success(breaker.try_acquire())
            assert breaker.state is HALF_OPEN
        breaker.record_success(breaker.try_acquire())
        assert breaker.state is CLOSED

    def test_a_failure_between_them_starts_the_count_again(self) -> None:
        breaker = opened(success_threshold=2)
        breaker.allow_probe()
        breaker.record_success()
        breaker.record_failure()
        breaker.allow_probe()
        breaker.record_success()
        assert breaker.state is HALF_OPEN

    def test_who_had_to_wait_for_the_state_does_not_take_the_probe_of_who_came_first(self) -> None:
        shared = CircuitInMemory()
        with freeze_time(START) as clock:
            first = CircuitBreaker(failure_threshold=1, recovery_timeout=0.0, keeper=shared)
            first.record_failure()
            assert first.state is HALF_OPEN
            given: list[Permit | None] = []

            class Crowded(CircuitInMemory):
                """Lets the first one through whenever somebody else is about to change the state."""

                def read(self) -> Circuit:
                    return shared.read()

                def update(self, change: Callable[[Circuit], Circuit]) -> Circuit:
                    clock.tick(0.5)
                    given.append(first.try_acquire())
                    return shared.update(change)

            second = CircuitBreaker(failure_threshold=1, recovery_timeout=0.0, keeper=Crowded())
            assert second.try_acquire() is None
            assert [permit is not None for permit in given] == [True]

    def test_clocks_of_two_machines_need_not_agree_to_the_second(self) -> None:
        shared = CircuitInMemory()
        with freeze_time(START) as clock:
            ahead = CircuitBreaker(failure_threshold=1, recovery_timeout=0.0, keeper=shared)
            ahead.record_failure()
            assert ahead.try_acquire() is not None
            clock.move_to("2024-05-01 11:59:30")
            assert CircuitBreaker(failure_threshold=1, recovery_timeout=0.0, keeper=shared).try_acquire() is None

    def test_a_probe_that_is_not_made_lets_another_be_it(self) -> None:
        breaker = opened()
        breaker.allow_probe()
        probe = breaker.try_acquire()
        assert probe is not None
        assert breaker.try_acquire() is None
        breaker.return_permit(probe)
        assert breaker.try_acquire() is not None

    def test_a_reset_forgets_failures_and_calls_in_flight(self) -> None:
        breaker = CircuitBreaker(failure_threshold=2)
        early = breaker.try_acquire()
        breaker.record_failure()
        breaker.reset()
        breaker.record_failure(early)
        assert breaker.failure_count == 0
        assert breaker.state is CLOSED

    def test_a_permit_of_another_time_gives_nothing_back(self) -> None:
        breaker = opened()
        breaker.allow_probe()
        assert breaker.try_acquire() is not None
        breaker.return_permit(Permit(generation=-1))
        assert breaker.try_acquire() is None

    @pytest.mark.parametrize("state", [CLOSED, HALF_OPEN])
    def test_an_answer_changes_nothing_unless_it_is_open(self, state: CircuitState) -> None:
        breaker = CircuitBreaker() if state is CLOSED else opened(recovery_timeout=0.0)
        assert breaker.state is state
        breaker.allow_probe()
        assert breaker.state is state


class TestTime:
    def test_a_breaker_built_before_time_was_set_back_works(self) -> None:
        breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60.0)
        with freeze_time("1999-01-01") as clock:
            breaker.record_failure()
            assert breaker.state is OPEN
            clock.tick(timedelta(seconds=59.9))
            assert not breaker.can_execute()
            clock.tick(timedelta(seconds=0.1))
            assert breaker.can_execute()

    def test_a_clock_set_back_while_open_prolongs_it_by_one_time_out_at_most(self) -> None:
        with freeze_time(START) as clock:
            breaker = opened()
            clock.move_to("2024-04-01 12:00:00")
            assert breaker.state is OPEN
            clock.tick(60.0)
            assert breaker.state is HALF_OPEN

    def test_asking_often_while_open_prolongs_nothing(self) -> None:
        with freeze_time(START) as clock:
            breaker = opened()
            for _ in range(60):
                assert breaker.state is OPEN
                breaker.record_failure()
                breaker.record_success()
                clock.tick(1.0)
            assert breaker.state is HALF_OPEN

    def test_asking_does_not_take_the_probe(self) -> None:
        breaker = opened(recovery_timeout=0.0)
        for _ in range(5):
            assert breaker.can_execute()
            assert breaker.state is HALF_OPEN
        assert breaker.try_acquire() is not None

    def test_ordinary_calls_are_for_a_closed_circuit_and_leave_the_probe_to_others(self) -> None:
        breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=0.0)
        early = breaker.permit_if_closed()
        assert early is not None
        breaker.record_failure(early)
        assert breaker.state is HALF_OPEN
        assert breaker.permit_if_closed() is None
        probe = breaker.try_acquire()
        assert probe is not None
        breaker.record_success(probe)
        breaker.record_failure(early)  # of before the outage
        assert breaker.permit_if_closed() is not None

    def test_a_lost_probe_does_not_block_for_longer_when_the_clock_is_set_back(self) -> None:
        with freeze_time(START) as clock:
            breaker = opened(recovery_timeout=0.0)
            assert breaker.try_acquire() is not None
            clock.move_to("2024-04-01 12:00:00")
            assert breaker.try_acquire() is not None
