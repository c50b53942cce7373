"""Who is let in, images, and failures on purpose."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest
import urllib3
from stash_over_http import Client, Probe, served

from scenesync.simulators.sample_world import png
from scenesync.simulators.stash.errors import ResolverError
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "{version{version}}"


@pytest.fixture
def client() -> Iterator[Client]:
    with served(StashSimulator(api_key="right-key", username="ada", password="pier")) as client:
        client.stash.add_scene(path="/data/1.mp4", cover=png(1))
        yield client


@pytest.fixture
def open_client() -> Iterator[Client]:
    with served(StashSimulator()) as client:
        client.stash.add_scene(path="/data/1.mp4", cover=png(1))
        client.stash.add_scene(path="/data/2.mp4")
        yield client


def _graphql(client: Client, path: str = "/graphql", **headers: str) -> urllib3.BaseHTTPResponse:
    body = json.dumps({"query": VERSION}).encode()
    return client.send("POST", path, body=body, headers={"Content-Type": "application/json"} | headers)


def test_the_key_opens_by_header_or_query(client: Client) -> None:
    assert _graphql(client, ApiKey="right-key").status == 200
    assert _graphql(client, "/graphql?apikey=right-key").status == 200
    assert client.send("GET", "/scene/1/screenshot", headers={"ApiKey": "right-key"}).data == png(1)


def test_a_wrong_key_is_refused_with_an_empty_body_even_when_nothing_is_locked(
    client: Client, open_client: Client
) -> None:
    cookie = _log_in(client)
    for answer in (
        _graphql(client, ApiKey="wrong"),
        _graphql(client, ApiKey="wrong", Cookie=cookie),
        _graphql(open_client, ApiKey="wrong"),
    ):
        assert (answer.status, answer.data) == (401, b"")
        assert "WWW-Authenticate" not in answer.headers


def test_strangers_get_401_or_are_sent_to_the_login_page(client: Client) -> None:
    refused = _graphql(client)
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "FormBased")
    assert client.send("GET", "/favicon.ico").status == 401
    sent_away = client.send("GET", "/scene/1/screenshot")
    assert sent_away.status == 302
    assert sent_away.headers["Location"] == "/login?returnURL=%2Fscene%2F1%2Fscreenshot"
    page = client.send("GET", sent_away.headers["Location"])
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert client.send("GET", "/healthz").data == b"."


def _log_in(client: Client) -> str:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.send("POST", "/login", body=b"username=ada&password=pier", headers=form)
    assert answer.status == 302
    cookie: str = answer.headers["Set-Cookie"].partition(";")[0]
    return cookie


def test_a_cookie_opens_and_is_refreshed_by_each_request(client: Client) -> None:
    answer = _graphql(client, Cookie=_log_in(client))

    assert answer.status == 200
    name, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith("session=")
    assert [each.partition("=")[0] for each in attributes] == ["Path", "Expires", "Max-Age", "SameSite"]
    assert (answer.headers["Vary"], answer.headers["X-Content-Type-Options"]) == ("Origin", "nosniff")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.send("POST", "/login", body=b"username=ada&password=x", headers=form).status == 401


def test_a_hooks_cookie_is_valid_after_the_hook_and_until_its_age(tmp_path: Path) -> None:
    probe = Probe(tmp_path / "plugins")
    now = [1_800_000_000.0]
    stash = StashSimulator(tmp_path / "plugins", username="ada", password="pier", clock=lambda: now[0])
    with served(stash) as client:
        client.stash.add_scene(path="/data/1.mp4")
        client.stash.save(1, title="x")
        cookie = f"session={probe.documents()[0]['server_connection']['SessionCookie']['Value']}"
        now[0] += 3599
        assert _graphql(client, Cookie=cookie).status == 200
        now[0] += 2
        assert _graphql(client, Cookie=cookie).status == 401
        assert _graphql(client, Cookie=cookie[:-9] + "AAAAAAAA=").status == 401


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"{", "application/json", "json request body could not be decoded: unexpected EOF body:{"),
        (b'{"query":"{version{version}}"}', "text/plain", "transport not supported"),
        (
            b"[]",
            "application/json",
            (
                "json request body could not be decoded: "
                "json: cannot unmarshal array into Go value of type graphql.RawParams body:[]"
            ),
        ),
    ],
)
def test_what_is_no_graphql_request_is_a_400(open_client: Client, body: bytes, kind: str, message: str) -> None:
    answer = open_client.send("POST", "/graphql", body=body, headers={"Content-Type": kind})

    assert (answer.status, answer.json()["errors"][0]["message"]) == (400, message)


def test_queries_may_come_by_get_and_mutations_not(open_client: Client) -> None:
    assert open_client.send("GET", "/graphql?query={version{version}}").json()["data"]["version"] == {
        "version": "v0.30.1"
    }
    assert open_client.send("GET", "/graphql?query=mutation{sceneDestroy(input:{id:1})}").status == 406
    assert open_client.stash.scene(1).id == 1


def test_long_answers_are_compressed_when_asked_for(open_client: Client) -> None:
    open_client.stash.save(1, details="long " * 1000)
    body = b'{"query":"{findScene(id:1){details}}"}'
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}

    answer = open_client.send("POST", "/graphql", body=body, headers=headers)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json()["data"]["findScene"]["details"].startswith("long long")
    assert len(gzip.compress(answer.data)) < int(answer.headers["Content-Length"]) * 2


def test_answers_escape_as_go_does(open_client: Client) -> None:
    open_client.stash.save(1, title="<b> &\u2028x")
    body = b'{"query":"{findScene(id:1){title}}"}'
    raw = open_client.send("POST", "/graphql", body=body, headers={"Content-Type": "application/json"}).data
    assert raw == b'{"data":{"findScene":{"title":"\\u003cb\\u003e \\u0026\\u2028x"}}}'


def test_covers_have_an_etag_and_answer_304(open_client: Client) -> None:
    answer = open_client.send("GET", "/scene/1/screenshot?t=1")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, png(1), "image/png")
    assert answer.headers["ETag"] == f'"{hashlib.md5(png(1), usedforsecurity=False).hexdigest()}"'
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"

    again = open_client.send("GET", "/scene/1/screenshot", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.data) == (304, b"")

    open_client.stash.save(1, title="other")  # the address changes with any edit, the ETag with the picture only
    assert open_client.send("GET", "/scene/1/screenshot").headers["ETag"] == answer.headers["ETag"]
    open_client.stash.save(1, cover=png(2))
    assert open_client.send("GET", "/scene/1/screenshot").headers["ETag"] != answer.headers["ETag"]


def test_without_a_cover_there_is_a_default_with_status_200(open_client: Client) -> None:
    answer = open_client.send("GET", "/scene/2/screenshot?t=1")
    assert (answer.status, answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
        200,
        "image/svg+xml",
        "no-cache",
    )
    assert answer.data.startswith(b"<svg")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/scene/1/screenshot", 405),
        ("GET", "/scene/x/screenshot", 400),
        ("GET", "/scene/99/screenshot", 404),
        ("GET", "/performer/99/image", 404),
    ],
)
def test_images_that_cannot_be_had(open_client: Client, method: str, path: str, status: int) -> None:
    assert open_client.send(method, path).status == status


def test_unknown_paths_give_the_page_of_the_ui(open_client: Client) -> None:
    answer = open_client.send("GET", "/scene/1/screenshots")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_image_addresses_point_to_where_the_request_went_and_say_when_it_is_a_default(open_client: Client) -> None:
    open_client.stash.add_studio("With logo", image=png(5))
    open_client.stash.add_studio("Without")
    body = b'{"query":"{findStudios{studios{image_path}} findScene(id:1){paths{screenshot stream}}}"}'
    headers = {"Content-Type": "application/json", "Host": "stash.example:9443", "X-Forwarded-Proto": "https"}

    data = open_client.send("POST", "/graphql", body=body, headers=headers).json()["data"]

    with_logo, without = (studio["image_path"] for studio in data["findStudios"]["studios"])
    assert with_logo.startswith("https://stash.example:9443/studio/1/image?t=")
    assert not with_logo.endswith("&default=true")
    assert without.endswith("&default=true")
    assert open_client.send("GET", with_logo.removeprefix("https://stash.example:9443")).data == png(5)
    assert data["findScene"]["paths"]["stream"] == "https://stash.example:9443/scene/1/stream"


def test_the_stream_address_gives_the_key_away_as_the_real_one_does(client: Client) -> None:
    body = b'{"query":"{findScene(id:1){paths{stream}}}"}'
    headers = {"Content-Type": "application/json", "ApiKey": "right-key"}
    answer = client.send("POST", "/graphql", body=body, headers=headers).json()
    assert answer["data"]["findScene"]["paths"]["stream"].endswith("?apikey=right-key")


def test_records_hold_no_keys(client: Client) -> None:
    _graphql(client, "/graphql?apikey=right-key", Cookie=_log_in(client))
    assert "right-key" not in repr(client.stash.requests)
    assert "right-key" not in repr(client.stash.engine.config)
    assert client.stash.operations()["version"] == 1


@pytest.mark.parametrize("source", ["x", "ftp://example.org/a.png"])
def test_a_cover_from_nowhere_fails_the_update(open_client: Client, source: str) -> None:
    with pytest.raises(ResolverError, match=r"processing cover image: .*unsupported protocol scheme"):
        open_client.stash.save(1, cover_image=source, title="not written")
    assert open_client.stash.scene(1).title == ""


def test_down_refuses_and_up_serves_again_at_the_same_address(open_client: Client) -> None:
    url = open_client.stash.url
    open_client.stash.down()
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        open_client.post(VERSION)
    open_client.stash.up()
    assert open_client.stash.url == url
    assert open_client.post(VERSION)[0] == 200


def test_planned_failures_hit_the_next_requests_only(open_client: Client) -> None:
    stash = open_client.stash
    stash.fail_next(2, status=503)
    assert [_graphql(open_client).status for _each in range(3)] == [503, 503, 200]
    stash.fail_next(graphql_error="database is locked")
    assert open_client.error(VERSION) == (200, "database is locked")
    stash.fail_next(reset=True)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        open_client.post(VERSION)
    stash.fail_next(status=500, operation="findScene")
    assert open_client.post(VERSION)[0] == 200
    assert _post_status(open_client, "{findScene(id:1){id}}") == 500
    stash.fail_next(5, status=500)
    stash.forget_failures()
    assert open_client.post(VERSION)[0] == 200
    with pytest.raises(ValueError, match="one of"):
        stash.fail_next(status=500, reset=True)


def _post_status(client: Client, query: str) -> int:
    body = json.dumps({"query": query}).encode()
    return client.send("POST", "/graphql", body=body, headers={"Content-Type": "application/json"}).status


def test_while_a_migration_is_due_only_the_status_is_answered(open_client: Client) -> None:
    open_client.stash.set_status("NEEDS_MIGRATION")
    status = open_client.data("{systemStatus{status databaseSchema appSchema} version{version}}")["systemStatus"]
    assert status == {"status": "NEEDS_MIGRATION", "databaseSchema": 74, "appSchema": 75}
    assert open_client.post("{findScenes{count}}") == (
        200,
        {"errors": [{"message": "database not initialized", "path": ["findScenes"]}], "data": None},
    )


def test_latency_delays_each_request_but_not_one_after_another(open_client: Client) -> None:
    open_client.stash.latency_s = 1.0
    began = time.monotonic()
    askers = [threading.Thread(target=open_client.post, args=(VERSION,)) for _each in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert 1 <= time.monotonic() - began < 3.5  # one after another they would need 4 s
