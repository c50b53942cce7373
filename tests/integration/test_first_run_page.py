"""The first-run page over real HTTP: who gets in, every step, and nothing written before the plan was seen."""

from __future__ import annotations

import io
import json
import logging
import re
import stat
import threading
import tomllib
from typing import TYPE_CHECKING, Any, Self

import pytest
import urllib3
from page_browser import FORM, PageBrowser, words_of
from pydantic import SecretStr
from setup_world import SetUpWorld
from sync_world import PLEX_ROOT, STASH_ROOT, TOKEN, eventually

from scenesync.app.cli import run_cli
from scenesync.app.context import AppContext
from scenesync.app.settings import LoadedSettings, Settings, SettingsError
from scenesync.app.setup.first_run import lets_in_by_code, serve_until_set_up
from scenesync.app.setup.first_run_desk import FirstRunDesk
from scenesync.simulators.plex import faults
from scenesync.simulators.plex_tv import connection
from scenesync.web.guard import one_time_code
from scenesync.web.guard.keys import Keys
from scenesync.web.guard.one_time_code import OneTimeCode
from scenesync.web.pages.login import MOST_FIELDS
from scenesync.web.problems import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

_LOGGER = logging.getLogger("scenesync.app.setup.first_run")


class FirstRunWorld(SetUpWorld):
    """What `run` does without settings, in a thread."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.environment(HTTP_ENABLED="true", HTTP_PORT="0")
        self.result: LoadedSettings | None = None
        self._stop = threading.Event()
        self._lines = _Lines()
        self._thread = threading.Thread(target=self._serve)
        return self

    def begin(self) -> PageBrowser:
        _LOGGER.addHandler(self._lines)
        self._thread.start()
        eventually(lambda: bool(self._lines.found(r"Set it up at")))
        return PageBrowser(self._lines.found(r"at (http://\S+)/setup"))

    @property
    def code(self) -> str:
        return self._lines.found(r"one-time code (\S+?),")

    @property
    def newer_codes(self) -> list[str]:
        return re.findall(r"the new one is (\S+)", "\n".join(self._lines.lines))

    def __exit__(self, *exc: object) -> None:
        _LOGGER.removeHandler(self._lines)
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(20)
        super().__exit__(*exc)

    def stop(self) -> None:
        self._stop.set()

    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def _serve(self) -> None:
        app = AppContext()

        def reload() -> LoadedSettings | None:
            return app.load() if self.toml.exists() else None

        self.result = serve_until_set_up(app, app.load(), reload, self._stop)


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def found(self, pattern: str) -> str:
        found = re.search(pattern, "\n".join(self.lines))
        return "" if found is None else found[found.lastindex or 0]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FirstRunWorld]:
    with FirstRunWorld(tmp_path / "data", monkeypatch) as built:
        yield built


@pytest.fixture
def browser(home: FirstRunWorld) -> PageBrowser:
    found = home.begin()
    assert found.log_in(home.code).status == 303
    return found


def to_the_plan(home: FirstRunWorld, browser: PageBrowser) -> None:
    assert browser.send("stash", url=home.stash.url, key="").status == 200
    assert browser.send("plex", url=home.plex.url, token=TOKEN).status == 200
    assert browser.send("libraries", which="all").status == 200
    eventually(lambda: browser.step() == "Paths" and "Take them" in browser.words())
    assert f"{STASH_ROOT} => {PLEX_ROOT}" in browser.words()
    assert browser.send("paths", take="yes").status == 200
    eventually(lambda: "What would happen" in browser.words())


def test_step_by_step_to_the_plan_and_only_then_a_write(home: FirstRunWorld, browser: PageBrowser) -> None:
    assert browser.ask("GET", "/").headers["Location"] == "/setup"
    assert browser.step() == "Stash"
    to_the_plan(home, browser)

    shown = browser.words()
    assert "2 scenes to change" in shown
    assert "1 not in Plex" in shown
    assert "Harbour at dawn" in shown
    assert not home.toml.exists()
    assert home.writes() == []
    assert not home.is_over()

    browser.send("back", step="plan")  # made once more, by itself
    eventually(lambda: "What would happen" in browser.words())
    started = browser.send("start")
    assert (started.status, started.headers["HX-Redirect"]) == (204, "/setup")
    assert browser.ask("GET", "/setup").headers["Refresh"] == "6; url=/"
    eventually(home.is_over)
    assert home.result is not None
    assert home.result.settings.plex_url == home.plex.url
    written = tomllib.loads(home.toml.read_text())
    assert written["path_map"] == [f"{STASH_ROOT} => {PLEX_ROOT}"]
    assert written["plex_token"] == TOKEN
    assert stat.S_IMODE(home.toml.stat().st_mode) == 0o600
    assert home.writes() == []  # that is the daemon's, which begins now


def test_start_is_refused_before_the_plan(home: FirstRunWorld, browser: PageBrowser) -> None:
    assert browser.send("start").status == 409
    assert browser.send("paths", take="yes").status == 409
    assert browser.send("back", step="done").status == 422
    assert not home.toml.exists()


def test_no_secret_is_ever_shown_and_no_script_runs_but_ours(home: FirstRunWorld, browser: PageBrowser) -> None:
    script = "<script>alert('harbour')</script>"
    home.pair(title=script)
    pages = [browser.text()]
    to_the_plan(home, browser)
    browser.send("back", step="plex")
    pages += [browser.text(), browser.send("plex", url=home.plex.url, token="fake-other-token").data.decode()]
    for text in pages:
        assert TOKEN not in text
        assert "fake-other-token" not in text
        assert script not in text
        assert " style=" not in text
        assert not re.search(r"<script(?! src=)", text)
    assert "Plex does not accept this token" in words_of(pages[-1])


def test_what_does_not_answer_is_said_in_clear_words_and_asked_again(home: FirstRunWorld, browser: PageBrowser) -> None:
    said = words_of(browser.send("stash", url="http://127.0.0.1:9", key="").data.decode())
    assert "takes no connections. Is Stash running" in said
    assert 'value="http://127.0.0.1:9"' in browser.text()  # to be corrected, not typed again
    assert browser.step() == "Stash"
    said = words_of(browser.send("stash", url="harbour", key="").data.decode())
    assert "does not begin with http://" in said
    assert "command line" not in said
    browser.send("stash", url=home.stash.url, key="")
    said = words_of(browser.send("plex", url="http://127.0.0.1:9", token=TOKEN).data.decode())
    assert "cannot be reached" in said
    assert browser.step() == "Plex"


def test_signing_in_goes_on_by_itself_and_finds_the_server(home: FirstRunWorld, browser: PageBrowser) -> None:
    home.offer(connections=(connection("http://127.0.0.1:9"), connection(home.plex.url)))
    browser.send("stash", url=home.stash.url, key="")
    browser.send("sign-in")
    eventually(lambda: "Sign in at plex.tv" in browser.text())
    [pin] = home.plex_tv.pins.values()
    link = re.search(r'href="(https://app\.plex\.tv/[^"]+)"', browser.text())
    assert link is not None
    assert pin.code in link[1]
    assert browser.send("stash", url=home.stash.url).status == 409  # one thing at a time
    home.plex_tv.sign_in(pin.code)
    eventually(lambda: browser.step() == "Libraries")
    assert "Cellar" in browser.words()
    assert home.plex_tv.account_token not in browser.text()


def test_several_servers_are_there_to_choose_from_and_signing_in_can_be_cancelled(
    home: FirstRunWorld, browser: PageBrowser
) -> None:
    home.offer()
    home.offer("Attic", machine_identifier="attic", connections=(connection("http://127.0.0.1:9"),))
    browser.send("stash", url=home.stash.url, key="")
    browser.send("sign-in")
    eventually(lambda: "Sign in at plex.tv" in browser.text())
    assert "Begin to sign in" in words_of(browser.send("stop").data.decode())

    home.plex_tv.confirms_next = True
    browser.send("sign-in")
    eventually(lambda: "Which server?" in browser.words())
    said = words_of(browser.send("server", server="attic").data.decode())
    assert "Attic does not answer at any address" in said
    browser.send("server", server=home.plex.machine_identifier)
    assert browser.step() == "Libraries"


def test_a_plan_that_fails_can_be_made_again(home: FirstRunWorld, browser: PageBrowser) -> None:
    browser.send("stash", url=home.stash.url, key="")
    browser.send("plex", url=home.plex.url, token=TOKEN)
    assert browser.send("libraries", which="some").status == 422
    home.plex.fail_next(1, faults.status(500), only="list")
    browser.send("libraries", which="some", library_1="Scenes")
    eventually(lambda: "Plex answered 500" in browser.words())
    browser.send("again")
    eventually(lambda: "Take them" in browser.words())
    browser.send("paths", take="no")
    eventually(lambda: "What would happen" in browser.words())
    assert "the same on both sides" in browser.words()


def test_a_form_may_have_a_field_for_each_of_many_libraries_but_not_endless_ones(
    home: FirstRunWorld, browser: PageBrowser
) -> None:
    browser.send("stash", url=home.stash.url, key="")
    browser.send("plex", url=home.plex.url, token=TOKEN)
    endless = browser.send("libraries", **{f"field_{number}": "" for number in range(MOST_FIELDS + 1)})
    assert endless.status == 422
    assert f"at most {MOST_FIELDS} fields" in endless.json()["detail"]

    many = {f"library_{number}": "Scenes" for number in range(300)}
    assert browser.send("libraries", which="some", **many).status == 200
    eventually(lambda: browser.step() == "Paths")


def test_nobody_gets_in_without_the_code_and_it_is_good_for_one_session(home: FirstRunWorld) -> None:
    stranger = home.begin()
    assert stranger.ask("GET", "/setup").headers["Location"].startswith("/login")
    assert "One-time code" in words_of(stranger.ask("GET", "/login").data.decode())
    assert stranger.ask("GET", "/setup/now").status == 303
    assert stranger.ask("POST", "/setup/start").status == 401
    assert stranger.ask("GET", "/setup", **{"X-Api-Key": home.code}).status == 401  # it is no key
    assert stranger.ask("GET", "/health/live").status == 200
    assert stranger.ask("GET", "/health/ready").status == 503
    assert stranger.ask("GET", "/login", Host="evil.example").status == 421
    assert stranger.log_in("AAAA-BBBB-CCCC").status == 403

    person = PageBrowser(stranger.url)
    assert person.log_in(home.code.lower().replace("-", " ")).status == 303
    assert stranger.log_in(home.code).status == 403
    assert person.send("stash", csrf="wrong", url=home.stash.url).status == 403
    cross_site = {"Sec-Fetch-Site": "cross-site", "Content-Type": FORM}
    assert person.ask("POST", "/setup/start", "", **cross_site).status == 403
    # Whoever has the key that was made meanwhile gets in as well: it is the dashboard's.
    key = (home.data_dir / "http-api-key").read_text().strip()
    assert PageBrowser(stranger.url).log_in(key).status == 303
    for _ in range(5):
        stranger.log_in("AAAA-BBBB-CCCC")
    assert stranger.log_in("AAAA-BBBB-CCCC").status == 429


def test_with_a_key_of_ones_own_no_code_is_made(home: FirstRunWorld) -> None:
    home.environment(HTTP_API_KEY="fake-http-key-0123456789")
    browser = home.begin()
    assert home.code == ""
    assert "API key" in words_of(browser.ask("GET", "/login").data.decode())
    assert browser.log_in("fake-http-key-0123456789").status == 303
    assert browser.step() == "Stash"


@pytest.mark.parametrize(
    ("changes", "by_code"),
    [
        ({}, True),
        ({"http_host": "::1"}, True),
        ({"http_host": "0.0.0.0"}, False),  # noqa: S104
        ({"http_host": "nas.example"}, False),
        ({"http_api_key": SecretStr("fake-http-key-0123456789")}, False),
    ],
)
def test_a_code_is_for_who_sits_at_this_machine_and_chose_no_key(changes: dict[str, Any], *, by_code: bool) -> None:
    assert lets_in_by_code(Settings(**changes)) is by_code


def test_settings_written_by_hand_end_the_page_too(home: FirstRunWorld) -> None:
    browser = home.begin()
    home.toml.write_text(f'plex_url = "{home.plex.url}"\nplex_token = "{TOKEN}"\n', encoding="utf-8")
    eventually(home.is_over)
    assert home.result is not None
    with pytest.raises(urllib3.exceptions.HTTPError):
        browser.ask("GET", "/login")


def test_a_stop_ends_the_page_while_somebody_signs_in(home: FirstRunWorld, browser: PageBrowser) -> None:
    browser.send("stash", url=home.stash.url, key="")
    browser.send("sign-in")
    eventually(lambda: "Sign in at plex.tv" in browser.text())
    home.stop()
    eventually(home.is_over, within_s=8)
    assert home.result is None
    assert not home.toml.exists()


@pytest.mark.parametrize("problem", ["open", "busy"])
def test_where_no_page_can_be_had_the_missing_settings_are_named(home: FirstRunWorld, problem: str) -> None:
    if problem == "open":
        home.environment(HTTP_HOST="0.0.0.0", HTTP_API_KEY="short")  # noqa: S104
    else:
        home.environment(HTTP_PORT=str(home.plex.port))
    app = AppContext()
    with pytest.raises(SettingsError, match=r"scenesync setup(.|\n)*cannot be served"):
        serve_until_set_up(app, app.load(), lambda: None, threading.Event())


@pytest.mark.parametrize("by", ["no dashboard", "Stash"])
def test_where_no_page_is_wanted_it_ends_with_the_hint(
    home: FirstRunWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    options = []
    if by == "Stash":
        document = {"server_connection": {"Scheme": "http", "Host": "127.0.0.1", "Port": home.stash.port}}
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
        options = ["--from-stash"]
    else:
        home.environment(HTTP_ENABLED="false")
    assert run_cli(["run", *options]) == 2
    said = capsys.readouterr().err
    assert "plex_url is not set" in said
    assert "`scenesync setup`" in said


def test_a_code_that_nobody_used_is_over_and_the_new_one_is_printed(
    home: FirstRunWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_time_code, "GOOD_FOR_S", 0.0)
    browser = home.begin()
    eventually(lambda: bool(home.newer_codes))
    assert browser.log_in(home.newer_codes[-1]).status == 403
    monkeypatch.setattr(one_time_code, "GOOD_FOR_S", 600.0)
    assert browser.log_in(home.code).status == 403
    eventually(lambda: browser.log_in(home.newer_codes[-1]).status == 303)
    assert browser.step() == "Stash"


def test_a_page_from_before_is_told_so_and_not_that_something_is_broken(
    home: FirstRunWorld, browser: PageBrowser
) -> None:
    stale = {
        "plex": {"url": home.plex.url, "token": TOKEN},
        "sign-in": {},
        "server": {"server": home.plex.machine_identifier},
        "libraries": {"which": "all"},
        "paths": {"take": "yes"},
        "again": {},
        "start": {},
    }
    for path, form in stale.items():
        refused = browser.send(path, **form)
        assert (path, refused.status) == (path, 409)
        assert "Load the page again" in refused.json()["detail"]
    browser.send("stash", url=home.stash.url, key="")
    assert browser.send("stash", url="http://127.0.0.1:9").status == 409
    browser.send("plex", url=home.plex.url, token=TOKEN)
    browser.send("back", step="plex")
    assert browser.send("libraries", which="all").status == 409
    assert "fault of SceneSync" not in browser.words()
    assert browser.step() == "Plex"


def test_nothing_can_be_begun_any_more_once_the_page_has_ended(home: FirstRunWorld) -> None:
    desk = FirstRunDesk(home.setting_up())
    desk.stash(home.stash.url, "")
    desk.stop()  # a cancel is for what goes on alone
    desk.sign_in()
    eventually(lambda: "Waiting" in doing(desk))
    desk.close()
    assert doing(desk) == ""
    with pytest.raises(Conflict, match="is ending"):
        desk.sign_in()
    assert doing(desk) == ""
    desk.plex(home.plex.url, TOKEN)  # and nobody has kept the turn
    assert desk.view().step == "libraries"


def test_an_end_that_comes_as_something_begins_ends_that_too(
    home: FirstRunWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = FirstRunDesk(home.setting_up())
    desk.stash(home.stash.url, "")
    start, closing = threading.Thread.start, threading.Thread(target=desk.close)

    def started_late(thread: threading.Thread) -> None:
        if thread.name == "set-up":
            start(closing)
            closing.join(0.1)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", started_late)
    desk.sign_in()
    closing.join(10)
    eventually(lambda: doing(desk) == "")
    assert desk.view().step == "plex"
    with pytest.raises(Conflict, match="is ending"):
        desk.sign_in()


def doing(desk: FirstRunDesk) -> str:
    found = desk.view().doing
    return "" if found is None else found.text


def test_a_code_is_spent_once_however_it_is_written() -> None:
    one = OneTimeCode()
    code = one.renewed()
    assert one.renewed() == ""
    assert re.fullmatch(r"[2-9A-HJ-NP-Z]{4}(-[2-9A-HJ-NP-Z]{4}){2}", code)
    keys = Keys("fake-http-key", one)
    assert Keys("fake-http-key", OneTimeCode()).asks_for_code
    assert not keys.lets_in(code[:-1])
    assert not keys.fits(code)
    assert keys.lets_in(code.lower())
    assert not keys.lets_in(code)
    assert not keys.asks_for_code
    assert one.renewed() == ""
    assert keys.lets_in("fake-http-key")
