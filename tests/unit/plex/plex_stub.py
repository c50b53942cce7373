"""A scripted HTTP server on loopback: records what the client sends, answers or fails as told."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import ssl
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

IDENTITY = {"MediaContainer": {"size": 0, "claimed": True, "machineIdentifier": "m-1", "version": "1.43.2.1"}}
CERTIFICATE = Path(__file__).with_name("loopback.pem")


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True, strict_parsing=True)


@dataclass(frozen=True)
class Reply:
    """An answer, or a fault."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    """"reset" or "close" before an answer, "silence", "cut" and "stall" in the middle of the body, "chunk";
    "drip" and "drip body" send one byte after the other; "no tls" sends what is none where TLS is spoken."""


def json_reply(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})


class PlexStub(socketserver.ThreadingTCPServer):
    """``replies`` are used one after the other, then ``default``; ``/identity`` has its own, ``identity``."""

    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, *, tls: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if self._tls:
            self._tls.load_cert_chain(CERTIFICATE)
        self.seen: list[Seen] = []
        self.replies: deque[Reply] = deque()
        self.default = Reply()
        self.identity = json_reply(IDENTITY)
        self.judge: Callable[[Seen], Reply | None] = lambda _seen: None
        self.stopping = threading.Event()
        self.live: set[socket.socket] = set()
        self.accepted = 0
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    @property
    def asked(self) -> list[str]:
        """Method and path of every request but those for the identity."""
        return [f"{seen.method} {seen.path}" for seen in self.seen if seen.path != "/identity"]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        for connection in list(self.live):
            with_errors_ignored(connection.shutdown, socket.SHUT_RDWR)
        self.server_close()

    def reply_to(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        if seen.path == "/identity":
            return self.identity
        return self.judge(seen) or (self.replies.popleft() if self.replies else self.default)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.accepted += 1
        return connection, address

    def secured(self, connection: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are the point of these tests."""


class _Connection(socketserver.BaseRequestHandler):
    server: PlexStub

    def handle(self) -> None:
        self.server.live.add(self.request)
        connection = self.request
        try:
            connection = self.server.secured(self.request)
            with connection.makefile("rb") as incoming:
                while (seen := _read_request(incoming)) is not None and self._answer(connection, seen):
                    pass
        except (OSError, ssl.SSLError):
            pass  # the client went away
        finally:
            self.server.live.discard(self.request)
            connection.close()

    def _answer(self, connection: socket.socket, seen: Seen) -> bool:
        """Answer; return whether the connection goes on."""
        reply = self.server.reply_to(seen)
        if reply.fault == "silence":
            self.server.stopping.wait(30)
            return False
        if reply.fault == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if reply.fault == "close":
            return False
        if reply.fault == "no tls":
            os.write(connection.fileno(), b"HTTP/1.1 200 x\r\n\r\n")
            return False
        headers = {"Content-Length": str(len(reply.body)), **reply.headers}
        if reply.fault == "chunk":
            headers = {"Transfer-Encoding": "chunked", **reply.headers}
        head = f"HTTP/1.1 {reply.status} x\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if not reply.fault:
            connection.sendall(head.encode() + b"\r\n" + reply.body)
            return True
        if reply.fault == "drip":
            self._drip(connection, head.encode() + b"\r\n" + reply.body)
        elif reply.fault == "drip body":
            connection.sendall(head.encode() + b"\r\n")
            self._drip(connection, reply.body)
        else:
            connection.sendall(head.encode() + b"\r\n")
            self._spoil_body(connection, reply)
        return False

    def _drip(self, connection: socket.socket, content: bytes) -> None:
        for byte in content:
            connection.sendall(bytes([byte]))
            if self.server.stopping.wait(0.05):
                break

    def _spoil_body(self, connection: socket.socket, reply: Reply) -> None:
        half = reply.body[: len(reply.body) // 2]
        if reply.fault == "cut":
            connection.sendall(half)
        elif reply.fault == "stall":
            connection.sendall(half)
            self.server.stopping.wait(30)
        elif reply.fault == "chunk":
            connection.sendall(b"%x\r\n" % len(reply.body) + half)


def _read_request(incoming: BinaryIO) -> Seen | None:
    line = incoming.readline(1_000_000).decode("latin-1").rstrip("\r\n")
    if not line:
        return None
    method, target, _version = line.split(" ")
    headers: dict[str, str] = {}
    while header := incoming.readline(100_000).decode("latin-1").rstrip("\r\n"):
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Seen(method, target, headers, incoming.read(int(headers.get("content-length", "0"))))


def with_errors_ignored(action: Callable[..., object], *arguments: object) -> None:
    try:
        action(*arguments)
    except OSError:
        return
