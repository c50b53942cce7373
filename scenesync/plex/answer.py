"""Read one answer of HTTP/1.x from a socket, within a deadline.

llhttp, the parser of Node.js, takes it apart (``httptools``). `http.client` reads the few lines of a head with the
parser for e-mails, which takes as much of the processor's time as all else that is done for an edit.
"""

from __future__ import annotations

import time
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from httptools import HttpParserError, HttpResponseParser
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

PATIENCE: Final = 4
"""An answer, from first line to last byte, is given this many read time-outs, and the one that it may be waiting in: a
socket's own begins anew with every byte, and a server may drip."""
LARGEST_BODY_BYTES: Final = 256 * 1024 * 1024

_LONGEST_HEAD_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 64 * 1024
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


class Answer:
    """An answer whose head is there. ``headers`` are in lower case; of several with one name the values are joined.

    Reading raises ProtocolError for an answer that is cut off or is none, HTTPError for one that cannot be taken,
    TimeoutError, and what the socket raises.
    """

    def __init__(self, sock: socket, read_timeout_s: float) -> None:
        self._sock = sock
        self._give_up_at = time.monotonic() + PATIENCE * read_timeout_s
        self._parts = _Parts()
        received_bytes = 0
        while not self._parts.has_head:
            received_bytes += self._take_piece()
            if received_bytes > _LONGEST_HEAD_BYTES and not self._parts.has_head:
                raise ProtocolError("the answer's head does not end")
        self.status = self._parts.status
        self.headers: Mapping[str, str] = self._parts.headers

    def read(self, limit_bytes: int = LARGEST_BODY_BYTES) -> bytes:
        """Return the body. Raises HTTPError where it is longer than the limit."""
        parts = self._parts
        announced_bytes = int(self.headers.get("content-length") or 0)
        while max(parts.body_bytes, announced_bytes) <= limit_bytes and not parts.is_complete:
            self._take_piece()
        if max(parts.body_bytes, announced_bytes) > limit_bytes:
            raise HTTPError("the answer is too large")
        body = b"".join(parts.body)
        return self._decoded(body, limit_bytes) if self.headers.get("content-encoding") else body

    @property
    def leaves_connection_open(self) -> bool:
        """Say, once the body is read, whether the next request may go over the same connection."""
        return self._parts.keeps_alive and not self._parts.has_more

    def _take_piece(self) -> int:
        """Receive once, and return how many bytes that brought."""
        if time.monotonic() > self._give_up_at:
            raise TimeoutError("the answer came too slowly")
        piece = self._sock.recv(_PIECE_BYTES)
        if piece:
            self._parts.feed(piece)
        else:
            self._parts.end()
        return len(piece)

    def _decoded(self, body: bytes, limit_bytes: int) -> bytes:
        """Return a body as it was before it was packed: nobody asked for that, but a proxy may do it all the same."""
        if self.headers["content-encoding"].lower() not in {"gzip", "x-gzip", "deflate"}:
            return body
        try:
            unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
            plain = unpacking.decompress(body, limit_bytes)
        except zlib.error as error:
            raise DecodeError("the answer cannot be unpacked") from error
        if not unpacking.eof:
            raise HTTPError("the answer is too large, or ends too early")
        return plain


class _Parts:
    """What the parser found so far; its methods ``on_…`` are the parser's to call."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.body_bytes = 0
        self.has_head = False
        self.is_complete = False
        self.has_more = False
        """Something follows the answer, to which no request belongs."""
        self.keeps_alive = False
        self._parser = HttpResponseParser(self)
        # As http.client has it: folded headers are headers, and bare line feeds end lines.
        self._parser.set_dangerous_leniencies(lenient_headers=True, lenient_optional_cr_before_lf=True)

    def feed(self, piece: bytes) -> None:
        """Take in what came. Raises ProtocolError for what is no answer, HTTPError for a body out of order."""
        try:
            self._parser.feed_data(piece)
        except HttpParserError as error:
            if self.is_complete:
                self.has_more = True
            elif self.has_head:
                raise HTTPError("the answer's pieces cannot be told apart") from error
            else:
                raise ProtocolError("this is no answer of HTTP/1") from error

    def end(self) -> None:
        """Hear that the connection ended. Raises ProtocolError unless that is how the answer ends."""
        says_length = "content-length" in self.headers or "transfer-encoding" in self.headers
        if not self.has_head or says_length:
            raise ProtocolError("the connection ended in the middle of the answer")
        self.is_complete = True

    def on_message_begin(self) -> None:
        """Forget an announcement of the answer (status 1xx)."""
        if self.is_complete:
            self.has_more = True
        else:
            self.headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, and do not mistake a trailer for one."""
        if not self.has_head:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """Know the status, if it is a final one."""
        if self.has_head:
            return
        self.status = self._parser.get_status_code()
        self.has_head = self.status >= HTTPStatus.OK
        self.keeps_alive = self._parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        if not self.is_complete:
            self.body.append(piece)
            self.body_bytes += len(piece)

    def on_message_complete(self) -> None:
        """Know that all of it is there, if it was no announcement."""
        self.is_complete = self.has_head
