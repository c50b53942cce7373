"""What the pages of long lists are made of, without a server: names, sentences, edits that belong together."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.errors import AmbiguousMatch
from scenesync.web.models.common import LARGEST_ID, Page
from scenesync.web.models.scenes import JournalEntry
from scenesync.web.models.work import Job, Progress, Task, UndoWhat
from scenesync.web.pages.error_words import ERRORS, error_name
from scenesync.web.pages.journal import whole_edits
from scenesync.web.pages.listing import Named, named, scene_in
from scenesync.web.pages.queue import waits
from scenesync.web.pages.scene_timeline import edits_together
from scenesync.web.pages.undo import sentence, told
from scenesync.web.pages.words import ahead
from scenesync.web.problems import Unusable
from scenesync.worker.error_rules import RULES, Treatment

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING = dict.fromkeys(
    ("put_back", "unchanged", "incomplete", "fields", "pictures", "locks", "refused_fields", "held"), 0
)


def entry(number: int, rating_key: str = "101", *, at: float = 1000.0, field: str = "") -> JournalEntry:
    return JournalEntry(
        number=number,
        at=at,
        run="run",
        cause="sync",
        scene_id=7,
        rating_key=rating_key,
        field=field or f"field {number}",
        before="",
        after="Pier",
        shown="Pier",
        lock_before=None,
        lock_after=None,
        file="",
    )


def job(**facts: object) -> Job:
    known: dict[str, object] = {
        "pqid": 1,
        "scene_id": 7,
        "job_key": "scene_7",
        "update_type": "metadata",
        "data": {},
        "enqueued_at": 1.0,
        "lane": "person",
        "due_at": 0.0,
        "deliveries": 0,
        "retry_count": 0,
        "last_error_type": None,
    }
    return Job.model_validate({**known, **facts})


def undo_task(state: str = "done", kind: str = "undo", **chosen: object) -> Task:
    what = UndoWhat.model_validate({"run": "run", "dry_run": True, **chosen})
    result = {
        "run": None,
        "chosen": what.model_dump(mode="json"),
        "totals": {**NOTHING, "fields": 1, "put_back": 1, "unchanged": 1},
        "scenes": [
            {"scene_id": 7, "items": [{"refusal": None, "error": None, "fields": [{"action": "put_back"}]}]},
            {"scene_id": 8, "items": [{"refusal": None, "error": None, "fields": [{"action": "nothing"}]}]},
        ],
    }
    return Task(
        id="task",
        kind=kind,
        title="Undo",
        state=state,  # type: ignore[arg-type] # one of the states
        started_at=1.0,
        ended_at=None,
        progress=Progress(done=0, total=None, text=""),
        can_be_cancelled=False,
        result=result if state == "done" else None,
        error=None,
    )


def test_every_error_that_can_end_in_a_dead_letter_has_words_for_people() -> None:
    buried = {rule.error.__name__ for rule in RULES if rule.treatment in {Treatment.BURY, Treatment.RETRY}}
    assert {name for name in buried if name.startswith(("Plex", "Stash", "Image"))} <= ERRORS.keys()
    assert error_name(AmbiguousMatch.__name__) == "Several items fit"
    assert error_name("ZeroDivisionError") == "ZeroDivisionError"


def test_a_scene_is_named_by_its_number_alone() -> None:
    assert [scene_in(text) for text in ("", "  ", "12", " 12 ", str(LARGEST_ID))] == [None, None, 12, 12, LARGEST_ID]
    for wrong in ("0", "-1", "twelve", "1.5", "12 13", "\u0663", str(LARGEST_ID + 1), "9" * 300):
        with pytest.raises(Unusable, match="its number in Stash"):
            scene_in(wrong)


def test_a_row_is_called_by_title_by_number_or_by_what_it_is_about() -> None:
    assert named(7, "scene 7", {7: "Pier"}) == Named("Pier", "/scenes/7", 7)
    assert named(8, "scene 8", {7: "Pier"}) == Named("Scene 8", "/scenes/8")
    assert named(0, "all scenes of performer 7", {}) == Named("All scenes of performer 7", "")


def test_a_job_says_what_it_waits_for() -> None:
    later = job(due_at=time.time() + 125.0, last_error_type="PlexBusy")
    assert waits(later) == "tried again in 2.1 min"
    assert waits(job(due_at=time.time() - 5.0)) == "due, saved by hand"
    assert waits(job(lane="bulk")) == "due, one of many"
    assert waits(job(pqid=None)) == "left beside the queue, taken in within seconds"
    assert [ahead(None), ahead(time.time() - 5.0)] == ["", "now"]


def test_an_edit_at_the_end_of_a_page_is_left_to_the_next_one() -> None:
    entries = [entry(9), entry(8), entry(7, "102"), entry(6, "102"), entry(5, "103")]
    cut = whole_edits(Page(items=entries, next_cursor="5"))
    assert ([each.number for each in cut.items], cut.next_cursor) == ([9, 8, 7, 6], "6")
    whole = Page(items=entries, next_cursor=None)
    assert whole_edits(whole) is whole
    alone = Page(items=[entry(9), entry(8)], next_cursor="8")
    assert whole_edits(alone) is alone, "there must be a way on"
    assert whole_edits(Page(items=[], next_cursor=None)).items == []


def test_a_scene_that_is_saved_twice_within_a_minute_was_edited_twice() -> None:
    second = [entry(6, at=1030.0, field="titleSort"), entry(5, at=1030.0, field="title")]
    pictures = [entry(4, at=1001.0, field="thumb")]
    first = [entry(3, field="summary"), entry(2, field="titleSort"), entry(1, field="title")]
    assert list(edits_together([*second, *first])) == [second, first]
    assert list(edits_together([*pictures, *first])) == [[*pictures, *first]]
    assert list(edits_together([entry(9, at=2000.0, field="studio"), *first])) == [
        [entry(9, at=2000.0, field="studio")],
        first,
    ]
    assert list(edits_together([])) == []


@pytest.mark.parametrize(
    ("totals", "would", "words"),
    [
        ({"fields": 2, "put_back": 1}, True, "2 fields of 1 scene would be put back."),
        ({"fields": 1, "put_back": 1}, False, "1 field of 1 scene was put back."),
        (
            {"fields": 2, "pictures": 1, "locks": 3, "put_back": 2},
            False,
            "2 fields, 1 picture and 3 locks of 2 scenes were put back.",
        ),
        (
            {"fields": 2, "put_back": 1, "incomplete": 1, "refused_fields": 1},
            True,
            "2 fields of 2 scenes would be put back. 1 field left alone.",
        ),
        ({}, True, "There is nothing to put back: Plex shows what it showed before."),
        ({"refused_fields": 2, "incomplete": 1}, True, "There is nothing to put back: Plex shows other edits."),
        ({"unchanged": 1}, False, "Nothing was put back: Plex shows what it showed before."),
    ],
)
def test_an_undo_is_told_in_one_sentence(totals: Mapping[str, int], would: bool, words: str) -> None:  # noqa: FBT001
    assert sentence({**NOTHING, **totals}, would=would) == words


def test_what_an_undo_found_is_told_only_where_it_was_asked() -> None:
    what = UndoWhat(run="run")
    found = told(undo_task(), what)
    assert found is not None
    assert (found.is_preview, found.has_work, found.is_told_in_part) == (True, True, False)
    assert [scene["scene_id"] for scene in found.scenes] == [7]
    assert told(undo_task("running"), what) is None
    assert told(undo_task("failed"), what) is None
    assert told(undo_task(kind="plan"), what) is None
    assert told(undo_task(run="other run"), what) is None
    assert told(undo_task(), UndoWhat(edits=[1])) is None
    many = replace(found, totals={**found.totals, "put_back": 400})
    assert many.is_told_in_part
