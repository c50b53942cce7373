"""Connections to one server, kept for the requests to come.

Connecting, with all of TLS, is urllib3's; its pool is not, since that one encodes each request line anew, character by
character, and ours, which hold whole edits, are encoded already. A request is put on the wire in one piece.
"""

from __future__ import annotations

import contextlib
import queue
import re
import ssl
import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ClosedPoolError,
    EmptyPoolError,
    HTTPError,
    LocationValueError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from scenesync.plex.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from socket import socket

_PORTS: Final = {"http": 80, "https": 443}
_UNSENDABLE: Final = re.compile(r"[^!-~]")
_WITH_BODY: Final = frozenset({"PUT", "POST"})
"""A server may wait for the body of these unless it is told that there is none."""
_PIECE_BYTES: Final = 64 * 1024
_SURELY_OPEN_S: Final = 0.1
"""No server that lives closes a connection so soon after an answer, without having said so in it. To look costs a turn
of the interpreter, right before an edit."""
_Free = tuple[HTTPConnection, float] | None
"""A connection and when (monotonic) it was used last, or the place of one that is not open yet."""


class Connections:
    """Lends out connections to the server of ``url``, one per request. Thread-safe.

    At most ``size`` are kept, and only so many are ever open, unless ``may_exceed``. ``tls`` are the options of a TLS
    connection. Raises ``LocationParseError`` for an address that cannot be read.
    """

    def __init__(self, url: str, *, size: int, may_exceed: bool = False, tls: Mapping[str, object]) -> None:
        parts = urllib3.util.parse_url(url)
        host = (parts.host or "").strip("[]")
        port = parts.port or _PORTS[parts.scheme or "http"]
        self.address = f"{parts.scheme}://{host}:{port}"
        self._connect = (
            partial(HTTPSConnection, host, port, **tls)  # type: ignore[arg-type]  # options by name, of any type
            if parts.scheme == "https"
            else partial(HTTPConnection, host, port)
        )
        self._may_exceed = may_exceed
        self._is_over = threading.Event()
        self._free: queue.LifoQueue[_Free] = queue.LifoQueue(size)
        for _ in range(size):
            self._free.put(None)
        weakref.finalize(self, _close_idle, self._free)

    @contextlib.contextmanager
    def lent(self, wait_s: float) -> Iterator[HTTPConnection]:
        """Lend a connection for the block, which reads its answer to the end; it is closed where the block fails.

        Raises EmptyPoolError if none becomes free within ``wait_s``, ClosedPoolError once closed, also while waiting.
        """
        connection = self._take(wait_s)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close what is idle; what is lent is closed as it comes back, and nothing is lent any more."""
        self._is_over.set()
        _close_idle(self._free)
        self._wake_one()

    def _take(self, wait_s: float) -> HTTPConnection:
        if self._is_over.is_set():
            raise _closed()
        try:
            free = self._free.get(block=not self._may_exceed, timeout=wait_s)
        except queue.Empty:
            if not self._may_exceed:
                raise EmptyPoolError(None, "no connection became free") from None  # type: ignore[arg-type]  # as above
            free = None
        if self._is_over.is_set():  # meanwhile
            if free is not None:
                free[0].close()
            self._wake_one()
            raise _closed()
        if free is None:
            return self._connect()
        connection, used_at = free
        # The server may have closed it meanwhile: then the next request connects again.
        if time.monotonic() - used_at > _SURELY_OPEN_S and not connection.is_connected:
            connection.close()
        return connection

    def _give_back(self, connection: HTTPConnection) -> None:
        try:
            self._free.put_nowait((connection, time.monotonic()))
        except queue.Full:  # one more than are kept
            connection.close()
        if self._is_over.is_set():
            self.close()

    def _wake_one(self) -> None:
        """Let one who waits find out that all is closed; that one wakes the next."""
        with contextlib.suppress(queue.Full):  # then nobody waits
            self._free.put_nowait(None)


def _closed() -> ClosedPoolError:
    return ClosedPoolError(None, "the connections are closed")  # type: ignore[arg-type]  # there is no pool


def _close_idle(free: queue.LifoQueue[_Free]) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            place = free.get_nowait()
            if place is not None:
                place[0].close()


def begin_request(
    connection: HTTPConnection,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    connect_timeout_s: float,
    read_timeout_s: float,
) -> Answer:
    """Send a request and return its answer as soon as that begins; ``target`` goes out as it is.

    Raises the exceptions of urllib3 as its pool would: what the system or the TLS library raises becomes one of them.
    SSLError is raised by connecting alone, before anything was sent: TLS that breaks later is a ProtocolError.
    """
    if _UNSENDABLE.search(target):
        raise LocationValueError("a request line has characters that none may have")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {_host_of(connection)}", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is None and method in _WITH_BODY:
        lines.append("Content-Length: 0")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    try:
        sock = _socket_of(connection, connect_timeout_s)
        # A server may answer, and close, before it has read all of a body: the answer says why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(head)
            # In pieces, each with its own time-out: at once a picture might need too long.
            for start in range(0, len(body or b""), _PIECE_BYTES):
                sock.sendall(memoryview(body or b"")[start : start + _PIECE_BYTES])
        sock.settimeout(read_timeout_s)
        return Answer(sock, read_timeout_s)
    except OSError as error:
        raise _as_urllib3_says(error) from error


def finish(connection: HTTPConnection, answer: Answer) -> bytes:
    """Return the body of an answer, and close the connection if it cannot be used any more.

    Raises as ``begin_request``.
    """
    try:
        body = answer.read()
    except OSError as error:
        raise _as_urllib3_says(error) from error
    if not answer.leaves_connection_open:
        connection.close()
    return body


def _socket_of(connection: HTTPConnection, connect_timeout_s: float) -> socket:
    if connection.sock is None:
        connection.timeout = connect_timeout_s
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise SSLError(error) from error
    sock: socket = connection.sock
    sock.settimeout(connect_timeout_s)
    return sock


def _host_of(connection: HTTPConnection) -> str:
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    return host if connection.port == connection.default_port else f"{host}:{connection.port}"


def _as_urllib3_says(error: OSError) -> HTTPError:
    if isinstance(error, TimeoutError):
        return ReadTimeoutError(None, "", "the server did not answer in time")  # type: ignore[arg-type]  # no pool
    return ProtocolError("the connection broke", error)
