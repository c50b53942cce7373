from __future__ import annotations

import gzip
import inspect
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import urllib3.exceptions
from stash_answers import STATUS_OK, UNKNOWN_FIELD
from stash_stub import Reply, Seen, StubStash, graphql

from scenesync.domain.errors import ImageUnusable, StashRefused, StashUnauthorized, StashUnavailable
from scenesync.stash import transport
from scenesync.stash.client import StashClient
from scenesync.stash.http_errors import DETAIL_LIMIT, TRANSPORT_ERRORS, shorten, translate
from scenesync.stash.transport import RequestRecord, SessionCookie

if TYPE_CHECKING:
    from pathlib import Path

KEY = "FAKE-API-KEY-4f1c"
COOKIE = SessionCookie("session", "FAKE-SESSION-9b2e")
VERSION = graphql({"version": {"version": "v0.30.1"}})
HTML = b"<!DOCTYPE html><title>Please log in</title>"


# --- the table -------------------------------------------------------------------------------------------------------


def test_every_exception_of_the_library_has_a_row() -> None:
    classes = {
        kind
        for _, kind in inspect.getmembers(urllib3.exceptions, inspect.isclass)
        if kind.__module__ == urllib3.exceptions.__name__
        and issubclass(kind, Exception)
        and not issubclass(kind, Warning)
    }
    assert len(classes) > 20
    assert set(TRANSPORT_ERRORS) == classes


def test_a_later_subclass_means_what_its_parent_means() -> None:
    class Newer(urllib3.exceptions.ReadTimeoutError):
        def __init__(self) -> None:
            Exception.__init__(self)

    assert "no answer in time" in str(translate(Newer(), "http://stash"))


def test_a_mistake_of_this_program_is_not_taken_for_an_outage() -> None:
    assert translate(urllib3.exceptions.UnrewindableBodyError(), "http://stash") is None


# --- outages, through real sockets -----------------------------------------------------------------------------------


def test_a_port_where_nothing_listens_means_waiting() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with StashClient(url) as client, pytest.raises(StashUnavailable, match="Is Stash running"):
            client.version()


def test_a_name_that_does_not_exist_means_waiting() -> None:
    with StashClient("http://stash.invalid:9999") as client, pytest.raises(StashUnavailable, match="DNS"):
        client.version()


def test_a_server_that_takes_too_long_means_waiting(stub: StubStash) -> None:
    stub.answers["Version"] = Reply(200, b"{}", delay_s=0.5)
    with StashClient(stub.url, read_timeout_s=0.1) as client, pytest.raises(StashUnavailable, match="in time"):
        client.version()


def test_a_connection_that_is_never_accepted_means_waiting() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)  # noqa: FBT003 - the library's signature
                filler.connect_ex(("127.0.0.1", port))
            with (
                StashClient(f"http://127.0.0.1:{port}", connect_timeout_s=0.2, read_timeout_s=0.2) as client,
                pytest.raises(StashUnavailable, match="in time"),
            ):
                client.version()
        finally:
            for filler in fillers:
                filler.close()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(resets=True), "broke"),
        (Reply(raw=b""), "broke"),
        (Reply(200, b'{"data": {"ver', missing_bytes=400), "broke"),
        (Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), "broke"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbanana\r\n"), "broke"),
        (Reply(200, b"not gzip", (("Content-Encoding", "gzip"),)), "not valid HTTP"),
        (Reply(500, HTML), "HTTP 500"),
        (Reply(502, HTML), "HTTP 502"),
        (Reply(503), "HTTP 503"),
        (Reply(504), "HTTP 504"),
        (Reply(429), "HTTP 429"),
        (Reply(200, b""), "nothing in it"),
        (Reply(200, HTML, (("Content-Type", "text/html"),)), "not Stash"),
        (Reply(200, b"[]"), "not Stash"),
        (Reply(200, b"{}"), "not Stash"),
        (Reply(200, b'"data"'), "not Stash"),
        (Reply(200, b"\xff\xfe\xfd"), "not Stash"),
        (Reply(200, b"[" * 100_000), "not Stash"),
        (Reply(404, b"404 page not found\n", (("Content-Type", "text/plain"),)), "not Stash"),
        (Reply(400, b"Client sent an HTTP request to an HTTPS server.\n"), "not Stash"),
        (Reply(301, b"", (("Location", "https://stash.example/graphql?key=hidden"),)), "stash.example/graphql "),
        (Reply(302), "redirects to nowhere"),
    ],
)
def test_whatever_is_no_answer_of_a_working_stash_means_waiting(
    stub: StubStash, client: StashClient, reply: Reply, words: str
) -> None:
    stub.answers["Version"] = reply

    with pytest.raises(StashUnavailable, match=words) as caught:
        client.version()

    assert "hidden" not in str(caught.value)
    assert len(stub.seen) == 1, "nothing is asked twice and no redirect followed"


def test_after_a_broken_answer_the_next_question_works(stub: StubStash) -> None:
    with StashClient(stub.url, max_connections=1, read_timeout_s=5) as client:
        for reply in (Reply(resets=True), Reply(200, b"{", missing_bytes=9), Reply(503, HTML), Reply(200, b"x")):
            stub.answers["Version"] = reply
            with pytest.raises(StashUnavailable):
                client.version()
            stub.answers["Version"] = VERSION
            assert client.version() == "v0.30.1"


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(401, b"", (("WWW-Authenticate", "FormBased"),)), "HTTP 401"),
        (Reply(302, b"", (("Location", "/login?returnURL=%2Fgraphql"),)), "HTTP 302"),
        (Reply(307, b"", (("Location", "http://localhost:9999/stash/login"),)), "HTTP 307"),
        (Reply(403), "HTTP 403"),
    ],
)
def test_who_is_not_let_in_is_told_what_to_do(stub: StubStash, client: StashClient, reply: Reply, status: str) -> None:
    stub.answers["Version"] = reply

    with pytest.raises(StashUnauthorized, match=status) as caught:
        client.version()

    assert "Settings > Security" in str(caught.value)
    assert "stash_api_key" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "cookie", "words"),
    [
        (KEY, None, "does not accept the API key"),
        (KEY, COOKIE, "does not accept the API key"),
        (None, COOKIE, "has ended"),
        (None, None, "wants an API key"),
    ],
)
def test_the_advice_fits_what_was_tried(
    stub: StubStash, key: str | None, cookie: SessionCookie | None, words: str
) -> None:
    stub.answers["Version"] = Reply(401)
    with (
        StashClient(stub.url, api_key=key, session_cookie=cookie) as client,
        pytest.raises(StashUnauthorized, match=words),
    ):
        client.version()


@pytest.mark.parametrize("status", [422, 400])
def test_a_request_that_stash_finds_invalid_is_refused_in_its_own_words(
    stub: StubStash, client: StashClient, status: int
) -> None:
    stub.answers["Version"] = graphql(None, UNKNOWN_FIELD, status=status)
    with pytest.raises(StashRefused, match='Cannot query field "versionn"'):
        client.version()
    assert stub.operations == ["Version"]


def test_a_long_error_is_cut_but_keeps_its_beginning_and_its_reason(stub: StubStash, client: StashClient) -> None:
    text = f"updating scenes: executing `{'SQL ' * 500}` [[1 2\n3]]: FOREIGN KEY constraint failed"
    stub.answers = {"Version": graphql(None, [{"message": text}]), "Status": graphql(STATUS_OK)}

    with pytest.raises(StashRefused) as caught:
        client.version()

    message = str(caught.value)
    assert "updating scenes" in message
    assert message.endswith("FOREIGN KEY constraint failed")
    assert len(message) < DETAIL_LIMIT + 100


@pytest.mark.parametrize("errors", [[{}], ["plain text"], {"message": "no list"}, [None], "text"])
def test_errors_of_an_odd_shape_are_errors(stub: StubStash, client: StashClient, errors: object) -> None:
    body = json.dumps({"errors": errors, "data": {"version": {"version": "v0.30.1"}}}).encode()
    stub.answers = {"Version": Reply(200, body), "Status": graphql(STATUS_OK)}
    with pytest.raises(StashRefused):
        client.version()


@pytest.mark.parametrize("length", [0, 1, DETAIL_LIMIT, DETAIL_LIMIT + 1, 10_000])
def test_shortened_text_is_one_line_within_the_limit(length: int) -> None:
    assert len(shorten("a" * length)) <= DETAIL_LIMIT
    assert shorten("one\r\n\x00two\x1b[31m") == "one two [31m"


def test_an_answer_larger_than_any_could_be_is_not_read_to_the_end(
    stub: StubStash, client: StashClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "DOCUMENT_LIMIT_BYTES", 1024 * 1024)
    packed = gzip.compress(b"[" + b" " * 32 * 1024 * 1024)
    stub.answers["Version"] = Reply(200, packed, (("Content-Encoding", "gzip"),))

    with pytest.raises(StashRefused, match="more than 1 MiB"):
        client.version()


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_the_key_is_sent_as_a_header_and_goes_before_the_cookie(stub: StubStash) -> None:
    stub.answers["Version"] = VERSION
    with StashClient(stub.url, api_key=f" {KEY}\n", session_cookie=COOKIE) as client:
        client.version()

    sent = stub.seen[0]
    assert (sent.method, sent.path) == ("POST", "/graphql")
    assert sent.headers["apikey"] == KEY
    assert "cookie" not in sent.headers
    assert sent.headers["content-type"] == "application/json"


def test_a_renewed_session_is_used_from_then_on(stub: StubStash) -> None:
    def renew(_: Seen) -> Reply:
        number = len(stub.seen)
        cookies = (
            ("Set-Cookie", "theme=dark; Path=/"),
            ("Set-Cookie", f"session=RENEWED-{number}==; Path=/; Max-Age=3600; SameSite=Lax"),
        )
        return Reply(200, VERSION.body, cookies)

    stub.answers["Version"] = renew
    with StashClient(stub.url, session_cookie=COOKIE) as client:
        for _ in range(3):
            client.version()
        renewed = client.session_cookie

    assert [seen.headers["cookie"] for seen in stub.seen] == [
        "session=FAKE-SESSION-9b2e",
        "session=RENEWED-1==",
        "session=RENEWED-2==",
    ]
    assert renewed == SessionCookie("session", "RENEWED-3==")


@pytest.mark.parametrize("line", ["session=; Max-Age=0", "other=x", "session", ""])
def test_a_session_is_not_lost_to_other_cookies(stub: StubStash, line: str) -> None:
    stub.answers["Version"] = Reply(200, VERSION.body, (("Set-Cookie", line),))
    with StashClient(stub.url, session_cookie=COOKIE) as client:
        client.version()
        assert client.session_cookie == COOKIE


def test_a_client_without_a_session_takes_none(stub: StubStash) -> None:
    stub.answers["Version"] = Reply(200, VERSION.body, (("Set-Cookie", "session=x"),))
    with StashClient(stub.url, api_key=KEY) as client:
        client.version()
        assert client.session_cookie is None


def test_a_stash_behind_a_path_is_asked_there(stub: StubStash) -> None:
    stub.answers["Version"] = VERSION
    with StashClient(f"{stub.url}/media/stash/") as client:
        client.version()
    assert stub.seen[0].path == "/media/stash/graphql"


def test_the_environment_has_no_say_in_the_way_to_stash(stub: StubStash, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    stub.answers["Version"] = VERSION
    with StashClient(stub.url) as client:
        assert client.version() == "v0.30.1"


def test_threads_share_a_client_and_its_few_connections(stub: StubStash) -> None:
    stub.answers["Version"] = Reply(200, VERSION.body, delay_s=0.01)
    with StashClient(stub.url, max_connections=2) as client, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: client.version(), range(40))) == ["v0.30.1"] * 40


def test_a_listener_hears_of_each_request_with_and_without_an_answer(stub: StubStash) -> None:
    heard: list[RequestRecord] = []
    stub.answers["Version"] = VERSION
    with StashClient(stub.url, on_request=heard.append) as client:
        client.version()
        stub.answers["Version"] = Reply(resets=True)
        with pytest.raises(StashUnavailable):
            client.version()
        stub.answers["/scene/1/screenshot"] = Reply(404, b"gone")
        with pytest.raises(ImageUnusable):
            client.image("/scene/1/screenshot")

    assert [(record.name, record.status) for record in heard] == [("Version", 200), ("Version", None), ("Image", 404)]
    assert heard[0].size_bytes == len(VERSION.body)
    assert all(record.duration_s > 0 for record in heard)


def test_a_closed_client_lets_go_of_its_connections_at_once_and_takes_no_more() -> None:
    stub = StubStash()
    stub.answers["Version"] = Reply(401)
    client = StashClient(stub.url)
    with pytest.raises(StashUnauthorized) as kept:
        client.version()
    client.close()
    client.close()

    began = time.monotonic()
    stub.stop()  # ends when the last connection has
    assert time.monotonic() - began < 5
    with pytest.raises(StashUnavailable, match="closed by this program"):
        client.version()
    assert kept.value.__traceback__ is not None, "a kept exception keeps no connection open"


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_an_unknown_certificate_means_waiting_unless_it_is_not_checked(tls_stub: StubStash) -> None:
    tls_stub.answers["Version"] = VERSION
    with StashClient(tls_stub.url) as client, pytest.raises(StashUnavailable, match="certificate"):
        client.version()
    with StashClient(tls_stub.url, verify_tls=False) as client:
        assert client.version() == "v0.30.1"


def test_a_certificate_for_another_name_is_not_accepted_though_its_maker_is_known(
    tls_stub: StubStash, tmp_path: Path
) -> None:
    with (
        StashClient(tls_stub.url, ca_file=str(tmp_path / "stub.pem")) as client,
        pytest.raises(StashUnavailable, match="certificate"),
    ):
        client.version()


def test_https_towards_a_plain_port_means_waiting(stub: StubStash) -> None:
    with StashClient(stub.url.replace("http:", "https:")) as client, pytest.raises(StashUnavailable, match="TLS"):
        client.version()
