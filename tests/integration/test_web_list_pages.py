"""Queue, dead letters, journal and outages on pages: over real HTTP, on real stores, before both simulated servers."""

from __future__ import annotations

import html
import re
import time
from typing import TYPE_CHECKING

import pytest
from page_reading import SCRIPT, led_to, page, send, words_of
from sync_world import eventually
from web_world import Browser, WebWorld

from scenesync.app.dashboard.dead_letters import GivenUp
from scenesync.app.data_directory import PLANS_FOLDER
from scenesync.domain.diff import FieldChange
from scenesync.domain.fields import Field
from scenesync.domain.job import scene_job
from scenesync.queue.dead_letters import DeadLetter
from scenesync.reconciliation import plan_file
from scenesync.reconciliation.automatic_run import plan_path
from scenesync.reconciliation.planning import ItemChanges, PlannedScene, Verdict
from scenesync.store.automatic_runs import AutomaticRunStore
from scenesync.store.outages import OutageStore
from scenesync.web.pages import dead_letters as letter_pages
from scenesync.web.pages import journal as journal_page
from scenesync.web.pages import outages as outage_page
from scenesync.web.pages import queue as queue_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.web.models.work import LetterGroup

pytestmark = pytest.mark.integration

NOBODY = 700_000
"""Scenes from here on are in no Stash; nobody works on their jobs before they are due."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    with WebWorld(tmp_path_factory.mktemp("lists") / "data") as world:
        yield world


@pytest.fixture(scope="module")
def browser(world: WebWorld) -> Browser:
    return world.log_in()


def ended(world: WebWorld, path: str) -> str:
    """Wait until the task that an address names has ended; return what became of it."""
    task_id = re.search(r"\d{8}T\d{6}-[0-9a-f]+$", path)
    assert task_id is not None
    return str(world.finished({"id": task_id.group()})["state"])


def following(text: str) -> str:
    """Where the next page is."""
    found = re.search(r'rel="next" href="([^"]+)"', text)
    assert found is not None, text
    return html.unescape(found.group(1))


def busy(world: WebWorld, *scene_ids: int, error: str = "PlexBusy") -> None:
    """Let jobs wait for minutes."""
    for scene_id in scene_ids:
        job = scene_job(scene_id, time.time())
        later = {"next_retry_at": time.time() + 500, "retry_count": 2, "last_error_type": error}
        world.installation.queue.put_job({**job, **later, "data": {"path": f"/data/{scene_id} {SCRIPT}.mp4"}})


def letter(world: WebWorld, scene_id: int, error: str, **more: object) -> int:
    known = {"message": f"{error} of {scene_id} {SCRIPT}", "failed_at": time.time() - 60.0, **more}
    return world.installation.dead_letters.add(DeadLetter(scene_job(scene_id, 1.0), error, **known))  # type: ignore[arg-type] # each by its name


def edits_of(world: WebWorld, scene_id: int) -> list[dict[str, object]]:
    return list(world.get("/journal", scene_id=scene_id)["items"])


def test_the_queue_shows_what_waits_for_what_page_by_page(
    world: WebWorld, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_page, "JOBS_A_PAGE", 2)
    busy(world, NOBODY + 1, NOBODY + 2, NOBODY + 3)
    first = page(browser, "/queue?error=PlexBusy")
    assert f"Scene {NOBODY + 1}" in first
    assert f"Scene {NOBODY + 3}" not in first
    assert "Plex was too busy to write, tried 2 times" in words_of(first)
    assert f"{NOBODY + 1} {SCRIPT}.mp4" in html.unescape(first)
    assert "tried again in" in first
    assert f"Scene {NOBODY + 3}" in page(browser, following(first))
    assert "No job waits after this error" in page(browser, "/queue?error=PlexTemporaryError")
    of_one = page(browser, f"/queue?scene={NOBODY + 2}")
    assert f"What waits for scene {NOBODY + 2}" in of_one
    assert f"Scene {NOBODY + 1}<" not in of_one
    assert "Plex was too busy to write 3" in words_of(page(browser, "/queue"))


def test_a_job_is_dropped_or_goes_first(world: WebWorld, browser: Browser) -> None:
    scene_id, item = world.pair("goes first", title="Goes first")
    busy(world, scene_id, NOBODY + 10)
    asked = page(browser, f"/queue?scene={NOBODY + 10}")
    assert f"Drop the job of scene {NOBODY + 10}? Its change does not reach Plex then." in asked
    dropped = send(browser, f"/queue/scenes/{NOBODY + 10}/drop")
    assert dropped.headers["HX-Trigger"] == "queue-changed"
    assert "queues it again" in dropped.data.decode()
    assert f"Nothing waits for scene {NOBODY + 10}" in page(browser, f"/parts/queue?scene={NOBODY + 10}")
    assert "was carried over meanwhile" in send(browser, f"/queue/scenes/{NOBODY + 10}/drop").data.decode()
    assert f"Scene {scene_id} goes first." in send(browser, f"/queue/scenes/{scene_id}/first").data.decode()
    eventually(lambda: world.plex.item(item.rating_key).title == "Goes first")


def test_all_that_waits_is_dropped_at_once(world: WebWorld, browser: Browser) -> None:
    busy(world, NOBODY + 20, NOBODY + 21)
    assert "Drop all" in page(browser, "/queue")
    assert " jobs dropped." in send(browser, "/queue/clear").data.decode()
    eventually(lambda: world.get("/status")["pending"] == 0)
    eventually(lambda: "Nothing waits." in page(browser, "/queue"))  # also what was in hand is done

    scene_id, _ = world.pair("in hand", title="In hand")
    with world.plex.paused_on_write() as pause:
        send(browser, f"/queue/scenes/{scene_id}/first")
        assert pause.arrived.wait(20)
        # Figures are kept for a moment, and others may be in hand besides.
        eventually(lambda: "Nothing else waits: " in words_of(page(browser, "/queue")))


def test_dead_letters_are_grouped_by_error_and_read_one_by_one(
    world: WebWorld, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_pages, "LETTERS_A_PAGE", 2)
    ids = [
        letter(
            world,
            NOBODY + 30 + number,
            "PlexPermanentError",
            advice="Run `scenesync doctor`, then replay.",
            details={"attempts": [{"at": 1.0, "outcome": "dead", "error": "PlexPermanentError: no"}]},
            traceback="Traceback of it",
        )
        for number in range(3)
    ]
    letter(world, NOBODY + 40, "WorkerCrash")
    text = page(browser, "/dead-letters")
    assert "Plex refused the edit 3" in words_of(text)
    assert "SceneSync ended while it worked on it 1" in words_of(text)
    assert "<code>scenesync doctor</code>" in text
    assert "Delete 3 dead letters for good" in text
    first = page(browser, "/dead-letters?error=PlexPermanentError")
    assert f'href="/dead-letters/{ids[2]}"' in first
    assert f'href="/dead-letters/{ids[0]}"' not in first
    assert f'href="/dead-letters/{ids[0]}"' in page(browser, following(first))
    one = page(browser, f"/dead-letters/{ids[0]}")
    assert "Traceback of it" in one
    assert f"of {NOBODY + 30} {SCRIPT}" in html.unescape(one)
    of_scene = page(browser, f"/dead-letters?scene={NOBODY + 40}")
    assert f"WorkerCrash of {NOBODY + 40}" in of_scene
    assert "has no dead letter" in page(browser, "/dead-letters?scene=4711")
    assert browser.open("/dead-letters/999999").status == 404


def test_letters_are_replayed_or_discarded_one_by_one_and_by_group(world: WebWorld, browser: Browser) -> None:
    scene_id, item = world.pair("replayed", title="Replayed")
    replayed, discarded = letter(world, scene_id, "EditIgnored"), letter(world, NOBODY + 50, "EditIgnored")
    assert "Its job waits again." in send(browser, f"/dead-letters/{replayed}/replay").data.decode()
    eventually(lambda: world.plex.item(item.rating_key).title == "Replayed")
    assert "Deleted." in send(browser, f"/dead-letters/{discarded}/discard").data.decode()
    assert "is gone already" in send(browser, f"/dead-letters/{discarded}/replay").data.decode()
    assert "EditIgnored" not in page(browser, "/dead-letters")

    group = [world.pair(f"group {number}", title=f"Group {number}") for number in range(2)]
    for each, _ in group:
        letter(world, each, "PlexTemporaryError")
    letter(world, NOBODY + 60, "ImageTooLarge")
    seen_at = str(time.time())
    path = led_to(send(browser, "/dead-letters/replay", error="PlexTemporaryError", seen_at=seen_at))
    assert ended(world, path) == "done"
    assert "2 jobs wait again." in page(browser, path)
    eventually(lambda: [world.plex.item(each.rating_key).title for _, each in group] == ["Group 0", "Group 1"])
    path = led_to(send(browser, "/dead-letters/discard", error="ImageTooLarge", seen_at=seen_at))
    assert ended(world, path) == "done"
    assert "1 dead letter deleted." in page(browser, path)
    assert "The cover is too large" not in page(browser, "/dead-letters")


def test_what_is_given_up_while_the_page_is_made_is_not_among_all_that_it_discards(
    world: WebWorld, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = letter(world, NOBODY + 80, "VersionTooOld")
    read, later = GivenUp.groups, []

    def groups(letters: GivenUp) -> Sequence[LetterGroup]:
        found = read(letters)
        later.append(letter(world, NOBODY + 81, "VersionTooOld", failed_at=time.time()))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(GivenUp, "groups", groups)
        text = page(browser, "/dead-letters?error=VersionTooOld")
    seen_at = re.search(r'name="seen_at" value="([^"]+)"', text)
    assert seen_at is not None
    path = led_to(send(browser, "/dead-letters/discard", error="VersionTooOld", seen_at=seen_at[1]))
    assert ended(world, path) == "done"
    left = [each["id"] for each in world.get("/dead-letters", error="VersionTooOld")["items"]]
    assert left == later
    assert seen not in left


def test_a_group_ends_where_the_page_ended_that_showed_it(world: WebWorld, browser: Browser) -> None:
    letter(world, NOBODY + 70, "ImageUnusable", failed_at=1000.0)
    seen_at = "2000.5"
    later = letter(world, NOBODY + 71, "ImageUnusable", failed_at=3000.0)
    path = led_to(send(browser, "/dead-letters/discard", error="ImageUnusable", seen_at=seen_at))
    assert ended(world, path) == "done"
    assert [each["id"] for each in world.get("/dead-letters", error="ImageUnusable")["items"]] == [later]
    for wrong in ({}, {"seen_at": "soon"}, {"error": "ImageUnusable"}, {"seen_at": "nan"}):
        refused = send(browser, "/dead-letters/discard", **wrong)
        assert refused.status == 422
        assert "load the page again" in refused.json()["detail"]


def test_one_edit_is_taken_back_after_a_preview_and_given_again(world: WebWorld, browser: Browser) -> None:
    scene_id, item = world.pair("edited", title=f"First {SCRIPT}", details="Quiet.")
    before = item.title
    world.synced(scene_id)
    eventually(lambda: edits_of(world, scene_id) != [])
    world.stash.save(scene_id, title="Second")
    world.synced(scene_id)
    eventually(lambda: world.plex.item(item.rating_key).title == "Second")
    text = page(browser, f"/journal?scene={scene_id}")
    assert "<ins>Second</ins>" in text
    assert f"First {SCRIPT}" in html.unescape(text)
    latest = [str(each["number"]) for each in edits_of(world, scene_id) if each["field"] in {"title", "titleSort"}][:2]

    path = led_to(send(browser, "/journal/undo/preview", edits=",".join(latest)))
    assert ended(world, path) == "done"
    text = page(browser, path)
    assert "2 fields of 1 scene would be put back." in text
    assert "1 scene is then held" in text
    assert "from where it can be undone" in text
    assert world.plex.item(item.rating_key).title == "Second", "a preview writes nothing"

    path = led_to(send(browser, "/journal/undo", edits=",".join(latest)))
    assert ended(world, path) == "done"
    text = page(browser, path)
    assert "2 fields of 1 scene were put back." in text
    assert world.plex.item(item.rating_key).title == f"First {SCRIPT}" != before
    run = re.search(r'"run": "([0-9A-Za-z-]+)"', html.unescape(text))
    assert run is not None
    path = led_to(send(browser, "/journal/undo", run=run.group(1)))
    assert ended(world, path) == "done"
    assert world.plex.item(item.rating_key).title == "Second"


def test_the_preview_of_a_run_says_what_is_left_alone_and_asks_again_to_overwrite_it(
    world: WebWorld, browser: Browser
) -> None:
    scene_id, item = world.pair("run", title="Run at noon")
    world.synced(scene_id)
    eventually(lambda: edits_of(world, scene_id) != [])
    done = world.finished(world.post("/undo", {"scene_ids": [scene_id]}, 202))
    run = str(done["result"]["run"])
    assert f'href="/journal?run={run}"' in page(browser, "/journal")
    assert "1 scene" in words_of(page(browser, "/journal/runs"))
    assert f"Edits of run <code>{run}</code>" in page(browser, f"/journal?run={run}")
    world.plex.edit_by_hand(item, title="By hand")
    path = led_to(send(browser, "/journal/undo/preview", run=run))
    assert ended(world, path) == "done"
    text = page(browser, path)
    assert "somebody edited it in Plex since" in text
    assert "Look again, with what was edited since" in text
    path = led_to(send(browser, "/journal/undo/preview", run=run, force="on"))
    assert ended(world, path) == "done"
    assert 'name="force" value="on"' in page(browser, path)


def test_undo_refuses_what_names_no_edits_and_forgets_a_preview_of_others(world: WebWorld, browser: Browser) -> None:
    scene_id, _ = world.pair("named", title="Named")
    world.synced(scene_id)
    eventually(lambda: edits_of(world, scene_id) != [])
    for wrong in ({}, {"edits": ","}, {"edits": "none"}, {"edits": "9" * 30}):
        assert send(browser, "/journal/undo/preview", **wrong).status == 422
    assert send(browser, "/journal/undo/preview", edits="999999999").status == 404
    assert send(browser, "/journal/undo/preview", run="no such run").status == 404
    number = str(edits_of(world, scene_id)[0]["number"])
    path = led_to(send(browser, "/journal/undo/preview", edits=number))
    assert ended(world, path) == "done"
    task = path.rpartition("=")[2]
    assert "Put it back" in page(browser, path)
    other = page(browser, f"/journal/undo?edits=1&task={task}")
    assert "Put it back" not in other
    assert "Look what would be put back" in other


def test_the_journal_is_read_page_by_page_and_no_edit_is_cut(
    world: WebWorld, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = [world.pair(f"paged {number}", title=f"Paged {number}", details="Calm.")[0] for number in range(3)]
    world.synced(*scenes)
    eventually(lambda: all(edits_of(world, each) for each in scenes))
    monkeypatch.setattr(journal_page, "ENTRIES_A_PAGE", 4)  # each scene has three
    monkeypatch.setattr(journal_page, "RUNS_A_PAGE", 1)
    seen = text = page(browser, "/journal")
    while not all(f"Paged {number}" in seen for number in range(3)):
        text = page(browser, following(text))
        seen += text
    entries = re.findall(r'"edits": "([0-9,]+)"', html.unescape(seen))
    assert all(len(numbers.split(",")) == 3 for numbers in entries[:3])
    assert len({number for numbers in entries for number in numbers.split(",")}) == sum(
        len(numbers.split(",")) for numbers in entries
    )
    assert browser.open("/journal?cursor=x").status == 422
    assert browser.open("/journal?scene=twelve").status == 422
    assert "No such edit" in page(browser, "/journal?scene=4711")


def stopped_run(world: WebWorld, scene_id: int, title: str) -> int:
    """A run that waits for a person, with its plan."""
    runs = AutomaticRunStore(world.installation.database)
    runs.gather("performer_7", "performer 7 was renamed", [scene_id], at=time.time())
    run = runs.gathering("performer_7")
    assert run is not None
    path = plan_path(world.data_dir / PLANS_FOLDER, run)
    path.parent.mkdir(parents=True, exist_ok=True)
    change = ItemChanges("101", (FieldChange(Field.TITLE, "before", title),))
    with plan_file.writing(path, plan_file.PlanHeader("server", time.time())) as writer:
        writer.line(plan_file.to_document(PlannedScene(scene_id, title, Verdict.CHANGE, "path", (change,))))
    runs.stop(run, f"it would change all of it {SCRIPT}", {})
    return run


def test_a_run_that_was_stopped_is_looked_at_and_goes_on_or_is_dropped(world: WebWorld, browser: Browser) -> None:
    scene_id, item = world.pair("stopped", title="Stopped at noon")
    run = stopped_run(world, scene_id, f"Stopped at noon {SCRIPT}")
    eventually(lambda: f'href="/stopped/{run}"' in page(browser, "/"))
    text = page(browser, f"/stopped/{run}")
    assert "It would change all of it" in text
    assert f"Stopped at noon {SCRIPT}" in html.unescape(text)
    assert "performer 7 was renamed" in text
    assert led_to(send(browser, f"/stopped/{run}/continue")) == "/queue"
    eventually(lambda: world.plex.item(item.rating_key).title == "Stopped at noon")
    assert browser.open(f"/stopped/{run}").status == 404
    again = stopped_run(world, scene_id, "Stopped")
    assert led_to(send(browser, f"/stopped/{again}/drop")) == "/"
    assert send(browser, f"/stopped/{again}/drop").status == 404


def test_outages_are_shown_on_a_line_and_one_by_one(
    world: WebWorld, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage_page, "OUTAGES_A_PAGE", 2)
    outages, now = OutageStore(world.installation.database), time.time()
    for number in range(3):
        began_at = now - 86_400.0 * (3 - number)
        outages.begin("plex", f"cause {number} {SCRIPT}", at=began_at, jobs_waiting=40 + number)
        outages.end("plex", at=began_at + 5400.0, jobs_waiting=90)
    text = page(browser, "/outages")
    told = re.search(r"Plex: (\d+) outages in the last 30 days", text)
    assert told is not None
    assert int(told.group(1)) >= 3
    assert "1.5 h" in text
    assert "42 , at its end 90" in words_of(text)
    assert "cause 2" in words_of(text)
    assert "cause 0" in words_of(page(browser, following(text)))
    assert 'rel="next"' not in page(browser, following(text))


def test_a_server_that_is_left_alone_can_be_tried_at_once(world: WebWorld, browser: Browser) -> None:
    scene_id, item = world.pair("tried", title="Tried at once")
    world.plex.stop()
    try:
        world.post("/sync", {"scene_ids": [scene_id]}, 202)
        eventually(lambda: world.get("/circuit")["plex"]["state"] != "closed")
        assert "Try Plex now" in page(browser, "/parts/outages")
        assert "still going on" in page(browser, "/outages")
        assert "Plex cannot be reached" in page(browser, "/queue")
    finally:
        world.plex.start()
    answer = send(browser, "/outages/plex/try")
    assert answer.headers["HX-Trigger"] == "circuit-changed"
    assert "jobs wait as before" in answer.data.decode()
    eventually(lambda: world.plex.item(item.rating_key).title == "Tried at once")
    assert send(browser, "/outages/radio/try").status == 422
