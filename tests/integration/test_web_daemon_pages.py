"""The pages about the daemon itself over real HTTP: what it does and did, its log, its settings."""

from __future__ import annotations

import html
import logging
import re
from typing import TYPE_CHECKING

import pytest
from page_reading import SCRIPT, page, send, words_of
from sync_world import TOKEN, eventually
from web_world import KEY, Browser, WebWorld

from scenesync.app.configuration.model import KEYS
from scenesync.app.running import duties
from scenesync.web.pages import log as log_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.installation import Installation

pytestmark = pytest.mark.integration

LOG = logging.getLogger("scenesync.invented")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    with WebWorld(tmp_path_factory.mktemp("daemon pages") / "data") as world:
        yield world


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture(scope="module")
def browser(world: WebWorld) -> Browser:
    return world.log_in()


def row(text: str, title: str) -> str:
    """The words of the entry of a list that names ``title``, the first one."""
    entries = re.findall(r"<li>.*?</li>", text, re.DOTALL)
    return next(words_of(each) for each in entries if title in each)


@pytest.mark.parametrize("path", ["/tasks", "/log", "/settings"])
def test_the_navigation_leads_there(browser: Browser, path: str) -> None:
    assert f'href="{path}" aria-current="page"' in page(browser, path)


class TestTasks:
    def test_a_routine_says_how_often_it_runs_and_what_came_of_it_once_it_ran(self, browser: Browser) -> None:
        assert "every hour" in row(page(browser, "/tasks"), "Drop what is too old")
        answer = send(browser, "/tasks/routines/housekeeping/run")
        assert answer.status == 200
        assert answer.headers["HX-Trigger"] == "tasks-changed"
        assert "Begun: Drop what is too old to be kept." in answer.data.decode()
        eventually(
            lambda: re.search(r"done \d+ s ago in [\d.]+ s", row(page(browser, "/parts/tasks"), "Drop what is too old"))
        )
        assert "every day" in row(page(browser, "/tasks"), "Compare both libraries and mend gaps")
        assert send(browser, "/tasks/routines/nothing/run").status == 404

    def test_a_routine_that_failed_says_why(self, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Installation) -> None:
            raise OSError(f"no room on the pier {SCRIPT}")

        monkeypatch.setattr(duties, "tidy", fail)
        send(browser, "/tasks/routines/housekeeping/run")
        eventually(lambda: "no room on the pier" in row(page(browser, "/parts/tasks"), "Drop what is too old"))
        assert "failed 0 s ago" in row(page(browser, "/tasks"), "Drop what is too old")

    @pytest.mark.parametrize(
        ("form", "title", "words"),
        [
            ({"kind": "doctor"}, "Check everything", "checks:"),
            ({"kind": "coverage"}, "Compare both libraries<", "compared. Class by class"),
            ({"kind": "backup"}, "Back up state and queue", "Written to"),
            ({"kind": "notify_test"}, "Send a test message", "Neither notify_urls nor notify_webhook_url is set."),
            (
                {"kind": "reconcile", "scope": "all", "dry_run": "on"},
                "<strong>Compare both libraries and",
                "was queued",
            ),
        ],
        ids=lambda value: value.get("kind") if isinstance(value, dict) else "",
    )
    def test_work_is_begun_and_its_result_can_be_read(
        self, world: WebWorld, browser: Browser, form: dict[str, str], title: str, words: str
    ) -> None:
        assert "Begun: " in send(browser, "/tasks", **form).data.decode()
        eventually(lambda: not any(task["state"] == "running" for task in world.get("/tasks")))
        ended = page(browser, "/tasks").partition('id="ended-title"')[2]
        assert words in row(ended, title)

    def test_work_that_means_nothing_is_refused(self, browser: Browser) -> None:
        for form in ({"kind": "nothing"}, {}, {"kind": "reconcile", "scope": "1y"}):
            assert send(browser, "/tasks", **form).status == 422

    def test_running_work_shows_how_far_it_is_and_is_cancelled(self, world: WebWorld, browser: Browser) -> None:
        scene_id, _ = world.pair("cancelled", title=f"Cancelled {SCRIPT}")
        world.synced(scene_id)
        world.stash.save(scene_id, title="Cancelled once more")
        with world.plex.paused_on_write() as pause:
            task = world.post("/sync", {"scene_ids": [scene_id]}, 202)
            assert pause.arrived.wait(15)
            text = page(browser, "/tasks")
            assert 'aria-labelledby="running-title"' in text
            assert f'id="cancel-{task["id"]}"' in text
            assert send(browser, f"/api/v1/tasks/{task['id']}/cancel").status == 200
            eventually(lambda: world.get(f"/tasks/{task['id']}")["state"] == "cancelled")
        text = page(browser, "/tasks")
        assert 'aria-labelledby="running-title"' not in text
        assert "cancelled 0 s ago" in row(text, "Sync scenes")
        assert "What it had done stays done." in row(text, "Sync scenes")

    def test_work_that_failed_says_why(self, world: WebWorld, browser: Browser) -> None:
        world.plex.stop()
        try:
            send(browser, "/tasks", kind="coverage")
            eventually(lambda: not any(task["state"] == "running" for task in world.get("/tasks")))
        finally:
            world.plex.start()
        assert re.search(r"failed .*Plex", row(page(browser, "/tasks"), "<strong>Compare both libraries</strong>"))


class TestLog:
    def lines(self, text: str) -> list[str]:
        shown = text.partition("<template")[0]
        return [html.unescape(each) for each in re.findall(r'<span class="words">(.*?)</span>', shown, re.DOTALL)]

    def test_lines_are_shown_by_scene_and_level_the_latest_first_without_secrets(self, browser: Browser) -> None:
        LOG.info("synced scene=4711 title=%s", SCRIPT)
        LOG.warning("retry scene=4711 with %s", KEY)
        LOG.error("gave up scene=4712")
        about = page(browser, "/log?scene_id=4711&level=")
        assert self.lines(about) == ["retry scene=4711 with ***", f"synced scene=4711 title={SCRIPT}"]
        assert about.count('href="/scenes/4711">Scene 4711<') == 2
        assert self.lines(page(browser, "/log?scene_id=4711&level=warning")) == ["retry scene=4711 with ***"]
        assert self.lines(page(browser, "/parts/log?level=error&scene_id=")) == ["gave up scene=4712"]
        assert "No line of this level about scene 4711." in words_of(page(browser, "/log?scene_id=4711&level=error"))

    def test_a_traceback_can_be_unfolded(self, browser: Browser) -> None:
        LOG.error("a request failed scene=4713", exc_info=LookupError("a tide table"))
        text = page(browser, "/log?scene_id=4713")
        assert "LookupError: a tide table" in text.partition("<template")[0]

    def test_older_lines_are_read_page_by_page_and_are_not_live(
        self, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log_page, "LINES_A_PAGE", 2)
        for number in range(3):
            LOG.warning("line %d scene=4714", number)
        first = page(browser, "/log?scene_id=4714&level=warning")
        assert self.lines(first) == ["line 2 scene=4714", "line 1 scene=4714"]
        assert 'data-kinds="log"' in first
        assert 'hx-get="/parts/log?level=warning&amp;scene_id=4714"' in first
        following = re.search(r'rel="next" href="([^"]+)"', first)
        assert following is not None
        older = page(browser, html.unescape(following.group(1)))
        assert self.lines(older) == ["line 0 scene=4714"]
        assert 'data-kinds=""' in older
        assert 'id="pause"' not in older
        assert 'href="/log?level=warning&amp;scene_id=4714">Latest lines<' in older

    def test_a_page_says_up_to_which_line_it_tells_so_that_it_can_go_on_from_there(
        self, world: WebWorld, browser: Browser
    ) -> None:
        LOG.error("the newest scene=4715")
        [newest] = world.get("/log", scene_id=4715)["items"]
        text = page(browser, "/parts/log?scene_id=4716")
        assert f'data-newest="{newest["number"]}"' in text

    @pytest.mark.parametrize(
        "wrong", ["level=loud", "scene_id=harbour", "scene_id=0", f"scene_id={2**63}", "cursor=x", "cursor=1.5"]
    )
    def test_what_means_nothing_is_refused(self, browser: Browser, wrong: str) -> None:
        assert browser.open(f"/log?{wrong}").status == 422


class TestSettings:
    def test_every_setting_is_there_with_its_meaning_and_no_secret(self, browser: Browser) -> None:
        text = page(browser, "/settings")
        assert [key for key in KEYS if f'<div id="{key}">' not in text] == []
        for secret in (TOKEN, KEY):
            assert secret not in text
        token = words_of(text.partition('<div id="plex_token">')[2].partition("</div>")[0])
        assert token == (
            "plex_token *** The Plex server's access token. Required by commands that talk to Plex. The default "
            "Must be text without blanks. SCENESYNC_PLEX_TOKEN"
        )

    def test_one_that_somebody_set_says_where_and_what_would_be_without(
        self, world: WebWorld, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk = world.dashboard.desk
        settings = world.settings(workers=7, tag_exclude=(f"To do {SCRIPT}",))
        loaded = world.loaded()
        origins = {**loaded.origins, "workers": "environment SCENESYNC_WORKERS", "tag_exclude": "file /etc/x.toml"}
        monkeypatch.setattr(desk, "loaded", type(loaded)(settings, origins, (), loaded.files))
        text = page(browser, "/settings?which=set")
        assert re.findall(r'<div id="(\w+)">', text) == ["workers", "tag_exclude"]
        workers = words_of(text.partition('<div id="workers">')[2].partition("</div>")[0])
        assert workers.startswith("workers 7 The most scenes that are worked on at once.")
        assert "From environment SCENESYNC_WORKERS; the default is 4" in workers
        assert f"<code>To do {SCRIPT}</code>" in html.unescape(text)

    def test_settings_are_found_by_name_and_meaning(self, browser: Browser) -> None:
        assert re.findall(r'<div id="(\w+)">', page(browser, "/settings?q=Path+MAP")) == ["path_map"]
        assert "lock_fields" in re.findall(r'<div id="(\w+)">', page(browser, "/settings?q=lock"))
        assert "No setting has “viaduct” in its name" in words_of(page(browser, "/settings?q=viaduct"))
        for wrong in ("which=some", "q=%00", "q=" + "a" * 101):
            assert browser.open(f"/settings?{wrong}").status == 422

    def test_a_connection_is_tested_and_the_answer_can_be_read(self, browser: Browser) -> None:
        assert re.search(r"answers version .*token accepted, Scenes \(\d+ ms\)", said(browser, "plex"))
        assert re.search(r"answers version v0\.30\.1, \d+ scenes? \(", said(browser, "stash"))
        assert send(browser, "/settings/test/postman").status == 422

    def test_a_server_that_is_down_is_told_with_what_to_check(self, world: WebWorld, browser: Browser) -> None:
        world.plex.stop()
        try:
            found = said(browser, "plex")
        finally:
            world.plex.start()
        assert found.startswith("no connection ")
        assert found.endswith("Check plex_url and plex_token.")
        assert TOKEN not in found


def said(browser: Browser, service: str) -> str:
    answer = send(browser, f"/settings/test/{service}")
    assert answer.status == 200, answer.data
    return words_of(answer.data.decode())
