"""A deadline for a whole answer: a socket's time-out begins anew with every byte, and a server may drip."""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Final

from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from socket import socket

PATIENCE: Final = 4
"""An answer, from first line to last byte, is given this many read time-outs, and the one that it may be waiting in."""


class _Until(io.RawIOBase):
    """Reads from ``source`` until the deadline; then TimeoutError, which urllib3 takes for a read time-out."""

    def __init__(self, source: io.RawIOBase, give_up_at: float) -> None:
        self._source = source
        self._give_up_at = give_up_at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int | None:  # type: ignore[override]
        if time.monotonic() > self._give_up_at:
            raise TimeoutError("the answer came too slowly")
        return self._source.readinto(buffer)

    def close(self) -> None:
        self._source.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """An answer that has to be complete before its deadline."""

    def __init__(self, sock: socket, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        read_timeout_s = sock.gettimeout()
        if read_timeout_s is not None:
            self.fp = io.BufferedReader(_Until(self.fp.detach(), time.monotonic() + PATIENCE * read_timeout_s))


class TimedConnection(HTTPConnection):
    """A connection whose answers have to be complete before their deadline."""

    response_class = _TimedResponse


class TimedTlsConnection(HTTPSConnection):
    """The same over TLS."""

    response_class = _TimedResponse
