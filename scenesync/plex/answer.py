"""Read one answer of HTTP/1.x from a socket (RFC 9112), within a deadline.

`http.client` reads the few lines of a head with the parser for e-mails, which takes as much time as all else that is
done for an edit. What is lenient there is lenient here: bare line feeds, folded lines, a body that ends with the
connection.
"""

from __future__ import annotations

import re
import time
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

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
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_END_OF_LINE: Final = re.compile(rb"\r?\n")
_STATUS_LINE: Final = re.compile(r"HTTP/1\.(\d) (\d{3})(?: .*)?")
_PROTOCOL: Final = b"HTTP/1."
_CHUNK_SIZE: Final = re.compile(rb"\s*([0-9A-Fa-f]{1,15})\s*(?:;.*)?")
_NO_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


class Answer:
    """An answer whose head is there. ``headers`` are in lower case; of several with one name the values are joined.

    Reading raises ProtocolError for an answer that is cut off, HTTPError for one that cannot be taken, TimeoutError,
    and what the socket raises.
    """

    def __init__(self, sock: socket, read_timeout_s: float) -> None:
        self._sock = sock
        self._give_up_at = time.monotonic() + PATIENCE * read_timeout_s
        self._came = b""
        self._is_to_be_closed = False
        self.status = 0
        self.headers: Mapping[str, str] = {}
        while self.status < HTTPStatus.OK:  # those below announce another one
            self._read_head()

    def read(self, limit_bytes: int = LARGEST_BODY_BYTES) -> bytes:
        """Return the body. Raises HTTPError where it is longer than the limit."""
        body = self._body(limit_bytes)
        return self._decoded(body, limit_bytes) if self.headers.get("content-encoding") else body

    @property
    def leaves_connection_open(self) -> bool:
        """Say, once the body is read, whether the next request may go over the same connection."""
        return not self._is_to_be_closed and not self._came

    def _read_head(self) -> None:
        while (end := _END_OF_HEAD.search(self._came)) is None:
            if not _PROTOCOL.startswith(self._came[: len(_PROTOCOL)]):
                raise ProtocolError("this is no answer of HTTP/1")
            if len(self._came) > _LONGEST_HEAD_BYTES:
                raise ProtocolError("the answer's head does not end")
            self._came += self._receive()
        head, self._came = self._came[: end.start()], self._came[end.end() :]
        first, *lines = head.decode("latin-1").splitlines()
        status_line = _STATUS_LINE.fullmatch(first)
        if status_line is None:
            raise ProtocolError("this is no answer of HTTP/1")
        self.status = int(status_line[2])
        self.headers = _headers(lines)
        connection = self.headers.get("connection", "").lower()
        self._is_to_be_closed = "close" in connection or (status_line[1] == "0" and "keep-alive" not in connection)

    def _body(self, limit_bytes: int) -> bytes:
        if self.status in _NO_BODY:
            return b""
        if self.headers.get("transfer-encoding", "").lower().endswith("chunked"):
            return self._chunks(limit_bytes)
        length = self.headers.get("content-length")
        if length is None:
            self._is_to_be_closed = True
            return self._rest(limit_bytes)
        if not (length.isascii() and length.isdigit()):
            raise ProtocolError("the answer does not say how long it is")
        return self._take(int(length), limit_bytes)

    def _chunks(self, limit_bytes: int) -> bytes:
        chunks: list[bytes] = []
        while True:
            size_line = self._line()
            size = _CHUNK_SIZE.fullmatch(size_line)
            if size is None:
                raise HTTPError("the answer's pieces cannot be told apart")
            size_bytes = int(size[1], 16)
            if not size_bytes:
                break
            limit_bytes -= size_bytes
            chunks.append(self._take(size_bytes, limit_bytes + size_bytes))
            if self._line():
                raise ProtocolError("a piece of the answer does not end where it should")
        while self._line():
            pass  # trailers, which say nothing that is needed
        return b"".join(chunks)

    def _take(self, size_bytes: int, limit_bytes: int) -> bytes:
        """Return the next bytes."""
        if size_bytes > limit_bytes:
            raise HTTPError("the answer is too large")
        pieces, missing_bytes = [self._came], size_bytes - len(self._came)
        while missing_bytes > 0:
            pieces.append(self._receive())
            missing_bytes -= len(pieces[-1])
        came = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._came = came[size_bytes:]
        return came[:size_bytes]

    def _rest(self, limit_bytes: int) -> bytes:
        pieces, size_bytes = [self._came], len(self._came)
        self._came = b""
        while size_bytes <= limit_bytes and (piece := self._piece()):
            pieces.append(piece)
            size_bytes += len(piece)
        if size_bytes > limit_bytes:
            raise HTTPError("the answer is too large")
        return b"".join(pieces)

    def _line(self) -> bytes:
        while (end := _END_OF_LINE.search(self._came)) is None:
            if len(self._came) > _LONGEST_HEAD_BYTES:
                raise ProtocolError("a line of the answer does not end")
            self._came += self._receive()
        line, self._came = self._came[: end.start()], self._came[end.end() :]
        return line

    def _receive(self) -> bytes:
        piece = self._piece()
        if not piece:
            raise ProtocolError("the connection ended in the middle of the answer")
        return piece

    def _piece(self) -> bytes:
        if time.monotonic() > self._give_up_at:
            raise TimeoutError("the answer came too slowly")
        return self._sock.recv(_PIECE_BYTES)

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


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in {" ", "\t"} and name:  # a folded line
            headers[name] += f" {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower() if colon else ""
        if name:
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return headers
