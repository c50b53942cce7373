"""The circuit breaker and the worker that owns it, with time moved by freezegun."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time

from plex.exceptions import PlexNotFound
from worker.backoff import calculate_delay
from worker.circuit_breaker import CircuitBreaker, CircuitState
from worker.processor import SyncWorker, TransientError

if TYPE_CHECKING:
    from unittest.mock import MagicMock

pytestmark = pytest.mark.integration


def open_breaker(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        breaker.record_failure()


class TestClosed:
    def test_starts_closed_and_lets_work_through(self, fresh_circuit_breaker: CircuitBreaker) -> None:
        assert fresh_circuit_breaker.state is CircuitState.CLOSED
        assert fresh_circuit_breaker.can_execute()

    def test_the_fifth_failure_in_a_row_opens_and_blocks(self, fresh_circuit_breaker: CircuitBreaker) -> None:
        for _ in range(4):
            fresh_circuit_breaker.record_failure()
        assert fresh_circuit_breaker.state is CircuitState.CLOSED
        fresh_circuit_breaker.record_failure()
        assert fresh_circuit_breaker.state is CircuitState.OPEN
        assert not fresh_circuit_breaker.can_execute()

    def test_a_success_resets_the_count(self, fresh_circuit_breaker: CircuitBreaker) -> None:
        for _ in range(4):
            fresh_circuit_breaker.record_failure()
        fresh_circuit_breaker.record_success()
        for _ in range(4):
            fresh_circuit_breaker.record_failure()
        assert fresh_circuit_breaker.state is CircuitState.CLOSED


class TestRecovery:
    @freeze_time("2024-05-01 12:00:00")
    def test_stays_open_before_the_time_out(self, fresh_circuit_breaker: CircuitBreaker, freezer: Any) -> None:
        open_breaker(fresh_circuit_breaker)
        freezer.move_to("2024-05-01 12:00:59")
        assert fresh_circuit_breaker.state is CircuitState.OPEN

    @freeze_time("2024-05-01 12:00:00")
    def test_is_half_open_after_the_time_out(self, fresh_circuit_breaker: CircuitBreaker, freezer: Any) -> None:
        open_breaker(fresh_circuit_breaker)
        freezer.move_to("2024-05-01 12:01:00")
        assert fresh_circuit_breaker.state is CircuitState.HALF_OPEN
        assert fresh_circuit_breaker.can_execute()

    @freeze_time("2024-05-01 12:00:00")
    def test_success_in_half_open_closes(self, fresh_circuit_breaker: CircuitBreaker, freezer: Any) -> None:
        open_breaker(fresh_circuit_breaker)
        freezer.move_to("2024-05-01 12:01:01")
        fresh_circuit_breaker.record_success()
        assert fresh_circuit_breaker.state is CircuitState.CLOSED

    @freeze_time("2024-05-01 12:00:00")
    def test_failure_in_half_open_opens_for_another_time_out(
        self, fresh_circuit_breaker: CircuitBreaker, freezer: Any
    ) -> None:
        open_breaker(fresh_circuit_breaker)
        freezer.move_to("2024-05-01 12:01:01")
        fresh_circuit_breaker.record_failure()
        assert fresh_circuit_breaker.state is CircuitState.OPEN
        freezer.move_to("2024-05-01 12:02:00")
        assert fresh_circuit_breaker.state is CircuitState.OPEN
        freezer.move_to("2024-05-01 12:02:01")
        assert fresh_circuit_breaker.state is CircuitState.HALF_OPEN

    @freeze_time("2024-05-01 12:00:00")
    def test_half_open_gives_out_one_probe_at_a_time(self, fresh_circuit_breaker: CircuitBreaker, freezer: Any) -> None:
        open_breaker(fresh_circuit_breaker)
        assert fresh_circuit_breaker.try_acquire() is None
        freezer.move_to("2024-05-01 12:01:00")
        probe = fresh_circuit_breaker.try_acquire()
        assert probe is not None
        assert fresh_circuit_breaker.try_acquire() is None
        fresh_circuit_breaker.return_permit(probe)
        assert fresh_circuit_breaker.try_acquire() is not None

    @freeze_time("2024-05-01 12:00:00")
    def test_a_probe_that_never_reports_back_expires(self, fresh_circuit_breaker: CircuitBreaker, freezer: Any) -> None:
        open_breaker(fresh_circuit_breaker)
        freezer.move_to("2024-05-01 12:01:00")
        assert fresh_circuit_breaker.try_acquire() is not None
        freezer.move_to("2024-05-01 12:03:01")
        assert fresh_circuit_breaker.try_acquire() is not None

    def test_results_of_calls_from_before_the_opening_are_ignored(self, fresh_circuit_breaker: CircuitBreaker) -> None:
        early = fresh_circuit_breaker.try_acquire()
        open_breaker(fresh_circuit_breaker)
        fresh_circuit_breaker.allow_probe()
        fresh_circuit_breaker.record_failure(early)
        assert fresh_circuit_breaker.state is CircuitState.HALF_OPEN
        fresh_circuit_breaker.record_success(early)
        assert fresh_circuit_breaker.state is CircuitState.HALF_OPEN

    def test_successes_and_failures_while_open_change_nothing(self, fresh_circuit_breaker: CircuitBreaker) -> None:
        open_breaker(fresh_circuit_breaker)
        fresh_circuit_breaker.record_success()
        fresh_circuit_breaker.record_failure()
        assert fresh_circuit_breaker.state is CircuitState.OPEN

    @freeze_time("2024-05-01 12:00:00")
    def test_a_clock_set_back_does_not_prolong_the_outage(
        self, fresh_circuit_breaker: CircuitBreaker, freezer: Any
    ) -> None:
        open_breaker(fresh_circuit_breaker)
        freezer.move_to("2024-05-01 11:00:00")
        assert fresh_circuit_breaker.state is CircuitState.OPEN
        freezer.move_to("2024-05-01 11:01:00")
        assert fresh_circuit_breaker.state is CircuitState.HALF_OPEN

    def test_an_answer_allows_a_probe_early(self, fresh_circuit_breaker: CircuitBreaker) -> None:
        open_breaker(fresh_circuit_breaker)
        fresh_circuit_breaker.allow_probe()
        assert fresh_circuit_breaker.state is CircuitState.HALF_OPEN

    def test_reset_closes_and_clears(self, fresh_circuit_breaker: CircuitBreaker) -> None:
        open_breaker(fresh_circuit_breaker)
        fresh_circuit_breaker.reset()
        assert fresh_circuit_breaker.state is CircuitState.CLOSED
        for _ in range(4):
            fresh_circuit_breaker.record_failure()
        assert fresh_circuit_breaker.can_execute()

    def test_changes_of_state_are_told_once(self) -> None:
        heard: list[tuple[CircuitState, CircuitState]] = []
        breaker = CircuitBreaker(on_change=lambda old, new: heard.append((old, new)))
        open_breaker(breaker)
        breaker.allow_probe()
        breaker.record_success()
        breaker.reset()
        closed, opened, half = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
        assert heard == [(closed, opened), (opened, half), (half, closed)]


class TestWorkerOwnsABreaker:
    @pytest.fixture
    def worker(self, mock_queue: MagicMock, mock_dlq: MagicMock, mock_config: MagicMock) -> SyncWorker:
        return SyncWorker(mock_queue, mock_dlq, mock_config)

    def test_the_worker_has_one_with_the_default_limits(self, worker: SyncWorker) -> None:
        assert isinstance(worker.circuit_breaker, CircuitBreaker)
        assert worker.circuit_breaker.failure_threshold == 5
        assert worker.circuit_breaker.recovery_timeout == 60.0

    @freeze_time("2024-05-01 12:00:00")
    def test_the_worker_is_blocked_while_open_and_resumes_after_recovery(
        self, worker: SyncWorker, freezer: Any
    ) -> None:
        open_breaker(worker.circuit_breaker)
        assert not worker.circuit_breaker.can_execute()
        freezer.move_to("2024-05-01 12:01:00")
        assert worker.circuit_breaker.can_execute()
        worker.circuit_breaker.record_success()
        assert worker.circuit_breaker.state is CircuitState.CLOSED

    @freeze_time("2024-05-01 12:00:00")
    def test_next_retry_is_now_plus_a_delay_below_its_bound(self, worker: SyncWorker) -> None:
        now = time.time()
        for count in range(6):
            job = worker._prepare_for_retry({"scene_id": 1, "retry_count": count}, TransientError("slow"))
            assert 0 <= job["next_retry_at"] - now <= min(80.0, 5.0 * 2**count)
        job = worker._prepare_for_retry({"scene_id": 1}, PlexNotFound("unscanned"))
        assert 0 <= job["next_retry_at"] - now <= 30.0


class TestBackoff:
    def test_the_bound_grows_with_the_retry_count_up_to_the_cap(self) -> None:
        highest = [max(calculate_delay(n, 5, 80, jitter_seed=seed) for seed in range(300)) for n in range(6)]
        assert highest[:5] == sorted(highest[:5])
        for count, delay in enumerate(highest):
            bound = min(80, 5 * 2**count)
            assert 0.9 * bound < delay <= bound

    def test_a_seed_makes_the_delay_repeatable(self) -> None:
        assert calculate_delay(3, 5, 80, jitter_seed=7) == calculate_delay(3, 5, 80, jitter_seed=7)

    def test_huge_counts_are_safe(self) -> None:
        assert 0 <= calculate_delay(10**9, 30, 600) <= 600
