"""A loopback HTTP server that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# Made for these tests and used by nothing else; for the name stash.example, until 2126.
_KEY = """MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8Rw7tNfNhW5VDurK
1HEIEzeP57S3c3FWQ/hleb5QTpehRANCAASzFRqiiqKHpdyHUR98dN5WUGXy/FXf
NAhaGvigGNrO0lg3qZLdvDVLQ7Fy72xXWkDk5ulbGeJLyc37VlPuk4HN"""
_CERTIFICATE = """MIIBhzCCAS2gAwIBAgIUCq28vvWKqVgHsHraa4ItP4FbXZowCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNc3Rhc2guZXhhbXBsZTAgFw0yNjExMjMyMzM4MjNaGA8yMTI2
MTAzMDIzMzgyM1owGDEWMBQGA1UEAwwNc3Rhc2guZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABLMVGqKKooel3IdRH3x03lZQZfL8Vd80CFoa+KAY2s7S
WDepkt28NUtDsXLvbFdaQOTm6VsZ4kvJzftWU+6Tgc2jUzBRMB0GA1UdDgQWBBQ5
7TPKXSjg7nmgd4C+9BuAYfZhbzAfBgNVHSMEGDAWgBQ57TPKXSjg7nmgd4C+9BuA
YfZhbzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCSxCZRQaBU
D3baHHft0SfkK0VFL+X53l3iSFLF2oZByAIgbcK9+QdC2p3O9Pxkfw6aGLzZ9Ots
fSnhy+aXl6utEqY="""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request; ``document`` is the GraphQL body, {} for anything else."""

    method: str
    path: str
    headers: Mapping[str, str]
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def variables(self) -> Mapping[str, Any]:
        variables: Mapping[str, Any] = self.document["variables"]
        return variables


@dataclass(frozen=True, slots=True)
class Reply:
    """``missing_bytes`` are announced and never sent; ``resets`` cuts the connection before any answer."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0
    missing_bytes: int = 0
    resets: bool = False
    raw: bytes | None = None


def graphql(data: object = None, errors: list[dict[str, Any]] | None = None, *, status: int = 200) -> Reply:
    """Answer as Stash does: without ``errors`` when there are none."""
    document = ({"errors": errors} if errors else {}) | {"data": data}
    return Reply(status, json.dumps(document).encode(), (("Content-Type", "application/json"),))


def picture(content: bytes, media_type: str, etag: str = "") -> Reply:
    headers = (("Content-Type", media_type), *((("ETag", etag),) if etag else ()))
    return Reply(200, content, headers)


class StubStash:
    """``answers`` maps an operation name, or the path of a GET, to a reply or a function that makes one."""

    def __init__(self, *, tls_folder: Path | None = None) -> None:
        self.answers: dict[str, Reply | Callable[[Seen], Reply]] = {}
        self.seen: list[Seen] = []
        self.scheme = "http"
        self._server = _Server(self)
        self.port = int(self._server.server_address[1])
        if tls_folder is not None:
            self.scheme = "https"
            self._server.socket = _wrap(self._server.socket, tls_folder)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def operations(self) -> list[str]:
        return [str(seen.document.get("operationName", seen.path)) for seen in self.seen]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply_to(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        name = str(seen.document["operationName"]) if seen.document else seen.path.partition("?")[0]
        answer = self.answers.get(name, self.answers.get("*"))
        if answer is None:
            return Reply(599, f"the test has no answer for {name}".encode())
        return answer if isinstance(answer, Reply) else answer(seen)


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, stub: StubStash) -> None:
        super().__init__(("127.0.0.1", 0), _Speaker)
        self.stub = stub

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that break a connection on purpose are what is tested."""


class _Speaker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: tests look at ``seen``."""

    def _answer(self, document: Mapping[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.stub.reply_to(Seen(self.command, self.path, headers, document))
        time.sleep(reply.delay_s)
        self.close_connection = reply.resets or reply.raw is not None or reply.missing_bytes > 0
        try:
            if reply.resets:
                # Linger 0 makes the close a reset, as a killed process or a router does it.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif reply.raw is not None:
                self.wfile.write(reply.raw)
            else:
                self._send(reply)
        except OSError:
            self.close_connection = True  # the client has seen enough: tests of limits and time-outs do this

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status != 304:
            self.send_header("Content-Length", str(len(reply.body) + reply.missing_bytes))
        self.end_headers()
        self.wfile.write(reply.body)


def _wrap(listener: socket.socket, folder: Path) -> ssl.SSLSocket:
    pem = folder / "stub.pem"
    kinds = (("PRIVATE KEY", _KEY), ("CERTIFICATE", _CERTIFICATE))
    pem.write_text("".join(f"-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n" for kind, text in kinds))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context.wrap_socket(listener, server_side=True)
