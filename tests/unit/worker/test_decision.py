from __future__ import annotations

import math

import pytest

from scenesync.domain.errors import AmbiguousMatch, SceneGone, SceneSkipped, StashUnavailable, TransientError
from scenesync.plex.exceptions import (
    PlexBusy,
    PlexNotFound,
    PlexPermanentError,
    PlexServerDown,
    PlexTemporaryError,
    PlexUnauthorized,
)
from scenesync.worker.decision import Ack, Dead, Retry, Wait, decide, retry_delay, retry_limit, with_retry_state

NOW = 1_700_000_000.0
SEEDS = range(200)


class TestDecide:
    @pytest.mark.parametrize("error", [None, SceneGone("deleted"), SceneSkipped("no file")])
    def test_what_worked_and_what_has_nothing_to_do_is_done(self, error: Exception | None) -> None:
        assert decide(error, {"scene_id": 1}, NOW) == Ack()

    @pytest.mark.parametrize("error", [PlexServerDown("refused"), PlexUnauthorized("401"), StashUnavailable("refused")])
    @pytest.mark.parametrize("failures", [0, 4, 11, 10_000])
    def test_an_outage_waits_however_often_the_job_failed_and_leaves_it_as_it_was(
        self, error: Exception, failures: int
    ) -> None:
        job = {"scene_id": 1, "retry_count": failures}
        assert decide(error, job, NOW) == Wait(str(error))
        assert job == {"scene_id": 1, "retry_count": failures}

    @pytest.mark.parametrize("error", [PlexPermanentError("400"), AmbiguousMatch("two fit", candidates=["1", "2"])])
    def test_what_only_a_person_can_settle_is_buried_at_once_with_advice(self, error: Exception) -> None:
        decision = decide(error, {"scene_id": 1}, NOW)
        assert isinstance(decision, Dead)
        assert decision.error is error
        assert decision.advice

    @pytest.mark.parametrize(
        ("error", "limit"),
        [
            (TransientError("x"), 5),
            (PlexTemporaryError("500"), 5),
            (PlexBusy("500"), 12),
            (PlexNotFound("x"), 12),
            (ValueError("a bug"), 5),
        ],
    )
    def test_the_failure_that_reaches_the_limit_is_the_last(self, error: Exception, limit: int) -> None:
        for failures in range(limit - 1):
            assert isinstance(decide(error, {"retry_count": failures}, NOW), Retry)
        for failures in (limit - 1, limit, limit + 100):
            decision = decide(error, {"retry_count": failures}, NOW)
            assert isinstance(decision, Dead)
            assert decision.error is error

    def test_the_setting_moves_the_limit_of_those_that_follow_it(self) -> None:
        assert isinstance(decide(TransientError("x"), {"retry_count": 0}, NOW, max_retries=1), Dead)
        assert isinstance(decide(TransientError("x"), {"retry_count": 18}, NOW, max_retries=20), Retry)
        assert isinstance(decide(PlexNotFound("x"), {"retry_count": 5}, NOW, max_retries=1), Retry)

    def test_a_job_that_never_failed_needs_no_retry_fields(self) -> None:
        decision = decide(TransientError("x"), {}, NOW, jitter_seed=3)
        assert decision == Retry(NOW + retry_delay(TransientError("x"), 0, 3))

    @pytest.mark.parametrize(
        ("error", "bounds"),
        [
            (TransientError("x"), [5, 10, 20, 40]),
            (PlexBusy("x"), [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300]),
            (PlexNotFound("x"), [30, 60, 120, 240, 480, 600, 600, 600, 600, 600, 600]),
        ],
    )
    def test_the_delay_uses_the_count_before_this_failure(self, error: Exception, bounds: list[float]) -> None:
        for failures, bound in enumerate(bounds):
            decisions = [decide(error, {"retry_count": failures}, NOW, jitter_seed=seed) for seed in SEEDS]
            delays = [decision.at - NOW for decision in decisions if isinstance(decision, Retry)]
            assert len(delays) == len(SEEDS)
            assert min(delays) >= 0
            assert 0.9 * bound < max(delays) <= bound


class TestRetryAfter:
    def test_what_the_server_asks_for_is_the_least(self) -> None:
        error = PlexTemporaryError("429", retry_after_s=120.0)
        assert all(retry_delay(error, 0, seed) == 120.0 for seed in SEEDS)

    def test_it_never_shortens_the_delay(self) -> None:
        plain, asked = PlexTemporaryError("429"), PlexTemporaryError("429", retry_after_s=0.0)
        assert all(retry_delay(asked, 4, seed) == retry_delay(plain, 4, seed) for seed in SEEDS)

    def test_nonsense_is_not_followed(self) -> None:
        assert retry_delay(PlexTemporaryError("429", retry_after_s=math.nan), 0) <= 5.0


class TestRetryState:
    def test_it_is_written_beside_what_the_job_holds(self) -> None:
        job = {"scene_id": 1, "colour": "blue", "retry_count": 2}
        returned = with_retry_state(job, PlexNotFound("unscanned"), NOW)
        assert returned is job
        assert job == {
            "scene_id": 1,
            "colour": "blue",
            "retry_count": 3,
            "next_retry_at": NOW,
            "last_error_type": "PlexNotFound",
        }

    def test_counting_begins_at_one(self) -> None:
        assert with_retry_state({}, ValueError("x"), NOW)["retry_count"] == 1

    def test_limits_are_those_of_the_table(self) -> None:
        assert retry_limit(TransientError("x")) == 5
        assert retry_limit(PlexNotFound("x"), 9) == 12
        assert retry_limit(PlexPermanentError("x"), 9) == 0
