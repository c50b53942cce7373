"""Connections to one server, kept for the requests to come.

The connections are urllib3's, its pool is not: that one encodes each request line anew, character by character, and
ours, which hold whole edits, are encoded already.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import ssl
import weakref
from functools import partial
from typing import TYPE_CHECKING, Final

import urllib3
from urllib3.exceptions import ClosedPoolError, EmptyPoolError, ProtocolError, ReadTimeoutError, SSLError

from scenesync.plex.deadline import TimedConnection, TimedTlsConnection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BytesIO

    from urllib3.connection import HTTPConnection

_PORTS: Final = {"http": 80, "https": 443}


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
            partial(TimedTlsConnection, host, port, **tls)  # type: ignore[arg-type]  # options by name, of any type
            if parts.scheme == "https"
            else partial(TimedConnection, host, port)
        )
        self._may_exceed = may_exceed
        self._is_closed = False
        self._free: queue.LifoQueue[HTTPConnection | None] = queue.LifoQueue(size)
        for _ in range(size):
            self._free.put(None)
        weakref.finalize(self, _close_idle, self._free)

    @contextlib.contextmanager
    def lent(self, wait_s: float) -> Iterator[HTTPConnection]:
        """Lend a connection for the block, which reads its answer to the end; it is closed where the block fails.

        Raises EmptyPoolError if none becomes free within ``wait_s``, ClosedPoolError after ``close``.
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
        self._is_closed = True
        _close_idle(self._free)

    def _take(self, wait_s: float) -> HTTPConnection:
        if self._is_closed:
            raise ClosedPoolError(None, "the connections are closed")  # type: ignore[arg-type]  # there is no pool
        try:
            free = self._free.get(block=not self._may_exceed, timeout=wait_s)
        except queue.Empty:
            if not self._may_exceed:
                raise EmptyPoolError(None, "no connection became free") from None  # type: ignore[arg-type]  # as above
            free = None
        if free is None:
            return self._connect()
        if not free.is_connected:  # the server closed it meanwhile: the next request connects again
            free.close()
        return free

    def _give_back(self, connection: HTTPConnection) -> None:
        try:
            self._free.put_nowait(connection)
        except queue.Full:  # one more than are kept
            connection.close()
        if self._is_closed:
            self.close()


def _close_idle(free: queue.LifoQueue[HTTPConnection | None]) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            connection = free.get_nowait()
            if connection is not None:
                connection.close()


def begin_request(
    connection: HTTPConnection,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: BytesIO | None,
    connect_timeout_s: float,
    read_timeout_s: float,
) -> urllib3.HTTPResponse:
    """Send a request and return its answer as soon as that begins; ``target`` goes out as it is.

    Raises the exceptions of urllib3 as its pool would: what the system, the TLS library or `http.client` raises
    becomes one of them.
    """
    connection.timeout = connect_timeout_s
    try:
        if connection.is_closed:
            connection.connect()
        # A server may answer, and close, before it has read all of a body: the answer says why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, body=body, headers=headers, preload_content=False)
        connection.timeout = read_timeout_s
        return connection.getresponse()
    except TimeoutError as error:
        raise ReadTimeoutError(None, "", "the server did not answer in time") from error  # type: ignore[arg-type]
    except ssl.SSLError as error:
        raise SSLError(error) from error
    except (OSError, http.client.HTTPException) as error:
        raise ProtocolError("the connection broke", error) from error
