from __future__ import annotations

import pytest

from scenesync.intake.stash_activity import StashActivity, touches_scenes
from scenesync.stash.jobs import Job

SCAN = Job(7, "Scanning...")


def test_bulk_waits_while_stash_works_and_no_longer() -> None:
    activity = StashActivity()
    assert not activity.holds_bulk()
    activity.heard_of(SCAN)
    assert activity.holds_bulk()
    activity.heard_of(Job(7, "Scanning...", is_over=True))
    assert not activity.holds_bulk()


def test_bulk_waits_for_a_while_only_and_stash_still_counts_as_busy() -> None:
    activity = StashActivity(hold_at_most_s=0.0)
    activity.heard_of(SCAN)
    assert (activity.holds_bulk(), activity.is_busy()) == (False, True)


def test_one_job_after_the_other_is_one_time_of_work() -> None:
    activity = StashActivity()
    activity.asked([SCAN, Job(8, "Identifying...")])
    activity.heard_of(Job(7, is_over=True))
    assert activity.is_busy()
    activity.heard_of(Job(8, is_over=True))
    assert not activity.is_busy()


def test_what_was_missed_is_known_when_stash_is_asked() -> None:
    activity = StashActivity()
    activity.heard_of(SCAN)
    activity.asked([])
    assert not activity.is_busy()
    activity.asked([SCAN])
    activity.forget()
    assert not activity.is_busy()


@pytest.mark.parametrize(
    ("description", "touches"),
    [
        ("Scanning...", True),
        ("Identifying...", True),
        ("Auto-tagging...", True),
        ("Cleaning...", True),
        ("Generating...", True),
        ("", True),
        ("Running plugin task: Sync all", False),
        ("Optimising database...", False),
    ],
)
def test_tasks_of_plugins_are_not_waited_for_since_ours_are_among_them(description: str, touches: bool) -> None:  # noqa: FBT001 - a column
    assert touches_scenes(Job(1, description)) is touches
