"""Retry state lives in the job: stored, requeued whole, and still there after a restart."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import persistqueue.serializers.json
import pytest
from freezegun import freeze_time
from persistqueue import SQLiteAckQueue

from plex.exceptions import PlexNotFound, PlexServerDown
from scenesync.domain.job import scene_job
from scenesync.queue.embedded import EmbeddedQueue
from worker.processor import PermanentError, SyncWorker, TransientError

if TYPE_CHECKING:
    from pathlib import Path
    from unittest.mock import MagicMock

pytestmark = pytest.mark.integration


@pytest.fixture
def job() -> dict[str, Any]:
    return {
        "scene_id": 42,
        "update_type": "metadata",
        "data": {"path": "/data/travel/harbour.mp4", "title": "Harbour at dawn"},
        "enqueued_at": 1_700_000_000.25,
        "job_key": "scene_42",
    }


@pytest.fixture
def worker(mock_queue: MagicMock, mock_dlq: MagicMock, mock_config: MagicMock, tmp_path: Path) -> SyncWorker:
    return SyncWorker(mock_queue, mock_dlq, mock_config, data_dir=str(tmp_path))


class TestRetryStateIsStoredInTheJob:
    def test_first_failure_stores_a_count_of_one(self, worker: SyncWorker, job: dict[str, Any]) -> None:
        assert worker._prepare_for_retry(job, TransientError("connection lost"))["retry_count"] == 1

    def test_later_failures_increment_the_count(self, worker: SyncWorker, job: dict[str, Any]) -> None:
        for expected in (1, 2, 3):
            job = worker._prepare_for_retry(job, TransientError("connection lost"))
            assert job["retry_count"] == expected

    def test_next_retry_is_not_in_the_past(self, worker: SyncWorker, job: dict[str, Any]) -> None:
        before = time.time()
        assert worker._prepare_for_retry(job, TransientError("slow"))["next_retry_at"] >= before

    @freeze_time("2024-05-01 12:00:00")
    def test_delay_stays_within_the_cap_of_its_error(self, worker: SyncWorker) -> None:
        for error, base, cap in ((TransientError("x"), 5, 80), (PlexNotFound("x"), 30, 600)):
            for count in range(12):
                prepared = worker._prepare_for_retry({"scene_id": 1, "retry_count": count}, error)
                assert 0 <= prepared["next_retry_at"] - time.time() <= min(cap, base * 2**count)

    def test_error_type_is_the_class_name(self, worker: SyncWorker, job: dict[str, Any]) -> None:
        assert worker._prepare_for_retry(job, PlexNotFound("not scanned"))["last_error_type"] == "PlexNotFound"

    def test_a_job_with_a_scene_id_alone_is_enough(self, worker: SyncWorker) -> None:
        prepared = worker._prepare_for_retry({"scene_id": 7, "colour": "blue"}, TransientError("x"))
        assert prepared["colour"] == "blue"
        assert prepared["retry_count"] == 1


class TestRequeue:
    def test_every_field_goes_back_with_the_retry_state(
        self, worker: SyncWorker, mock_queue: MagicMock, job: dict[str, Any]
    ) -> None:
        original = dict(job)
        worker._requeue_with_metadata(worker._prepare_for_retry(job, PlexServerDown("refused")))
        mock_queue.put.assert_called_once()
        requeued = mock_queue.put.call_args.args[0]
        assert {key: requeued[key] for key in original} == original
        assert requeued["retry_count"] == 1
        assert requeued["last_error_type"] == "PlexServerDown"
        assert "next_retry_at" in requeued

    def test_retry_state_survives_a_restart_of_a_stock_queue(
        self, real_queue: Any, mock_dlq: MagicMock, mock_config: MagicMock, tmp_path: Path, job: dict[str, Any]
    ) -> None:
        worker = SyncWorker(real_queue, mock_dlq, mock_config, data_dir=tmp_path)
        real_queue.put(job)
        taken = real_queue.get()
        worker._requeue_with_metadata(worker._prepare_for_retry(taken, PlexNotFound("not scanned yet")))
        expected = {key: taken[key] for key in ("retry_count", "next_retry_at", "last_error_type")}
        real_queue.close()

        reopened = SQLiteAckQueue(str(tmp_path / "test_queue"), auto_resume=True)
        try:
            found = reopened.get(block=False)
            assert reopened.size == 0
        finally:
            reopened.close()
        assert found == job | expected

    def test_our_queue_puts_back_in_one_step_and_a_stock_reader_sees_it(
        self, mock_dlq: MagicMock, mock_config: MagicMock, tmp_path: Path, job: dict[str, Any]
    ) -> None:
        queue = EmbeddedQueue(str(tmp_path / "queue"))
        worker = SyncWorker(queue, mock_dlq, mock_config, data_dir=tmp_path)
        queue.put_job(job)
        (claimed,) = queue.claim()
        worker._requeue_with_metadata(worker._prepare_for_retry(claimed.job, TransientError("slow")))
        queue.close()

        stock = SQLiteAckQueue(str(tmp_path / "queue"), serializer=persistqueue.serializers.json, auto_resume=False)
        try:
            assert stock.size == 1
            found = stock.get(block=False)
        finally:
            stock.close()
        assert {key: found[key] for key in job} == job
        assert found["retry_count"] == 1
        assert found["last_error_type"] == "TransientError"


class TestReadiness:
    def test_a_new_job_is_ready_at_once(self, worker: SyncWorker, job: dict[str, Any]) -> None:
        assert worker._is_ready_for_retry(job)

    @freeze_time("2024-05-01 12:00:00")
    def test_a_job_in_backoff_is_not_ready_until_its_time(
        self, worker: SyncWorker, job: dict[str, Any], freezer: Any
    ) -> None:
        job["next_retry_at"] = time.time() + 30
        assert not worker._is_ready_for_retry(job)
        freezer.move_to("2024-05-01 12:00:29")
        assert not worker._is_ready_for_retry(job)
        freezer.move_to("2024-05-01 12:00:30")
        assert worker._is_ready_for_retry(job)


class TestExhaustion:
    def test_limits_per_error(self, worker: SyncWorker) -> None:
        assert worker._get_max_retries_for_error(TransientError("x")) == 5
        assert worker._get_max_retries_for_error(PlexNotFound("x")) == 12
        assert worker._get_max_retries_for_error(ValueError("a bug")) == 5
        assert worker._get_max_retries_for_error(PermanentError("x")) == 0

    def test_the_setting_moves_the_limit_of_transient_errors_only(
        self, mock_queue: MagicMock, mock_dlq: MagicMock, mock_config: MagicMock
    ) -> None:
        worker = SyncWorker(mock_queue, mock_dlq, mock_config, max_retries=9)
        assert worker._get_max_retries_for_error(TransientError("x")) == 9
        assert worker._get_max_retries_for_error(PlexNotFound("x")) == 12

    @pytest.mark.parametrize(("error", "failures"), [(TransientError("slow"), 5), (PlexNotFound("unscanned"), 12)])
    def test_the_last_allowed_failure_makes_a_dead_letter(
        self, tmp_path: Path, mock_dlq: MagicMock, mock_config: MagicMock, error: Exception, failures: int
    ) -> None:
        random.seed(1)
        queue = EmbeddedQueue(str(tmp_path / "queue"))
        worker = SyncWorker(queue, mock_dlq, mock_config, data_dir=tmp_path)
        with freeze_time("2024-05-01 12:00:00") as clock:
            queue.put_job(scene_job(42, time.time()))
            for attempt in range(1, failures + 1):
                (claimed,) = queue.claim()
                assert claimed.job.get("retry_count", 0) == attempt - 1
                worker.settle(claimed, error)
                clock.tick(601)
            assert queue.claim() == []
        queue.close()

    def test_a_job_at_retry_four_that_fails_again_has_reached_the_limit(
        self, worker: SyncWorker, job: dict[str, Any]
    ) -> None:
        job["retry_count"] = 4
        prepared = worker._prepare_for_retry(job, TransientError("again"))
        assert prepared["retry_count"] >= worker._get_max_retries_for_error(TransientError("again"))
