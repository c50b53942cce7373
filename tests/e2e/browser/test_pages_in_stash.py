"""The plugin's own pages inside Stash, in a browser: React as Stash has it, a real plugin, a real daemon behind it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from chromium import PHONE, WIDE, Chromium
from live_world import LOCKED, eventually
from plugin_world import PluginWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.simulators.stash.records import Scene

pytestmark = pytest.mark.e2e

STAND_IN: Final = Path(__file__).parent / "stash_page"
SCRIPTS: Final = ("react.production.min.js", "react-dom.production.min.js", "plugin_api.js")
LOG_IN: Final = """
const done = arguments[2];
const body = new URLSearchParams({ username: arguments[0], password: arguments[1] });
fetch("/login", { method: "POST", body }).then(done);
"""
LOAD_PLUGIN: Final = """
const done = arguments[0];
// As Stash's theme has them.
const theme = "body { background: #202b33; color: #f5f8fa } a { color: #48aff0 }";
document.head.append(
  Object.assign(document.createElement("style"), { textContent: theme }),
  Object.assign(document.createElement("meta"), { name: "viewport", content: "width=device-width, initial-scale=1" }));
document.documentElement.lang = "en";
const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/plugin/scenesync/css" });
const script = Object.assign(document.createElement("script"), { src: "/plugin/scenesync/javascript" });
script.onload = () => { showStash(); done(); };
document.head.append(style, script);
"""
OPERATE: Final = 'mutation($args: Map) { runPluginOperation(plugin_id: "scenesync", args: $args) }'


class StashInBrowser:
    """Stash's page as somebody who is logged in sees it, with the plugin's scripts in it."""

    def __init__(self, world: PluginWorld, browser: Chromium) -> None:
        self.world = world
        self.browser = browser
        self.known = world.add_scene("Harbour at dawn", details="Boats leave before the town wakes.")
        self.lost = world.add_scene("Night train", in_plex=False)
        browser.base = world.stash.url
        browser.open("/")
        browser.driver.execute_async_script(LOG_IN, LOCKED.username, LOCKED.password)
        browser.complaints()  # until then, its icon was refused

    def visit(self, path: str) -> Chromium:
        self.browser.open(path)
        for name in SCRIPTS:
            self.browser.script((STAND_IN / name).read_text(encoding="utf-8"))
        self.browser.driver.execute_async_script(LOAD_PLUGIN)
        return self.browser

    def visit_scene(self, scene: Scene) -> Chromium:
        return self.visit(f"/scenes/{scene.id}")

    def operate(self, **arguments: object) -> Any:
        return self.world.ask(OPERATE, {"args": arguments})["runPluginOperation"]

    def questions(self) -> int:
        """How often the plugin was asked for anything."""
        return self.world.stash.operations()["runPluginOperation"]

    def start(self) -> None:
        self.world.task("Start the daemon")
        eventually(lambda: self.state_of(self.known) == "in_sync", "the first scene in sync")

    def state_of(self, scene: Scene) -> str:
        return str(self.operate(mode="ui-scene", scene_id=str(scene.id))["state"])


@pytest.fixture(scope="module")
def running(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StashInBrowser]:
    if sys.platform != "linux":
        pytest.skip("looks for the daemon in /proc")
    with PluginWorld(tmp_path_factory.mktemp("stash")) as world:
        world.configure(http_host="0.0.0.0", http_port=59988, http_api_key="fake-http-key-0123456789")  # noqa: S104
        try:
            stash = StashInBrowser(world, chromium)
            stash.start()
            yield stash
        finally:
            world.kill_daemon()


@pytest.fixture
def stash(running: StashInBrowser) -> Iterator[StashInBrowser]:
    """A Stash whose SceneSync runs; afterwards nothing may have gone wrong in the browser, or gone elsewhere."""
    yield running
    assert running.browser.complaints() == []
    assert running.browser.hosts() == {running.world.stash.url.removeprefix("http://")}


def test_the_tab_of_a_scene_says_how_it_stands_and_leads_to_plex(stash: StashInBrowser) -> None:
    page = stash.visit_scene(stash.known)
    page.shows("Plex in sync", "[role=tablist]")
    page.press("Plex")
    page.shows("in sync for")
    page.shows("Plex showed what Stash knows when it was last looked at.")
    item = stash.world.item_of(stash.known)
    links = page.script("return [...document.querySelectorAll('main a.btn')].map((each) => each.href)")
    assert f"{stash.world.plex.url}/web/index.html#!/server/{stash.world.plex.machine_identifier}" in links[0]
    assert links[0].endswith(f"/details?key=%2Flibrary%2Fmetadata%2F{item.rating_key}")
    assert links[1] == f"http://127.0.0.1:59988/scenes/{stash.known.id}"
    assert page.barriers() == []

    page = stash.visit_scene(stash.lost)
    page.shows("Plex not in Plex", "[role=tablist]")
    page.press("Plex")
    page.shows("No item of Plex has this file yet; SceneSync tries again by itself.")


def test_sync_now_syncs_the_scene_and_the_tab_follows(stash: StashInBrowser) -> None:
    page = stash.visit_scene(stash.known)
    page.press("Plex")
    before = stash.operate(mode="ui-status")["completed_total"]
    page.press("Sync now")
    page.shows("Queued before all other work.")
    eventually(lambda: stash.operate(mode="ui-status")["completed_total"] > before, "one more done")
    page.shows("Plex in sync", "[role=tablist]")

    stash.world.stash.save(stash.known, details="Boats leave at six.")
    page.script("window.stashUpdatedAt = 'later'; showStash()")  # as Stash's page does when it has saved
    eventually(lambda: stash.world.item_of(stash.known).summary == "Boats leave at six.", "the change in Plex")
    page.shows("Plex in sync", "[role=tablist]")


def test_the_status_page_is_found_under_tools_fits_a_phone_and_leads_to_scenes(stash: StashInBrowser) -> None:
    page = stash.visit("/settings")
    page.press("SceneSync")
    assert page.path == "/plugins/scenesync"
    page.shows("1 scene waits for Plex to scan its file.")
    page.shows("Plex up Stash up")
    page.shows("1 in sync")
    page.shows("Harbour at dawn synced")
    assert page.barriers() == []
    page.looks_like(PHONE, "dark")
    assert page.sticks_out() == []
    page.looks_like(WIDE, "light")
    page.press("Harbour at dawn")
    page.shows("Details of the scene")
    assert page.path == f"/scenes/{stash.known.id}"


def test_while_scenesync_does_not_run_the_tab_is_silent_and_the_page_offers_to_start_it(stash: StashInBrowser) -> None:
    stash.world.task("Stop the daemon")
    assert stash.operate(mode="ui-scene", scene_id=str(stash.known.id))["running"] is False
    asked = stash.questions()
    page = stash.visit_scene(stash.known)
    eventually(lambda: stash.questions() > asked, "the plugin was asked")
    page.shows("Details of the scene")
    assert page.text("[role=tablist]") == "Details"
    page = stash.visit("/plugins/scenesync")
    page.shows("SceneSync is not running. 1 change is kept until it does.")
    page.press("Start SceneSync")
    page.shows("1 scene waits for Plex to scan its file.")
    assert stash.world.daemon_pid() is not None


def test_a_plugin_that_cannot_answer_is_silent_too(stash: StashInBrowser) -> None:
    stash.world.stash.fail_next(graphql_error="something broke", operation="runPluginOperation")
    asked = stash.questions()
    page = stash.visit_scene(stash.known)
    eventually(lambda: stash.questions() > asked, "the plugin was asked")
    page.shows("Details of the scene")
    assert page.text("[role=tablist]") == "Details"
    assert page.barriers() == []
