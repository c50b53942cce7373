from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress

import pytest
import trustme
from freezegun import freeze_time

from scenesync.simulators.http_server import Answer, Cut, Hang, HttpServer, Request, Reset, Response, Trickle


async def echo(request: Request) -> Answer:
    lines = (request.method, request.path, request.raw_query, repr(request.query), request.headers.get("x-tone", ""))
    return Response(200, "\n".join(lines).encode() + b"\n" + request.body, (("X-Kind", "echo"),))


def answering(answer: Answer) -> HttpServer:
    async def application(_request: Request) -> Answer:
        return answer

    return HttpServer(application)


def get(server: HttpServer, target: str = "/", timeout_s: float = 5) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout_s)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_request_reaches_the_application_decoded_once_and_in_order() -> None:
    with HttpServer(echo) as server:
        _, body = get(server, "/a%20b/c?x%5B0%5D=1&y=&x%5B0%5D=%252C+z")
    assert body.decode().split("\n")[:4] == [
        "GET",
        "/a b/c",
        "x%5B0%5D=1&y=&x%5B0%5D=%252C+z",
        "(('x[0]', '1'), ('y', ''), ('x[0]', '%2C z'))",
    ]


def test_one_connection_serves_many_requests_with_bodies() -> None:
    with HttpServer(echo) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.connect()
        only_socket = connection.sock
        for number in range(3):
            connection.request("POST", "/", body=b"%d" % number * 100_000, headers={"X-Tone": "low"})
            answer = connection.getresponse()
            assert answer.headers["X-Kind"] == "echo"
            assert answer.read().endswith(b"\nlow\n" + b"%d" % number * 100_000)
            assert connection.sock is only_socket
        connection.close()


def test_a_target_of_a_hundred_kilobytes_is_left_to_the_application() -> None:
    with HttpServer(echo) as server:
        status, body = get(server, "/?summary=" + "x" * 100_000)
    assert status == 200
    assert len(body) > 200_000


def test_pipelined_requests_are_answered_in_order() -> None:
    with HttpServer(echo) as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(3)))
        received = b""
        while received.count(b"HTTP/1.1 200") < 3 or not received.endswith(b"\n\n"):
            received += raw.recv(65536)
    assert received.index(b"GET\n/0\n") < received.index(b"GET\n/1\n") < received.index(b"GET\n/2\n")


def test_head_and_no_content_answers_have_no_body() -> None:
    with answering(Response(200, b"hello")) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        assert (answer.read(), answer.headers["Content-Length"]) == (b"", "5")
        connection.close()
    with answering(Response(204)) as server:
        assert get(server) == (204, b"")


def test_what_is_not_http_is_answered_with_400() -> None:
    with HttpServer(echo) as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"nonsense\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400")


def test_a_reset_before_the_answer_is_a_reset_for_the_client() -> None:
    with answering(Reset()) as server, pytest.raises(ConnectionResetError):
        get(server)


def test_a_reset_in_the_body_lets_the_first_part_through() -> None:
    with answering(Reset(Response(200, b"0123456789"), body_bytes=4)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.read(4) == b"0123"
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            answer.read()
        connection.close()


def test_a_cut_body_is_incomplete_without_a_reset() -> None:
    with answering(Cut(Response(200, b"0123456789"), body_bytes=4)) as server:
        with pytest.raises(http.client.IncompleteRead) as caught:
            get(server)
        assert caught.value.partial == b"0123"


def test_a_cut_without_an_answer_just_ends_the_connection() -> None:
    with answering(Cut()) as server, pytest.raises(http.client.RemoteDisconnected):
        get(server)


def test_silence_outlasts_an_impatient_client() -> None:
    with answering(Hang(30)) as server:
        with pytest.raises(TimeoutError):
            get(server, timeout_s=0.1)
        began = time.monotonic()
    assert time.monotonic() - began < 5  # stopping does not wait for it


def test_silence_ends_without_an_answer() -> None:
    with answering(Hang(0.05)) as server, pytest.raises(http.client.RemoteDisconnected):
        get(server)


def test_a_trickle_takes_its_time_and_is_complete() -> None:
    with answering(Trickle(Response(200, b"x" * 50), bytes_per_s=250)) as server:
        began = time.monotonic()
        assert get(server) == (200, b"x" * 50)
    assert time.monotonic() - began >= 0.15


def test_waiting_requests_do_not_hold_up_others() -> None:
    gate = asyncio.Event()

    async def application(request: Request) -> Answer:
        if request.path == "/slow":
            await gate.wait()
        return Response(200, request.path.encode())

    with HttpServer(application) as server:
        slow = threading.Thread(target=get, args=(server, "/slow"))
        slow.start()
        assert get(server, "/quick") == (200, b"/quick")
        assert slow.is_alive()
        server.call_soon(gate.set)
        slow.join(5)
        assert not slow.is_alive()


def test_refusing_resets_open_connections_and_accepting_brings_the_same_port_back() -> None:
    with HttpServer(echo) as server:
        port = server.port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        connection.getresponse().read()
        server.refuse()
        server.refuse()
        with pytest.raises(ConnectionResetError):
            connection.sock.recv(1)
        connection.close()
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                get(server)
        server.accept()
        server.accept()
        assert (get(server)[0], server.port) == (200, port)


@pytest.mark.parametrize("ending", ["refuse", "stop"])
def test_connections_of_the_very_moment_are_ended_too(ending: str) -> None:
    for _ in range(20):
        with HttpServer(echo) as server:
            connections = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(5)]
            getattr(server, ending)()
            for connection in connections:
                with connection, suppress(ConnectionResetError):
                    assert connection.recv(1) == b""


def test_a_stopped_server_refuses_and_may_start_again_on_its_port() -> None:
    server = HttpServer(echo)
    with pytest.raises(RuntimeError, match="not running"):
        server.call_soon(print)
    server.start()
    server.start()
    port = server.port
    server.stop()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        get(server)
    server.start()
    try:
        assert server.port == port
        assert server.url == f"http://127.0.0.1:{port}"
        assert get(server)[0] == 200
    finally:
        server.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == f"simulator-{port}"]


def test_a_port_that_is_taken_is_an_error_at_the_start() -> None:
    with HttpServer(echo) as first:
        second = HttpServer(echo, port=first.port)
        with pytest.raises(OSError, match="in use"):
            second.start()
        second.stop()


def test_a_bug_of_the_application_is_a_500_and_is_kept() -> None:
    async def application(_request: Request) -> Answer:
        raise LookupError("oh")

    with HttpServer(application) as server:
        assert get(server)[0] == 500
        assert [type(error) for error in server.failures] == [LookupError]


def test_delays_pass_while_a_test_holds_time_still() -> None:
    async def application(_request: Request) -> Answer:
        await asyncio.sleep(0.02)
        return Response(200, b"late")

    with freeze_time("2024-01-01"), HttpServer(application) as server:
        assert get(server) == (200, b"late")


def test_work_can_be_run_on_the_loop() -> None:
    async def double(number: int) -> int:
        return number * 2

    with HttpServer(echo) as server:
        assert server.submit(double(21)).result(5) == 42
        assert not server.on_loop()
        done = threading.Event()
        server.call_soon(done.set)
        assert done.wait(5)


def test_with_tls_it_speaks_https_to_whoever_trusts_its_authority() -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)

    async def secure(request: Request) -> Answer:
        return Response(200, b"secure" if request.secure else b"plain")

    with HttpServer(secure, tls=tls) as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=trusting)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"secure"
        connection.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5).connect()
