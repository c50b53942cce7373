from __future__ import annotations

import pytest

from scenesync.domain.entities import Entity, EntityChange, change_of, continued, fan_out_job, found_up_to
from scenesync.domain.errors import PermanentError
from scenesync.domain.job import PRIORITY_FANOUT, PRIORITY_PERSON, lane_of_event, scene_job, subject

RENAMED = EntityChange(Entity.PERFORMER, 7)


def test_a_fan_out_is_the_job_of_the_contract() -> None:
    assert fan_out_job(RENAMED, 12.5) == {
        "scene_id": 0,
        "update_type": "fanout",
        "data": {"entity": "performer", "id": 7},
        "enqueued_at": 12.5,
        "job_key": "performer_7",
    }


@pytest.mark.parametrize("entity", Entity)
def test_a_change_survives_the_way_through_the_queue(entity: Entity) -> None:
    change = EntityChange(entity, 3, (4, 9))
    assert change_of(fan_out_job(change, 1.0)) == change


def test_a_fan_out_goes_on_where_it_was_and_keeps_all_else() -> None:
    job = {**fan_out_job(RENAMED, 1.0), "server": "second"}
    later = continued(job, 500)
    assert (found_up_to(job), found_up_to(later)) == (0, 500)
    assert change_of(later) == RENAMED
    assert later["server"] == "second"


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"entity": "gallery", "id": 1}, {"entity": "tag"}, {"entity": "tag", "id": "1"},
     {"entity": "tag", "id": 0}, {"entity": "tag", "id": True}, {"entity": ["tag"], "id": 1}],
)  # fmt: skip
def test_a_job_that_names_no_change_is_refused(data: object) -> None:
    with pytest.raises(PermanentError, match="no fan-out"):
        change_of({**fan_out_job(RENAMED, 1.0), "data": data})


@pytest.mark.parametrize("after", [None, "500", -1, 2.5, True])
def test_a_cursor_that_is_none_means_the_beginning(after: object) -> None:
    assert found_up_to({"data": {"entity": "tag", "id": 1, "after": after}}) == 0


def test_what_a_person_renamed_waits_behind_what_a_person_saved() -> None:
    assert lane_of_event(scene_job(1, 1.0)) == PRIORITY_PERSON
    assert lane_of_event(fan_out_job(RENAMED, 1.0)) == PRIORITY_FANOUT


def test_jobs_are_named_by_what_they_are_about() -> None:
    assert subject(scene_job(5, 1.0)) == "scene 5"
    assert subject(fan_out_job(RENAMED, 1.0)) == "all scenes of performer 7"


def test_behind_a_page_that_took_several_tries_the_next_one_has_all_of_its_own() -> None:
    job = {
        **fan_out_job(EntityChange(Entity.TAG, 5), 100.0),
        "retry_count": 4,
        "next_retry_at": 160.0,
        "last_error_type": "StashRefused",
    }
    assert continued(job, 500) == continued(fan_out_job(EntityChange(Entity.TAG, 5), 100.0), 500)
