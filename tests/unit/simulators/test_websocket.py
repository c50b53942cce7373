"""The simulated servers' end of a websocket, spoken to by an independent client."""

from __future__ import annotations

import http.client
import threading
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from scenesync.simulators.http_server import Answer, HttpServer, Request, Response, Upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.simulators.websocket import WebSocket


class Echoing:
    """An application that upgrades whoever asks at /echo, and sends every text back."""

    def __init__(self) -> None:
        self.opened: list[WebSocket] = []
        self.ended = threading.Event()

    async def answer(self, request: Request) -> Answer:
        if request.path != "/echo":
            return Response(404)
        offered = request.headers.get("sec-websocket-protocol", "")
        return Upgrade(self._open, subprotocol="graphql-transport-ws" if "graphql-transport-ws" in offered else None)

    def _open(self, websocket: WebSocket) -> None:
        self.opened.append(websocket)
        websocket.on_text = websocket.send_text
        websocket.on_end = self.ended.set


@pytest.fixture
def echoing() -> Echoing:
    return Echoing()


@pytest.fixture
def server(echoing: Echoing) -> Iterator[HttpServer]:
    with HttpServer(echoing.answer) as server:
        yield server


def address(server: HttpServer) -> str:
    return f"ws://127.0.0.1:{server.port}/echo"


def test_texts_of_any_length_go_both_ways_and_pings_are_answered(server: HttpServer) -> None:
    with connect(address(server)) as websocket:
        for text in ("harbour", "", "å" * 200_000):
            websocket.send(text)
            assert websocket.recv(timeout=5) == text
        assert websocket.ping().wait(5)


def test_a_subprotocol_is_agreed_on(server: HttpServer) -> None:
    with connect(address(server), subprotocols=["graphql-transport-ws"]) as websocket:  # type: ignore[list-item]  # a NewType of str
        assert websocket.subprotocol == "graphql-transport-ws"


def test_the_end_is_told_when_the_client_leaves(server: HttpServer, echoing: Echoing) -> None:
    with connect(address(server)) as websocket:
        websocket.send("hello")
        websocket.recv(timeout=5)
        assert not echoing.ended.is_set()
    assert echoing.ended.wait(5)


def test_the_server_closes_with_a_code(server: HttpServer, echoing: Echoing) -> None:
    with connect(address(server)) as websocket:
        websocket.send("hello")
        websocket.recv(timeout=5)
        server.call_soon(echoing.opened[0].close, 4400, "no such subscription")
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4400, "no such subscription")


def test_refusing_connections_resets_open_websockets_too(server: HttpServer, echoing: Echoing) -> None:
    with connect(address(server)) as websocket:
        websocket.send("hello")
        websocket.recv(timeout=5)
        server.refuse()
        with pytest.raises(ConnectionClosed):
            websocket.recv(timeout=5)
    assert echoing.ended.wait(5)
    with pytest.raises(ConnectionRefusedError):
        connect(address(server))
    server.accept()
    with connect(address(server)) as websocket:
        websocket.send("again")
        assert websocket.recv(timeout=5) == "again"


def test_a_deaf_websocket_answers_nothing_and_stays_open(server: HttpServer, echoing: Echoing) -> None:
    with connect(address(server), close_timeout=0.1) as websocket:
        websocket.send("hello")
        websocket.recv(timeout=5)
        echoing.opened[0].deaf = True
        assert not websocket.ping().wait(0.2)
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=0.1)


def test_other_paths_and_requests_that_are_no_upgrade_are_answered_as_ever(server: HttpServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{server.port}/elsewhere")
    assert refused.value.response.status_code == 404
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    for _ in range(2):  # the connection stays usable
        connection.request("GET", "/echo")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 400
    connection.close()
