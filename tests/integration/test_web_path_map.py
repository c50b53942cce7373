"""Writing the proposed path map to the settings file from the page about coverage, and putting the old one back."""

from __future__ import annotations

import html
import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from page_reading import page, send, words_of
from sync_world import PLEX_ROOT, STASH_ROOT
from web_world import Browser, WebWorld

from scenesync.app.configuration.values import path_rules
from scenesync.app.dashboard.path_maps import WrittenPathMaps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

WRONG, RIGHT = "/data => /media", f"{STASH_ROOT} => {PLEX_ROOT}"
BEFORE = f'# ours\nworkers = 2  # enough\npath_map = ["{WRONG}"]\n'


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    with WebWorld(tmp_path_factory.mktemp("path map") / "data", path_map=path_rules([WRONG])) as world:
        for number in range(12):
            world.pair(f"film number {number}")
        world.finished(world.post("/tasks", {"kind": "doctor"}, 202))
        yield world


@pytest.fixture
def world(shared: WebWorld, monkeypatch: pytest.MonkeyPatch) -> WebWorld:
    """Return the household with its first settings file, in which nothing was written from the page yet."""
    file_of(shared).write_text(BEFORE, encoding="utf-8")
    shared.dashboard._path_maps._keep(None)
    monkeypatch.setattr(shared.dashboard.desk, "loaded", shared.loaded())
    return shared


@pytest.fixture
def browser(world: WebWorld) -> Browser:
    return world.log_in()


def file_of(world: WebWorld) -> Path:
    return world.data_dir / "scenesync.toml"


def rules_in_file(world: WebWorld) -> Any:
    return tomllib.loads(file_of(world).read_text(encoding="utf-8")).get("path_map")


def take_over(world: WebWorld, *rules: str) -> None:
    """Let the daemon's next round begin with these rules, as its watch over the settings does."""
    desk = world.dashboard.desk
    desk.loaded = replace(desk.loaded, settings=world.settings(**{**world.changes, "path_map": path_rules(rules)}))


def offered(text: str, button: str) -> str:
    """The rules that a button would write."""
    found = re.search(rf'name="rules" value="([^"]*)">\s*<button type="submit"[^>]*>{button}<', text)
    assert found is not None, text
    return html.unescape(found.group(1))


def test_the_proposal_is_written_shown_until_it_is_in_force_and_the_old_one_put_back(
    world: WebWorld, browser: Browser
) -> None:
    text = page(browser, "/coverage")
    assert f"In force: {WRONG} Proposed: {RIGHT}" in words_of(text)
    assert "hx-confirm" in text

    answer = send(browser, "/coverage/map", rules=offered(text, "Write it to the settings file"))
    assert answer.status == 200, answer.data
    assert file_of(world).read_text(encoding="utf-8").startswith("# ours\nworkers = 2  # enough\n")
    assert rules_in_file(world) == [RIGHT]
    text = answer.data.decode()
    assert "Written, and not yet in force." in text
    assert "takes it over by itself within seconds" in text
    assert f"Before: {WRONG}" in words_of(text)
    assert 'hx-trigger="every 2s"' in text

    take_over(world, RIGHT)
    text = page(browser, "/parts/coverage/map")
    assert "Written, and in force." in text
    assert 'hx-trigger="every 2s"' not in text
    assert "look at it anew" in text

    answer = send(browser, "/coverage/map", rules=offered(text, "Put the one before back"))
    assert answer.status == 200, answer.data
    assert rules_in_file(world) == [WRONG]
    assert f"Before: {RIGHT}" in words_of(answer.data.decode())


def test_what_was_there_before_is_remembered_when_the_daemon_begins_anew(world: WebWorld) -> None:
    world.post("/path-map", {"rules": [RIGHT]})
    take_over(world, RIGHT)
    later = WrittenPathMaps(world.dashboard.desk, world.dashboard.standing.checks).show()
    assert later.latest is not None
    assert (later.latest.before, later.latest.after) == ([WRONG], [RIGHT])


def test_rules_that_nobody_was_shown_are_not_written(world: WebWorld, browser: Browser) -> None:
    refused = send(browser, "/coverage/map", rules=f"{RIGHT}\n/else => /where")
    assert refused.status == 409
    assert "Another path map is proposed by now" in refused.json()["detail"]
    assert send(browser, "/coverage/map").status == 409
    assert file_of(world).read_text(encoding="utf-8") == BEFORE
    assert world.get("/path-map")["latest"] is None


def test_what_wins_over_the_file_is_told_and_nothing_is_written_below_it(world: WebWorld, browser: Browser) -> None:
    desk = world.dashboard.desk
    desk.loaded = replace(desk.loaded, origins={**desk.loaded.origins, "path_map": "environment SCENESYNC_PATH_MAP"})
    text = page(browser, "/coverage")
    assert "It is set by environment SCENESYNC_PATH_MAP, which wins over" in words_of(text)
    assert "Write it to the settings file" not in text
    answer = world.ask("POST", "/api/v1/path-map", document={"rules": [RIGHT]})
    assert (answer.status, answer.json()["type"]) == (409, "urn:scenesync:problem:set-elsewhere")
    assert file_of(world).read_text(encoding="utf-8") == BEFORE


def test_a_file_that_cannot_be_changed_safely_stays_and_says_why(world: WebWorld, browser: Browser) -> None:
    file_of(world).write_text("workers = two\n", encoding="utf-8")
    refused = send(browser, "/coverage/map", rules=RIGHT)
    assert refused.status == 409
    assert refused.json()["detail"].startswith("Not written: ")
    assert file_of(world).read_text(encoding="utf-8") == "workers = two\n"
    assert world.get("/path-map")["latest"] is None
    assert "Proposed:" in page(browser, "/coverage")


def test_a_change_by_hand_afterwards_ends_the_offer_to_put_the_old_one_back(world: WebWorld, browser: Browser) -> None:
    world.post("/path-map", {"rules": [RIGHT]})
    file_of(world).write_text('path_map = ["/data => /volume1"]\n', encoding="utf-8")
    take_over(world, "/data => /volume1")
    shown = world.get("/path-map")
    assert (shown["in_force"], shown["latest"], shown["proposed"]) == (["/data => /volume1"], None, [RIGHT])
    assert "Put the one before back" not in page(browser, "/coverage")


def test_where_no_map_stood_before_none_is_put_back(world: WebWorld) -> None:
    file_of(world).unlink()
    take_over(world)
    world.post("/path-map", {"rules": [RIGHT]})
    assert rules_in_file(world) == [RIGHT]
    world.post("/path-map", {"rules": []})
    assert rules_in_file(world) == []
