"""What pages are made of, without a server: differences, bars, columns, timelines, words."""

from __future__ import annotations

import json
import mmap
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from scenesync.app.dashboard import plan_pages
from scenesync.app.dashboard.plan_pages import page_of_plan
from scenesync.domain.scene_words import class_name, verdict_words
from scenesync.web.models.scenes import Hold, JournalEntry
from scenesync.web.models.state import Attempt, Status
from scenesync.web.models.work import DeadLetter, Job
from scenesync.web.pages import words
from scenesync.web.pages.activity import HEIGHT, activity
from scenesync.web.pages.bars import WIDTH, Share, bar
from scenesync.web.pages.differences import MOST_WORDS, Piece, pieces
from scenesync.web.pages.frame import Pages
from scenesync.web.pages.overview import mood
from scenesync.web.pages.plans import selectors_in
from scenesync.web.pages.scene_timeline import moments
from scenesync.web.problems import Unusable
from scenesync.web.server import RouteDoor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture
def pages_with_routes() -> Pages:
    doors = (RouteDoor("living-home", 9988, is_here=True), RouteDoor("living-cabin", 9989), RouteDoor("attic-cabin", 0))
    return Pages("", "1", routes=doors)


def page_at(pages: Pages, host: bytes) -> str:
    """Return a page as somebody sees it who is logged in and asked for ``host``."""
    session = SimpleNamespace(csrf_token="fake")
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", host)],
        "server": ("127.0.0.1", 9988),
        "state": {"session": session},
    }
    answer = pages.render(Request(scope), "problem.html", title="Nothing", detail="is here")
    return bytes(answer.body).decode()


@pytest.mark.parametrize(
    ("host", "link"),
    [
        (b"films.example:9988", 'href="http://films.example:9989/"'),
        (b"[::1]:9988", 'href="http://[::1]:9989/"'),
    ],
)
def test_a_page_leads_to_the_dashboards_of_the_other_routes(pages_with_routes: Pages, host: bytes, link: str) -> None:
    page = page_at(pages_with_routes, host)
    assert f"<a {link}>living-cabin</a>" in page
    assert '<span aria-current="true">living-home</span>' in page
    assert "<span>attic-cabin</span>" in page  # on a port that nobody knows


def test_where_there_is_one_route_no_page_speaks_of_routes() -> None:
    assert "Routes" not in page_at(Pages("", "1"), b"localhost:9988")


def of_kinds(found: Sequence[Piece], *kinds: str) -> str:
    return "".join(piece.text for piece in found if piece.kind in kinds)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("", "Harbour"),
        ("Harbour", ""),
        ("Harbour", "Harbour at dusk"),
        ("The ferry leaves at noon and comes back at night.", "The ferry leaves at nine and comes back at night."),
        ("  one two three four five six seven eight nine", "one two three four five six seven eight ten\n"),
        ("word " * (MOST_WORDS + 1), "word " * (MOST_WORDS + 2)),
        ("again and again and " * 20, "and again and again " * 20),
    ],
)
def test_both_texts_can_be_read_from_their_pieces(before: str, after: str) -> None:
    found = pieces(before, after)
    assert of_kinds(found, "same", "gone") == before
    assert of_kinds(found, "same", "new") == after


def test_a_long_text_shows_the_words_that_changed_and_a_short_one_is_replaced() -> None:
    before = "The ferry leaves at noon and comes back at night."
    assert [each for each in pieces(before, before.replace("noon", "nine")) if each.kind != "same"] == [
        Piece("gone", "noon "),
        Piece("new", "nine "),
    ]
    assert list(pieces("Pier 1", "Pier 2")) == [Piece("gone", "Pier 1"), Piece("new", "Pier 2")]


def test_names_that_differ_in_capitals_alone_are_the_same() -> None:
    found = list(pieces(["Live", "Trains"], ["live", "Boats"]))
    assert found == [Piece("gone", "Trains"), Piece("same", "live"), Piece("new", "Boats")]


def test_a_small_share_can_be_seen_and_the_bar_is_never_too_long() -> None:
    found = bar([Share("a", 100_000, "good"), Share("none", 0, "warn"), Share("b", 1, "bad")])
    assert [share.name for share in found] == ["a", "b"]
    assert found[1].width > 2
    assert found[-1].x + found[-1].width == pytest.approx(WIDTH, abs=0.1)
    assert bar([]) == []


def test_an_hour_is_sixty_columns_and_the_busiest_minute_is_the_highest() -> None:
    now = int(time.time() // 60)
    found = activity({(now, "synced"): 90, (now, "dead"): 10, (now - 30, "unchanged"): 1, (now - 90, "synced"): 500})
    assert (found.most, found.text) == (100, "101 attempts, at most 100 in a minute")
    last = [column for column in found.columns if column.x == max(each.x for each in found.columns)]
    assert [column.tone for column in last] == ["good", "bad"]
    assert sum(column.height for column in last) == pytest.approx(HEIGHT)
    assert activity({}).columns == []


def edit(at: float, field: str, run: str = "r1", cause: str = "sync") -> JournalEntry:
    return JournalEntry(
        number=int(at), at=at, run=run, cause=cause, scene_id=1, rating_key="7", field=field, before="a", after="b",
        shown="b", lock_before=None, lock_after=None, file="",
    )  # fmt: skip


def test_a_timeline_has_everything_newest_first_and_fields_written_together_once() -> None:
    attempt = Attempt(
        scene_id=1, title="", outcome="retry", started_at=30.0, duration_s=1, rule="", rating_keys=[],
        changed_fields=[], error_type="PlexNotFound", message="not there", retry_at=None,
    )  # fmt: skip
    job = Job(
        pqid=1, scene_id=1, job_key="scene_1", update_type="metadata", data={}, enqueued_at=50.0, lane="person",
        due_at=0, deliveries=0, retry_count=2, last_error_type="PlexNotFound",
    )  # fmt: skip
    letter = DeadLetter(
        id=1, row_id=1, scene_id=1, subject="scene 1", job={}, error_type="AmbiguousMatch", message="two fit",
        advice="pin it", traceback="", attempts=1, details={}, failed_at=40.0,
    )  # fmt: skip
    edits = [edit(21.0, "title", "r2", "undo"), edit(20.0, "summary"), edit(19.5, "title"), edit(10.0, "title", "r0")]
    found = moments(
        attempts=[attempt], edits=edits, jobs=[job], letters=[letter], hold=Hold(scene_id=1, since=22.0, run="r2")
    )
    assert [moment.kind for moment in found] == ["event", "letter", "attempt", "hold", "edit", "edit", "edit"]
    assert [moment.title for moment in found[4:]] == [
        "Taken back: 1 field of item 7",
        "Written: 2 fields of item 7",
        "Written: 1 field of item 7",
    ]
    assert [each.field for each in found[5].edits] == ["title", "summary"]


def test_a_plan_is_read_by_verdict_wherever_its_scenes_stand_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.plan"
    verdicts = ["change", "left_out", "change", "change", "left_out"]
    lines = [
        json.dumps({"scene_id": number, "title": '"verdict": "left_out"', "verdict": verdict, "rule": None,
                    "reason": None, "items": []})
        for number, verdict in enumerate(verdicts, start=1)
    ]  # fmt: skip
    file.write_text("\n".join(['{"scenesync_plan": 1}', *lines, ""]), encoding="utf-8")

    def read(verdict: str | None, limit: int) -> list[list[int]]:
        found: list[list[int]] = []
        after = 0
        while True:
            page = page_of_plan(file, after=after, limit=limit, verdict=verdict)
            found.append([scene.scene_id for scene in page.items])
            if page.next_cursor is None:
                return found
            after = int(page.next_cursor)

    assert read(None, 2) == [[1, 2], [3, 4], [5]]
    assert read("change", 2) == [[1, 3], [4]]
    assert read("left_out", 1) == [[2], [5]]
    assert read("refused", 5) == [[]]
    for between in (3, file.stat().st_size - 2):
        with pytest.raises(Unusable):
            page_of_plan(file, after=between, limit=1)
    assert page_of_plan(file, after=10**9, limit=1).items == []


def test_a_plan_is_searched_part_by_part_and_nothing_on_a_border_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_pages, "_PART_BYTES", mmap.ALLOCATIONGRANULARITY)
    file = tmp_path / "a.plan"
    about = {"rule": None, "reason": None, "items": []}
    for shift in range(40):  # so that each byte of the mark lies on a border once
        lines = [
            json.dumps(
                {"scene_id": 1, "title": "t" * (mmap.ALLOCATIONGRANULARITY - 90 + shift), "verdict": "refused", **about}
            ),
            *(
                json.dumps({"scene_id": number, "title": "t" * 3_000, "verdict": "change", **about})
                for number in range(2, 9)
            ),
            json.dumps({"scene_id": 9, "title": "", "verdict": "refused", **about}),
        ]
        file.write_text("\n".join(['{"scenesync_plan": 1}', *lines, ""]), encoding="utf-8")
        first = page_of_plan(file, after=0, limit=1, verdict="refused")
        assert [scene.scene_id for scene in first.items] == [1]
        rest = page_of_plan(file, after=int(first.next_cursor or 0), limit=5, verdict="refused")
        assert ([scene.scene_id for scene in rest.items], rest.next_cursor) == ([9], None)


@pytest.mark.parametrize(
    ("form", "meant"),
    [
        ({"which": "all", "force": "on"}, {"all": True, "force": True}),
        ({"which": "since", "since": " 7d ", "include_held": "on"}, {"since": "7d"}),
        ({"which": "ids", "ids": "12, 31\n4", "force": "on"}, {"scene_ids": [12, 31, 4]}),
    ],
)
def test_a_form_says_which_scenes_are_meant(form: dict[str, str], meant: dict[str, object]) -> None:
    assert selectors_in(form).model_dump(exclude_defaults=True) == meant


@pytest.mark.parametrize(
    "form",
    [{}, {"which": "all of them"}, {"which": "since"}, {"which": "ids", "ids": "one"}, {"which": "ids", "ids": ""},
     {"which": "ids", "ids": "0"}, {"which": "ids", "ids": "9" * 19}, {"which": "ids", "ids": "9" * 5000}],
)  # fmt: skip
def test_a_form_that_means_no_scenes_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(Unusable):
        selectors_in(form)


def test_words_are_those_of_people() -> None:
    assert verdict_words("differs in titleSort, originallyAvailableAt.") == "differs in sort title, date."
    assert verdict_words("is in sync.") == "is in sync."
    told = "cannot be judged, since Plex cannot be asked. GET /identity: Plex did not answer in time"
    assert verdict_words(told) == "cannot be judged, since Plex cannot be asked. Plex did not answer in time"
    assert class_name("matched", "name_size") == "matched by the file's name and size"
    assert class_name("left_out", "exclude_tags") == "left out: exclude_tags"
    assert words.ticked("set `a < b` & go") == "set <code>a &lt; b</code> &amp; go"


@pytest.mark.parametrize(
    ("age_s", "told"), [(0, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (7_300, "2 h ago"), (200_000, "2 d ago")]
)
def test_how_long_ago_is_told_roughly(monkeypatch: pytest.MonkeyPatch, age_s: float, told: str) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    assert words.ago(1_000_000.0 - age_s) == told
    assert words.ago(None) == "never"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "good"),
        ({"dead_letters": 1}, "warn"),
        ({"plex": "down", "dead_letters": 1}, "bad"),
        ({"stash": "down"}, "bad"),
    ],
)
def test_the_worst_decides_how_the_state_looks(changes: dict[str, object], expected: str) -> None:
    status = Status.model_construct(paused=None, plex="up", stash="up", dead_letters=0, stopped_runs=[])
    assert mood(status.model_copy(update=changes)) == expected
