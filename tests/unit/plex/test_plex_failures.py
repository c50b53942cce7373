"""What goes wrong on real sockets, and what it is called. The token is in none of it."""

from __future__ import annotations

import logging
import socket
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from plex_documents import full_item, library_read
from plex_stub import CERTIFICATE, PlexStub, Reply, json_reply

from scenesync.domain.diff import Edit, FieldChange
from scenesync.domain.fields import Field
from scenesync.plex.client import PlexClient
from scenesync.plex.exceptions import (
    PlexBusy,
    PlexError,
    PlexNotFound,
    PlexPermanentError,
    PlexServerDown,
    PlexTemporaryError,
    PlexTransientError,
    PlexUnauthorized,
)
from scenesync.plex.exchange import Timeouts
from scenesync.plex.http import PlexHttp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Connect = Callable[..., PlexClient]

TOKEN = "t0ken-not-to-be-seen"
SECRET_TEXT = "Nobody-must-log-this"
EDIT = Edit("1201", "4", (FieldChange(Field.TITLE, before="Old", after=SECRET_TEXT),))
MAINTENANCE = {"code": 503, "title": "Maintenance", "status": "Plex Media Server is currently running maintenance."}
DOCUMENT = json_reply(library_read(full_item()))
DEAD = Reply(503)


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.records:
        assert TOKEN not in record.getMessage()
        assert SECRET_TEXT not in record.getMessage()


def read(client: PlexClient) -> object:
    return client.read_items(["1201"])


def write(client: PlexClient) -> object:
    client.apply_edit(EDIT)
    return None


def failure(action: Callable[[PlexClient], object], client: PlexClient) -> PlexError:
    with pytest.raises((PlexTransientError, PlexPermanentError)) as caught:
        action(client)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(client)
    assert TOKEN not in told
    assert SECRET_TEXT not in told
    assert "?" not in str(caught.value).replace("server?", "").replace("page?", "")
    return caught.value


@pytest.fixture
def hasty(stub: PlexStub, connect: Connect) -> PlexClient:
    """A client that waits 0.2 s for reads and 0.4 s for writes."""
    return connect(stub.url, read_timeout_s=0.2, identity_timeout_s=0.3)


STATUS_ROWS: list[tuple[Reply, type[PlexError], type[PlexError]]] = [
    (
        Reply(302, b"", {"Location": f"http://127.0.0.1:1/?X-Plex-Token={TOKEN}"}),
        PlexTemporaryError,
        PlexTemporaryError,
    ),
    (Reply(400, b"<html><h1>400 Bad Request</h1></html>"), PlexPermanentError, PlexPermanentError),
    (Reply(400, b"server is still starting up. Please retry later"), PlexServerDown, PlexServerDown),
    (Reply(401, b"<html><h1>401 Unauthorized</h1></html>"), PlexUnauthorized, PlexUnauthorized),
    (Reply(403), PlexPermanentError, PlexPermanentError),
    (Reply(409), PlexPermanentError, PlexPermanentError),
    (Reply(429, b"", {"Retry-After": "3"}), PlexTemporaryError, PlexTemporaryError),
    (Reply(498), PlexUnauthorized, PlexUnauthorized),
    (Reply(500), PlexTemporaryError, PlexBusy),
    (Reply(502), PlexServerDown, PlexServerDown),
    (json_reply(MAINTENANCE, 503), PlexServerDown, PlexServerDown),
    (Reply(504), PlexServerDown, PlexServerDown),
    (Reply(200, b"<html><body>Please log in</body></html>"), PlexTemporaryError, PlexTemporaryError),
]


@pytest.mark.parametrize(("reply", "on_read", "on_write"), STATUS_ROWS)
def test_a_status_becomes_its_error(
    client: PlexClient, stub: PlexStub, reply: Reply, on_read: type[PlexError], on_write: type[PlexError]
) -> None:
    stub.default = reply

    for action, expected in ((read, on_read), (write, on_write)):
        error = failure(action, client)
        assert type(error) is expected
        assert error.status == reply.status


def test_a_redirect_is_not_followed(client: PlexClient, stub: PlexStub) -> None:
    stub.default = Reply(302, b"", {"Location": "/identity"})

    failure(read, client)

    assert len(stub.seen) == 1


def test_a_429_says_how_long(client: PlexClient, stub: PlexStub) -> None:
    stub.default = Reply(429, b"", {"Retry-After": "3"})

    error = failure(write, client)

    assert isinstance(error, PlexTemporaryError)
    assert error.retry_after_s == 3.0


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"<?xml version='1.0'?><MediaContainer/>", b'{"MediaContainer":null}', b"\x00\xff"]
)
def test_a_200_that_is_not_plex_is_temporary(client: PlexClient, stub: PlexStub, body: bytes) -> None:
    stub.default = Reply(200, body)

    assert type(failure(read, client)) is PlexTemporaryError


def test_an_edit_needs_no_body_in_its_answer(client: PlexClient, stub: PlexStub) -> None:
    for reply in (Reply(200), Reply(204), Reply(200, b"OK"), DOCUMENT):
        stub.default = reply
        write(client)


def test_a_404_is_about_items(client: PlexClient, stub: PlexStub) -> None:
    stub.default = Reply(404)

    assert type(failure(write, client)) is PlexNotFound
    assert type(failure(lambda plex: plex.uploaded_images("1", Field.POSTER), client)) is PlexNotFound
    assert type(failure(lambda plex: plex.list_items("4", start=0, size=1), client)) is PlexNotFound
    libraries = failure(lambda plex: plex.libraries(), client)
    assert type(libraries) is PlexTemporaryError
    assert "plex_url" in str(libraries)


def test_an_identity_that_is_not_there_is_no_plex(client: PlexClient, stub: PlexStub) -> None:
    stub.identity = Reply(404)

    error = failure(lambda plex: plex.identity(), client)

    assert type(error) is PlexTemporaryError
    assert "plex_url" in str(error)


@pytest.mark.parametrize("alive", [True, False])
def test_a_failed_write_asks_whether_plex_lives(client: PlexClient, stub: PlexStub, *, alive: bool) -> None:
    stub.default = Reply(500)
    if not alive:
        stub.identity = DEAD

    error = failure(write, client)

    assert type(error) is (PlexBusy if alive else PlexServerDown)
    assert [seen.path for seen in stub.seen] == ["/library/sections/4/all", "/identity"]


@pytest.mark.parametrize(("action", "error"), [(read, PlexTemporaryError), (write, PlexBusy)])
def test_silence_of_a_server_that_lives(
    hasty: PlexClient, stub: PlexStub, action: Callable[[PlexClient], object], error: type[PlexError]
) -> None:
    stub.default = Reply(fault="silence")

    assert type(failure(action, hasty)) is error
    assert [seen.path for seen in stub.seen][1:] == ["/identity"]


@pytest.mark.parametrize("action", [read, write])
@pytest.mark.parametrize("identity", [Reply(fault="silence"), Reply(fault="reset"), DEAD, Reply(200, b"<html>")])
def test_silence_of_a_server_that_says_nothing_else_either(
    hasty: PlexClient, stub: PlexStub, action: Callable[[PlexClient], object], identity: Reply
) -> None:
    stub.default = Reply(fault="silence")
    stub.identity = identity

    started = time.monotonic()
    assert type(failure(action, hasty)) is PlexServerDown
    assert time.monotonic() - started < 3.0


def test_silence_of_the_identity_is_an_outage_without_further_question(hasty: PlexClient, stub: PlexStub) -> None:
    stub.identity = Reply(fault="silence")

    assert type(failure(lambda plex: plex.identity(), hasty)) is PlexServerDown
    assert len(stub.seen) == 1


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_connection_cut_before_the_answer(client: PlexClient, stub: PlexStub, fault: str) -> None:
    stub.default = Reply(fault=fault)

    assert type(failure(read, client)) is PlexServerDown
    assert len(stub.seen) == 1
    assert type(failure(write, client)) is PlexBusy
    stub.identity = Reply(fault=fault)
    assert type(failure(write, client)) is PlexServerDown


@pytest.mark.parametrize("fault", ["cut", "chunk"])
def test_a_connection_cut_in_the_answer(client: PlexClient, stub: PlexStub, fault: str) -> None:
    stub.default = Reply(200, DOCUMENT.body, fault=fault)

    assert type(failure(read, client)) is PlexTemporaryError
    assert len(stub.seen) == 1
    assert type(failure(write, client)) is PlexBusy


def test_an_answer_that_stops_in_the_middle(hasty: PlexClient, stub: PlexStub) -> None:
    stub.default = Reply(200, DOCUMENT.body, fault="stall")

    assert type(failure(read, hasty)) is PlexTemporaryError
    assert type(failure(write, hasty)) is PlexBusy


@pytest.mark.parametrize("fault", ["drip", "drip body"])
def test_an_answer_that_drips_is_not_waited_for_to_the_end(stub: PlexStub, connect: Connect, fault: str) -> None:
    client = connect(stub.url, read_timeout_s=0.1, connect_timeout_s=0.1)
    stub.default = Reply(200, DOCUMENT.body, {"X-Long": "-" * 500}, fault=fault)

    started = time.monotonic()
    assert type(failure(read, client)) is PlexTemporaryError
    assert time.monotonic() - started < 3.0


def test_failures_leave_no_connection_behind(stub: PlexStub, connect: Connect) -> None:
    client = connect(stub.url, pool_size=1, read_timeout_s=0.1, connect_timeout_s=0.1)
    faults = ["silence", "reset", "close", "cut", "chunk", "stall", "drip", "drip body"]
    stub.replies.extend(Reply(200, DOCUMENT.body, fault=fault) for fault in faults)
    stub.default = DOCUMENT

    for _ in faults:
        failure(read, client)

    assert list(client.read_items(["1201"])) == ["1201"]


@pytest.mark.parametrize("action", [read, write])
def test_something_else_on_the_port(connect: Connect, action: Callable[[PlexClient], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = connect(f"http://127.0.0.1:{listener.getsockname()[1]}", read_timeout_s=0.2, identity_timeout_s=0.2)
        # Connections are accepted by the system, nobody answers.
        assert type(failure(action, client)) is PlexServerDown


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("action", [read, write, lambda plex: plex.identity()])
def test_a_refused_connection(connect: Connect, action: Callable[[PlexClient], object]) -> None:
    error = failure(action, connect(f"http://127.0.0.1:{unused_port()}"))

    assert type(error) is PlexServerDown
    assert "Connection refused" in str(error)
    assert "plex_url" in str(error)


def test_a_host_that_does_not_exist(connect: Connect) -> None:
    error = failure(read, connect("http://no-such-host.invalid:32400"))

    assert type(error) is PlexServerDown
    assert "cannot be reached" in str(error)


def test_a_connection_that_cannot_be_made_in_time(connect: Connect) -> None:
    with socket.socket() as full:
        # A listener whose queue is full lets further connections wait.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.settimeout(0)
            one.connect_ex(full.getsockname())
        client = connect(f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout_s=0.2, read_timeout_s=0.2)

        started = time.monotonic()
        error = failure(write, client)

        assert type(error) is PlexServerDown
        assert time.monotonic() - started < 2.0
        for one in waiting:
            one.close()


def test_a_pool_in_full_use_is_not_waited_for_for_ever(stub: PlexStub) -> None:
    http = PlexHttp(stub.url, token=TOKEN, client_identifier="c", version="1", pool_size=1)
    taken = http._pool._take(1.0)
    client = _client_over(http)

    assert type(failure(read, client)) is PlexTemporaryError
    http._pool._give_back(taken)
    http.close()


def test_a_closed_client_asks_nothing(stub: PlexStub, connect: Connect) -> None:
    client = connect(stub.url)
    client.close()
    client.close()

    assert type(failure(read, client)) is PlexTemporaryError
    assert stub.seen == []


def test_a_certificate_nobody_knows_is_an_outage_with_advice(tls_stub: PlexStub, connect: Connect) -> None:
    error = failure(read, connect(tls_stub.url))

    assert type(error) is PlexServerDown
    assert "self-signed certificate" in str(error)
    assert "plex_ca_file" in str(error)
    assert "plex_verify_tls" in str(error)


def test_a_certificate_for_another_name_is_an_outage_with_advice(tls_stub: PlexStub, connect: Connect) -> None:
    client = connect(tls_stub.url.replace("127.0.0.1", "localhost"), ca_file=CERTIFICATE)

    error = failure(write, client)

    assert type(error) is PlexServerDown
    assert "ostname mismatch" in str(error)


def test_tls_that_breaks_after_an_edit_was_sent_is_no_fault_of_the_certificate(
    tls_stub: PlexStub, connect: Connect
) -> None:
    client = connect(tls_stub.url, ca_file=CERTIFICATE, read_timeout_s=5.0, identity_timeout_s=5.0)
    read_before = tls_stub.default = json_reply({"MediaContainer": {"size": 0}})
    client.read_items(["1201"])
    tls_stub.judge = lambda seen: Reply(fault="no tls") if seen.method == "PUT" else read_before

    error = failure(write, client)

    assert type(error) is PlexBusy
    assert "the change may have been made" in str(error)
    assert "certificate" not in str(error)
    assert tls_stub.asked[-1].startswith("PUT ")


def test_a_certificate_file_of_ones_own_is_trusted(tls_stub: PlexStub, connect: Connect) -> None:
    assert connect(tls_stub.url, ca_file=CERTIFICATE).identity().machine_identifier == "m-1"


def test_verification_can_be_switched_off_and_is_said_to_be(
    tls_stub: PlexStub, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    assert connect(tls_stub.url, verify=False).identity().machine_identifier == "m-1"
    assert "plex_verify_tls is off" in caplog.text


def test_tls_spoken_to_a_server_without_it(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        answered = threads.submit(answer_once, listener, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        error = failure(read, connect(f"https://127.0.0.1:{listener.getsockname()[1]}"))
        answered.result()

    assert type(error) is PlexServerDown
    assert "plex_url" in str(error)


def test_an_answer_in_another_protocol(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        answered = threads.submit(answer_once, listener, b"220 mail.example ESMTP\r\n")
        error = failure(read, connect(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        answered.result()

    assert type(error) is PlexServerDown


def answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, connect: Connect, content: str | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)

    with pytest.raises(ValueError, match=r"plex_ca_file .*ca\.pem"):
        connect("https://plex.example", ca_file=ca_file)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "plex",
        "plex:32400",
        "ftp://plex",
        "http://",
        "http://user:secret@plex",
        f"http://plex/?t={TOKEN}",
        "http://[::",
    ],
)
def test_an_address_that_cannot_be_used_is_not_quoted(connect: Connect, url: str) -> None:
    with pytest.raises(ValueError, match="plex_url") as caught:
        connect(url)
    assert "secret" not in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", ["", f"{TOKEN}\r\nX: y", f"{TOKEN}é", f" {TOKEN}", f"{TOKEN}\n"])
def test_a_token_that_no_header_may_have_is_refused_without_quoting_it(connect: Connect, token: str) -> None:
    with pytest.raises(ValueError, match="X-Plex-Token") as caught:
        connect("http://plex:32400", token=token)
    assert TOKEN not in str(caught.value)


def test_a_path_before_plex_is_kept(stub: PlexStub, connect: Connect) -> None:
    stub.default = json_reply({"MediaContainer": {}})

    connect(f"{stub.url}/plex/").libraries()

    assert [seen.target for seen in stub.seen] == ["/plex/library/sections"]


def test_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, stub: PlexStub, connect: Connect
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")

    assert connect(stub.url).identity().machine_identifier == "m-1"


def test_cookies_are_not_kept(client: PlexClient, stub: PlexStub) -> None:
    stub.default = Reply(200, DOCUMENT.body, {"Set-Cookie": "a=b"})

    read(client)
    read(client)

    assert "cookie" not in stub.seen[1].headers


def test_no_log_holds_the_query_of_an_edit(
    client: PlexClient, stub: PlexStub, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        write(client)

    query = stub.seen[-1].target.partition("?")[2]
    assert query
    assert not any(query in record.getMessage() for record in caplog.records)


def test_the_way_to_plex_shows_its_address_and_no_more(stub: PlexStub) -> None:
    http = PlexHttp(stub.url, token=TOKEN, client_identifier="c", version="1")

    assert repr(http) == f"PlexHttp({stub.url})"
    http.close()


def _client_over(http: PlexHttp) -> PlexClient:
    return PlexClient(http, timeouts=Timeouts(0.1, 0.1, 0.1))
