from __future__ import annotations

import json

import pytest

from scenesync.domain.job import (
    DESTROY,
    METADATA,
    RETRY_FIELDS,
    ClaimedJob,
    retry_count,
    scene_job,
    scene_key,
    without_retry_state,
)


def test_a_new_job_has_the_fields_of_the_contract_and_nothing_else() -> None:
    assert scene_job(42, 1000.5, data={"path": "/data/a.mp4"}) == {
        "scene_id": 42,
        "update_type": METADATA,
        "data": {"path": "/data/a.mp4"},
        "enqueued_at": 1000.5,
        "job_key": "scene_42",
    }


def test_a_job_is_plain_json() -> None:
    job = scene_job(42, 1000.5, update_type=DESTROY)
    assert json.loads(json.dumps(job)) == job
    assert job["data"] == {}


def test_all_events_of_a_scene_have_one_key() -> None:
    assert scene_job(7, 1.0)["job_key"] == scene_job(7, 2.0, update_type=DESTROY)["job_key"] == scene_key(7)


@pytest.mark.parametrize(
    ("job", "count"), [({}, 0), ({"retry_count": 3}, 3), ({"retry_count": None}, 0), ({"retry_count": "2"}, 0)]
)
def test_the_retry_count_is_a_number_whatever_a_partial_job_holds(job: dict[str, object], count: int) -> None:
    assert retry_count(job) == count


def test_without_its_retry_state_a_job_is_as_it_was_and_keeps_unknown_fields() -> None:
    fresh = scene_job(7, 1.0) | {"colour": "blue"}
    failed = fresh | {"retry_count": 2, "next_retry_at": 9.0, "last_error_type": "PlexNotFound"}
    assert without_retry_state(failed) == fresh
    assert set(RETRY_FIELDS) <= failed.keys()


def test_a_claim_knows_its_scene_and_its_key_if_it_has_one() -> None:
    assert ClaimedJob(1, {"scene_id": 42}).scene_id == 42
    assert ClaimedJob(1, {"scene_id": 42}).job_key is None
    assert ClaimedJob(1, scene_job(42, 1.0)).job_key == "scene_42"
