"""The dashboard's door: what stays shut, to whom, and what every answer carries."""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from web_world import KEY, WebWorld

from scenesync.web.api import health
from scenesync.web.guard.limits import BODY_LIMIT_BYTES
from scenesync.web.patience import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

EVIL_TITLE = "<script>alert('harbour')</script>"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    with WebWorld(tmp_path_factory.mktemp("web") / "data", http_trusted_hosts=("media.example",)) as world:
        scene_id, _ = world.pair("evil", title=EVIL_TITLE)
        world.synced(scene_id)
        yield world


def paths_of(world: WebWorld) -> list[tuple[str, str]]:
    """Every operation of the API, with something in place of what stands in braces."""
    document = world.ask("GET", "/api/v1/openapi.json").json()
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", "1", path))
        for path, operations in document["paths"].items()
        for method in operations
    ]


def test_nothing_but_live_and_ready_answers_without_a_key(world: WebWorld) -> None:
    asked = paths_of(world)
    assert len(asked) > 30
    open_ones = {(method, path) for method, path in asked if world.ask(method, path, key=None).status != 401}
    assert open_ones == {("GET", "/health/live"), ("GET", "/health/ready")}
    assert {route.path for route in health.router.routes} >= {"/health/live", "/health/ready"}
    for path in ("/api/v1/openapi.json", "/api/v1/nothing", "/metrics"):
        assert world.ask("GET", path, key=None).status == 401


@pytest.mark.parametrize(
    "presented", [{"X-Api-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"X-Api-Key": "ключ"}]
)
def test_a_wrong_key_is_refused_and_a_right_one_is_taken(world: WebWorld, presented: dict[str, str]) -> None:
    sent = {name: value.encode().decode("latin-1") for name, value in presented.items()}
    refused = world.ask("GET", "/api/v1/status", key=None, headers=sent)
    assert (refused.status, refused.headers["Content-Type"]) == (401, "application/problem+json")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    taken = world.ask("GET", "/api/v1/status", key=None, headers={"Authorization": f"Bearer {KEY}"})
    assert taken.status == 200


def test_a_session_needs_its_token_to_change_anything(world: WebWorld) -> None:
    browser = world.log_in()
    assert browser.open("/").status == 200
    assert browser.open("/api/v1/status").status == 200
    missing = browser.post("/api/v1/tasks/none/cancel")
    assert (missing.status, missing.json()["type"]) == (403, "urn:scenesync:problem:csrf")
    assert browser.post("/api/v1/tasks/none/cancel", **{"X-CSRF-Token": "wrong"}).status == 403
    other_token = world.log_in().csrf_token
    assert browser.post("/api/v1/tasks/none/cancel", **{"X-CSRF-Token": other_token}).status == 403
    assert browser.post("/api/v1/tasks/none/cancel", **{"X-CSRF-Token": browser.csrf_token}).status == 404


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(world: WebWorld) -> None:
    attributes = {part.strip().lower() for part in world.log_in().set_cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes


def test_logging_out_ends_the_session_for_whoever_kept_the_cookie(world: WebWorld) -> None:
    browser = world.log_in()
    assert browser.post("/logout", **{"X-CSRF-Token": browser.csrf_token}).headers["HX-Redirect"] == "/login"
    assert browser.open("/").status == 303


@pytest.mark.parametrize("cookie", ["nonsense", "9999999999.abc.def", "..", "0.a.b", '"quoted\\"'])
def test_a_forged_cookie_opens_nothing(world: WebWorld, cookie: str) -> None:
    answer = world.ask("GET", "/", key=None, headers={"Cookie": f"scenesync_session={cookie}", "Accept": "text/html"})
    assert (answer.status, answer.headers["Location"]) == (303, "/login?next=/")


@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing_even_with_the_token(world: WebWorld, sent: dict[str, str]) -> None:
    browser = world.log_in()
    answer = browser.post("/api/v1/tasks/none/cancel", **{"X-CSRF-Token": browser.csrf_token, **sent})
    assert (answer.status, answer.json()["type"]) == (403, "urn:scenesync:problem:cross-site")
    form = urlencode({"key": KEY})
    forged = world.ask("POST", "/login", key=None, body=form, headers=sent)
    assert forged.status == 403


def test_no_answer_lets_another_site_read_it(world: WebWorld) -> None:
    answer = world.ask("GET", "/api/v1/status", headers={"Origin": "http://elsewhere.example"})
    assert [name for name in answer.headers if name.lower().startswith("access-control-")] == []
    assert world.ask("OPTIONS", "/api/v1/status", headers={"Origin": "http://elsewhere.example"}).status == 405


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:9988", "127.0.0.1.rebound.example", "a b", "@x"])
def test_a_name_that_is_not_ours_gets_nothing(world: WebWorld, host: str) -> None:
    for path in ("/health/live", "/api/v1/status", "/"):
        answer = world.ask("GET", path, headers={"Host": host})
        assert (answer.status, answer.json()["type"]) == (421, "urn:scenesync:problem:unknown-host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "192.0.2.7:9988", "[2001:db8::7]:80", "media.example"])
def test_addresses_and_trusted_names_are_served(world: WebWorld, host: str) -> None:
    assert world.ask("GET", "/health/live", headers={"Host": host}).status == 200


def test_log_in_is_limited_by_rate(tmp_path_factory: pytest.TempPathFactory) -> None:
    with WebWorld(tmp_path_factory.mktemp("login") / "data") as world:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}

        def try_key(key: str) -> int:
            return world.ask("POST", "/login", key=None, body=urlencode({"key": key}), headers=headers).status

        assert [try_key("wrong") for _ in range(7)] == [403] * 5 + [429] * 2
        assert try_key(KEY) == 429  # else it would be no limit
        assert world.ask("GET", "/api/v1/status").status == 200
        wrong = [world.ask("GET", "/api/v1/status", key="wrong").status for _ in range(22)]
        assert wrong == [401] * 20 + [429] * 2


@pytest.mark.parametrize(
    "wanted", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "/a\nb"]
)
def test_log_in_leads_nowhere_else(world: WebWorld, wanted: str) -> None:
    answer = world.ask(
        "POST",
        "/login",
        key=None,
        body=urlencode({"key": KEY, "next": wanted}),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../application.py",
        "/static/%2e%2e/application.py",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/static/app.css",
        "/static//etc/passwd",
        "/static/%00",
    ],
)
def test_no_path_leads_out_of_the_static_files(world: WebWorld, path: str) -> None:
    host, port = world.address
    answer = world.raw(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 "), answer[:200]


@pytest.mark.parametrize(
    "path", ["/static/../api/v1/status", "/login/../api/v1/status", "//api/v1/status", "/API/v1/status"]
)
def test_no_spelling_of_a_path_gets_around_the_key(world: WebWorld, path: str) -> None:
    host, port = world.address
    answer = world.raw(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
    assert not answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    assert b"pending" not in answer


def test_a_title_that_is_a_script_is_shown_as_text(world: WebWorld) -> None:
    page = world.log_in().open("/").data.decode()
    assert "<script>alert" not in page
    assert "<script" in page  # those of the frame


def test_every_answer_forbids_scripts_that_are_not_files_of_ours(world: WebWorld) -> None:
    for path in ("/", "/login", "/api/v1/status", "/nothing", "/health/live"):
        headers = world.ask("GET", path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Server" not in headers
    page = world.log_in().open("/").data.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", page) == []
    assert re.findall(r"\son[a-z]+=|\sstyle=|javascript:", page) == []
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//', page) == []


def test_a_body_of_10_mb_is_refused(world: WebWorld) -> None:
    began = time.monotonic()
    answer = world.ask("POST", "/api/v1/queue/clear", body=b"x" * 10_000_000)
    assert (answer.status, answer.json()["type"]) == (413, "urn:scenesync:problem:too-large")
    assert time.monotonic() - began < 10


def test_a_body_that_does_not_say_how_long_it_is_is_refused_when_it_is_too_long(world: WebWorld) -> None:
    host, port = world.address
    framing = "Transfer-Encoding: chunked\r\nConnection: close"
    head = f"POST /login HTTP/1.1\r\nHost: {host}:{port}\r\n{framing}\r\n\r\n".encode()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    answer = world.raw(head + chunk * (BODY_LIMIT_BYTES // 0x10000 + 2) + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_who_sends_no_head_is_hung_up_on(world: WebWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "head_within_s", 0.3)
    host, port = world.address
    for beginning in (b"", b"GET / HT", f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nX-Slow: ".encode()):
        assert world.raw(beginning) == b""
    with socket.create_connection(world.address, timeout=15) as connection:
        # One letter now and then is no progress.
        began = time.monotonic()
        try:
            while time.monotonic() - began < 10:
                connection.sendall(b"G")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - began < 10


def test_who_has_been_answered_may_ask_again_on_the_same_connection(world: WebWorld) -> None:
    host, port = world.address
    request = f"GET /health/live HTTP/1.1\r\nHost: {host}:{port}\r\n".encode()
    with socket.create_connection(world.address, timeout=15) as connection:
        for _ in range(3):
            connection.sendall(request + b"\r\n")
            answer = b""
            while b'"alive":' not in answer:  # head and body may come one after the other
                answer += connection.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200")
        connection.sendall(request + b"Connection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        assert b'"alive":true' in answer
