"""What the pages about the daemon are made of, without a server: words for tasks and times, the lines that are kept."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.app.dashboard.log_book import KEPT, LONGEST, LONGEST_TRACEBACK, RecentLines
from scenesync.web.events import EventRing
from scenesync.web.models.work import Progress, Task
from scenesync.web.pages import words
from scenesync.web.pages.task_words import More, came_of, more_about

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("scenesync.invented.parts")


def ended(kind: str, state: str = "done", *, error: str | None = None, **result: Any) -> Task:
    return Task.model_validate(
        {
            "id": "20260101T000000-abcd",
            "kind": kind,
            "title": "Something long",
            "state": state,
            "started_at": 1.0,
            "ended_at": 2.0,
            "progress": Progress(done=1, total=1, text=""),
            "can_be_cancelled": False,
            "result": result or None,
            "error": error,
        }
    )


GAPS = {"missing": {"count": 2, "examples": []}, "stale": {"count": 1, "examples": []}}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (ended("doctor", checks=[{"verdict": "ok"}]), "1 check: all is well."),
        (
            ended("doctor", checks=[{"verdict": "ok"}, {"verdict": "failed"}, {"verdict": "warning"}]),
            "3 checks: 1 failed, 1 to look at.",
        ),
        (ended("coverage", scenes=2, items=1), "2 scenes and 1 item compared."),
        (ended("backup", file="/backups/a.zip", size_bytes=2_500_000), "Written to /backups/a.zip (2.5 MB)."),
        (ended("notify_test", ways=[{"way": "webhook", "arrived": True, "reason": ""}]), "Sent by 1 of 1 way."),
        (
            ended("notify_test", ways=[{"way": "webhook", "arrived": False, "reason": "it answered 500"}]),
            "Sent by 0 of 1 way. webhook: it answered 500.",
        ),
        (
            ended("sync", created=1200, merged=1, completed=1190, pending=11, dead_letters=0),
            "1\u202f200 queued, 1 waited already. 1\u202f190 worked off, 11 still waiting.",
        ),
        (
            ended("reconcile", scenes=9, gaps=GAPS, dry_run=True, stopped=False),
            "9 scenes compared, 3 gaps found; nothing was queued.",
        ),
        (
            ended("reconcile", scenes=9, gaps=GAPS, dry_run=False, stopped=True),
            "9 scenes compared, 3 gaps found. That is so much that it waits for you.",
        ),
        (
            ended("reconcile", scenes=9, gaps=GAPS, dry_run=False, stopped=False, enqueued=3, completed=3, pending=0),
            "9 scenes compared, 3 gaps found, 3 queued. 3 worked off.",
        ),
        (ended("apply", completed=2, pending=0, dead_letters=1), "2 worked off, 1 given up in all."),
        (ended("undo", sentence="Taken back: 2 fields."), "Taken back: 2 fields."),
        (ended("plan", sentence="Plan: 2 scenes."), "2 scenes."),
        (ended("another", figure=3), "Done."),
        (ended("coverage", "failed", error="Plex does not answer."), "Plex does not answer."),
        (ended("coverage", "cancelled"), "What it had done stays done."),
    ],
)
def test_what_came_of_a_task_is_one_sentence(task: Task, words: str) -> None:
    assert came_of(task) == words


def test_a_result_leads_to_the_page_that_has_more_of_it() -> None:
    assert more_about(ended("plan", sentence="Plan: 2 scenes.")) == More("/plan/20260101T000000-abcd", "The plan")
    assert more_about(ended("plan", "failed", error="no")) is None
    assert more_about(ended("undo", sentence="Nothing.")) is None


def test_times_are_said_as_people_say_them() -> None:
    assert [words.every(each) for each in (30.0, 90.0, 3600.0, 86_400.0)] == [
        "every 30 s",
        "every 1.5 min",
        "every hour",
        "every day",
    ]
    assert (words.ahead(None), words.ahead(time.time() - 5), words.ahead(time.time() + 90)) == ("", "now", "in 1.5 min")
    now = time.time()
    assert words.clock(now) == datetime.fromtimestamp(now, UTC).astimezone().strftime("%H:%M:%S")
    assert words.clock(now - 200_000).startswith("20")


def test_values_of_settings_are_shown_as_they_are_written() -> None:
    found = [words.setting_lines(each) for each in (True, None, "", [], ["a", "b"], 30.0, 2.5, 4, "daily")]
    assert found == [["true"], [], [], [], ["a", "b"], ["30"], ["2.5"], ["4"], ["daily"]]


@pytest.fixture
def lines() -> Iterator[RecentLines]:
    kept = RecentLines(EventRing())
    kept.attend(())
    yield kept
    kept.leave()


def test_the_log_takes_no_more_memory_than_its_limit_however_much_is_logged(lines: RecentLines) -> None:
    for number in range(KEPT + 10):
        LOG.error("line %d", number)
    LOG.error("x" * 1_000_000)
    LOG.error("failed", exc_info=ValueError("y" * 1_000_000 + " the end"))
    kept = lines.entries(level=None, scene_id=None, before=None, limit=2 * KEPT).items
    assert len(kept) == KEPT
    assert len(kept[1].message) == LONGEST
    assert kept[0].traceback is not None
    assert len(kept[0].traceback) == LONGEST_TRACEBACK
    assert kept[0].traceback.endswith(" the end")


def test_listeners_hear_lines_in_the_order_of_their_numbers() -> None:
    events = EventRing()
    kept = RecentLines(events)
    kept.attend(())
    try:
        for number in range(3):
            LOG.error("line %d", number)
    finally:
        kept.leave()
    heard, _, _ = events.since(0, frozenset({"log"}))
    numbers = [event.describe()["number"] for event in heard]
    assert numbers == [1, 2, 3]
