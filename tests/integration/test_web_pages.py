"""The dashboard's pages over real HTTP, on real stores, before both simulated servers."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from page_reading import SCRIPT, led_to, page, send, words_of
from sync_world import eventually
from web_world import Browser, WebWorld

from scenesync.web.pages import scenes as scene_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    with WebWorld(tmp_path_factory.mktemp("pages") / "data") as world:
        yield world


@pytest.fixture(scope="module")
def browser(world: WebWorld) -> Browser:
    return world.log_in()


def ended(world: WebWorld, path: str) -> str:
    """Wait until the task that an address names has ended; return what became of it."""
    task_id = re.search(r"\d{8}T\d{6}-[0-9a-f]+$", path)
    assert task_id is not None
    return str(world.finished({"id": task_id.group()})["state"])


def test_pages_say_what_to_do_while_there_is_nothing_yet(tmp_path_factory: pytest.TempPathFactory) -> None:
    with WebWorld(tmp_path_factory.mktemp("empty") / "data") as world:
        browser = world.log_in()
        assert "Nothing was synced yet" in page(browser, "/")
        assert "No scene is known yet." in page(browser, "/scenes")
        assert "None yet." in page(browser, "/plan")
        assert "Compare both libraries" in page(browser, "/coverage")
        assert "SceneSync has not met this scene" in page(browser, "/scenes/4711")
        missing = page(browser, "/parts/scenes/4711/compared")
        assert "Stash has no scene 4711." in missing
        assert '<div id="actions" hx-swap-oob="true">' in missing  # takes the place of what was offered before
        assert "Sync now" not in missing
        assert "Open in Stash" not in missing
        for path in ("/scenes/abc", "/scenes/99999999999999999999999", "/nosuch"):
            answer = browser.open(path, Accept="text/html")
            assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (404, "text/html"), path
        answer = browser.open(f"/scenes?q={'a' * 201}", Accept="text/html")
        assert (answer.status, "means nothing here" in answer.data.decode()) == (422, True)


def test_the_overview_shows_the_sentence_the_latest_scene_and_what_fails_with_its_cure(
    world: WebWorld, browser: Browser
) -> None:
    scene_id, _ = world.pair("overview", title="Overview at noon")
    world.synced(scene_id)
    world.finished(world.post("/tasks", {"kind": "doctor"}, 202))
    failing = next(check for check in world.get("/checks")["checks"] if check["verdict"] != "ok")
    text = page(browser, "/")
    assert html.escape(world.get("/status")["sentence"], quote=False) in text
    assert f'href="/scenes/{scene_id}"' in text
    assert failing["cure"].splitlines()[0].replace("`", "") in words_of(text).replace(" .", ".")
    assert "attempts, at most" in words_of(text) or "1 attempt, at most" in words_of(text)


def test_a_scene_is_shown_from_both_sides_with_its_timeline(world: WebWorld, browser: Browser) -> None:
    scene_id, item = world.pair("sides", title=SCRIPT, details="A quiet evening.")
    world.synced(scene_id)
    eventually(lambda: "Written: " in page(browser, f"/scenes/{scene_id}"))  # Plex may have to list the file first
    text = page(browser, f"/scenes/{scene_id}")
    assert f'data-scene="{scene_id}"' in text
    assert f"{world.stash.url}/scenes/{scene_id}" in text
    assert "&lt;script&gt;" in text
    compared = page(browser, f"/parts/scenes/{scene_id}/compared")
    assert "This scene is in sync." in words_of(compared)
    assert f"item {item.rating_key}" in compared

    world.stash.save(scene_id, title="Another evening")
    compared = page(browser, f"/parts/scenes/{scene_id}/compared")
    assert "This scene differs in title, sort title." in words_of(compared)
    assert "<ins>Another evening</ins>" in compared


def test_scenes_are_found_by_title_and_state_and_read_page_by_page(
    world: WebWorld, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene_pages, "SCENES_A_PAGE", 2)
    known = [world.pair(f"listed {number}", title=f"Aqueduct {number} {SCRIPT}")[0] for number in range(3)]
    lost, _, _ = world.scene("listed nowhere", title="Aqueduct unseen")
    world.synced(*known, lost)
    eventually(lambda: world.get("/scenes", state="in_sync", search="aqueduct", limit=9)["items"][2:] != [])
    first = page(browser, "/scenes?state=in_sync&q=AQUEDUCT")
    assert "Aqueduct 0" in first
    assert "Aqueduct 2" not in first
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    rest = page(browser, html.unescape(following.group(1)))
    assert "Aqueduct 2" in rest
    assert 'rel="next"' not in rest
    assert "Aqueduct unseen" in page(browser, "/scenes?state=waiting&q=aqueduct")
    assert "has “viaduct” in its title or path" in page(browser, "/scenes?q=viaduct")
    assert f"Aqueduct 0 {SCRIPT}" in html.unescape(page(browser, f"/scenes/{known[0]}"))
    eventually(lambda: 'href="/scenes?state=in_sync"' in page(browser, "/"))
    for wrong in ("state=nothing", "cursor=x", "q=" + "a" * 201, "q=%00"):
        assert browser.open(f"/scenes?{wrong}").status == 422


def test_sync_now_writes_and_undo_takes_back_and_holds(world: WebWorld, browser: Browser) -> None:
    scene_id, item = world.pair("buttons", title="Buttons at noon")
    answer = send(browser, f"/scenes/{scene_id}/sync")
    assert answer.headers["HX-Trigger"] == "scene-changed"
    assert "Queued before all other work." in answer.data.decode()
    eventually(lambda: world.plex.item(item.rating_key).title == "Buttons at noon")
    eventually(lambda: "Undo…" in page(browser, f"/scenes/{scene_id}"))

    path = led_to(send(browser, f"/scenes/{scene_id}/undo"))
    assert ended(world, path) == "done"
    text = page(browser, path)
    assert "Held since it was undone" in text
    assert "Taken back: " in text
    assert world.plex.item(item.rating_key).title != "Buttons at noon"
    assert send(browser, f"/scenes/{scene_id}/sync").status == 200
    eventually(lambda: world.plex.item(item.rating_key).title == "Buttons at noon")


def test_one_of_several_candidates_is_pinned_and_unpinned(world: WebWorld, browser: Browser) -> None:
    scene_id, _, size = world.scene("candidate", title="Candidate")
    items = [
        world.plex.add_item(world.library, file=f"/mnt/media/{at}/candidate.mp4", size_bytes=size, duration_ms=60_000)
        for at in ("one", "two")
    ]
    world.synced(scene_id)
    compared = page(browser, f"/parts/scenes/{scene_id}/compared")
    for item, at in zip(items, ("one", "two"), strict=True):
        assert f"/mnt/media/{at}/candidate.mp4" in compared
        assert f"Pin item {item.rating_key}" in compared
    wrong = send(browser, f"/scenes/{scene_id}/pin", rating_key="../1")
    assert wrong.status == 422
    assert "rating key" in wrong.json()["detail"]
    assert send(browser, f"/scenes/{scene_id}/pin", rating_key=str(items[1].rating_key)).status == 200
    eventually(lambda: world.plex.item(items[1].rating_key).title == "Candidate")
    assert "by a person's pin" in words_of(page(browser, f"/parts/scenes/{scene_id}/compared"))
    assert "The pin is off" in send(browser, f"/scenes/{scene_id}/unpin").data.decode()
    assert "Which of these is it?" in page(browser, f"/parts/scenes/{scene_id}/compared")


def test_a_plan_is_made_read_and_applied(world: WebWorld, browser: Browser) -> None:
    scenes = [world.pair(f"planned {number}", title=f"Planned {number} {SCRIPT}")[0] for number in range(2)]
    nowhere, _, _ = world.scene("nowhere at all", title="Nowhere")
    refused = send(browser, "/plan", which="ids", ids="all of them")
    assert refused.status == 422
    assert "numbers in Stash" in refused.json()["detail"]

    path = led_to(send(browser, "/plan", which="ids", ids=f"{scenes[0]}, {scenes[1]} {nowhere}"))
    assert ended(world, path) == "done"
    text = page(browser, path)
    assert "Apply the plan: 2 scenes" in text
    assert f"Planned 0 {SCRIPT}" in html.unescape(text)
    assert "hx-confirm" in text
    assert "Nowhere" in page(browser, f"{path}?verdict=unmatched")
    assert html.unescape(page(browser, "/plan")).count(f'href="{path}"') == 1

    applied = led_to(send(browser, f"{path}/apply"))
    assert ended(world, applied) == "done"
    carried_out = page(browser, applied)
    assert "done" in words_of(carried_out)
    assert "Carried out" in words_of(carried_out)
    assert "Apply the plan" not in carried_out
    assert {world.get(f"/scenes/{each}")["verdict"] for each in scenes} == {"is in sync."}


def test_a_part_that_shows_progress_has_the_page_loaded_anew_at_the_end(world: WebWorld, browser: Browser) -> None:
    scene_id, _ = world.pair("progress", title="Progress")
    world.synced(scene_id)
    eventually(lambda: "Written: " in page(browser, f"/scenes/{scene_id}"))
    world.stash.save(scene_id, title="Progress made")
    with world.plex.paused_on_write() as pause:
        task = world.post("/sync", {"scene_ids": [scene_id]}, 202)
        assert pause.arrived.wait(15)
        running = browser.open(f"/parts/progress/{task['id']}")
        assert "HX-Refresh" not in running.headers
        assert f"/api/v1/tasks/{task['id']}/cancel" in running.data.decode()
        assert "Running now" in page(browser, "/")
    world.finished(task)
    assert browser.open(f"/parts/progress/{task['id']}").headers["HX-Refresh"] == "true"
    assert browser.open("/parts/progress/none").status == 404


def test_coverage_shows_both_sides_and_what_to_do(world: WebWorld, browser: Browser) -> None:
    world.item("Films/unknown to stash.mp4", 4_711)
    for kind in ("coverage", "doctor"):
        path = led_to(send(browser, "/coverage", kind=kind))
        assert ended(world, path) == "done"
    text = words_of(page(browser, path))
    assert "not in Stash" in text
    assert "Let Stash scan the folder" in text
    assert "by path" in text
    assert send(browser, "/coverage", kind="nothing").status == 422


def test_while_plex_is_down_pages_show_what_is_known(world: WebWorld, browser: Browser) -> None:
    scene_id, item = world.pair("down", title="Down at noon")
    world.synced(scene_id)
    eventually(lambda: "Written: " in page(browser, f"/scenes/{scene_id}"))
    world.plex.stop()
    try:
        assert "Written: " in page(browser, f"/scenes/{scene_id}")
        part = f"/parts/scenes/{scene_id}/compared"
        # Noted a moment after the item was written.
        eventually(lambda: "Rule by the file's path, as found" in words_of(page(browser, part)))
        compared = words_of(page(browser, part))
        assert "cannot be judged, since Plex cannot be asked" in compared
        assert "What Stash has for Plex Title Down at noon" in compared
        assert "In Plex, as last seen" in compared
        assert f"item {item.rating_key}" in compared
        assert "Rule by the file's path, as found" in compared
        assert "no rule found it" not in compared
        for path in ("/", "/scenes", "/plan", "/coverage"):
            page(browser, path)
    finally:
        world.plex.start()
