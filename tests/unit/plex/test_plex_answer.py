"""One answer read from a socket: whole, in pieces, packed, without end, or no answer at all."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError

from scenesync.plex.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable


def answer_to(wire: bytes | Iterable[bytes], *, ends: bool = True, limit_bytes: int = 10_000) -> tuple[Answer, bytes]:
    """Read the answer that a server sends, in these pieces, and its body."""
    pieces = [wire] if isinstance(wire, bytes) else list(wire)
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        ours.settimeout(2)

        def send() -> None:
            for piece in pieces:
                theirs.sendall(piece)
            if ends:
                theirs.shutdown(socket.SHUT_WR)

        sending = threading.Thread(target=send)
        sending.start()
        try:
            answer = Answer(ours, read_timeout_s=2)
            return answer, answer.read(limit_bytes)
        finally:
            sending.join()


def one_by_one(wire: bytes) -> list[bytes]:
    return [wire[place : place + 1] for place in range(len(wire))]


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-One: a\r\nX-One:b\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;name=value\r\nhel\r\n02\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n"
)


@pytest.mark.parametrize("wire", [PLAIN, CHUNKED, PLAIN.replace(b"\r\n", b"\n")])
@pytest.mark.parametrize("cut", [lambda wire: wire, one_by_one])
def test_an_answer_is_read_whatever_pieces_it_comes_in(wire: bytes, cut: object) -> None:
    assert callable(cut)
    answer, body = answer_to(cut(wire), ends=False)

    assert (answer.status, body) == (200, b"hello")
    assert answer.leaves_connection_open


def test_headers_answer_in_lower_case_and_are_joined() -> None:
    answer, _ = answer_to(PLAIN, ends=False)

    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-one"] == "a, b"


def test_a_folded_header_is_one() -> None:
    answer, _ = answer_to(b"HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\nContent-Length: 0\r\n\r\n", ends=False)

    assert answer.headers == {"x-long": "a b", "content-length": "0"}


def test_only_the_ends_of_lines_end_a_line() -> None:
    answer, _ = answer_to(
        b"HTTP/1.1 200 OK\r\nX-Name: \xc3\x85sa\x85Content-Length: 3\r\nContent-Length: 0\r\n\r\n", ends=False
    )

    assert answer.headers["content-length"] == "0"
    assert answer.headers["x-name"].endswith("Content-Length: 3")


def test_a_trailer_is_no_header() -> None:
    answer, _ = answer_to(CHUNKED, ends=False)

    assert "x-trailer" not in answer.headers


def test_what_comes_before_the_answer_is_passed_over() -> None:
    answer, body = answer_to(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + PLAIN)

    assert (answer.status, body) == (200, b"hello")
    assert "link" not in answer.headers


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body(status: int) -> None:
    answer, body = answer_to(b"HTTP/1.1 %d x\r\nContent-Length: 5\r\n\r\n" % status, ends=False)

    assert (answer.status, body) == (status, b"")


def test_without_a_length_the_body_ends_with_the_connection() -> None:
    answer, body = answer_to(b"HTTP/1.1 200\r\n\r\nhello")

    assert body == b"hello"
    assert not answer.leaves_connection_open


@pytest.mark.parametrize(
    ("head", "stays"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_a_connection_is_kept_where_the_server_keeps_it(head: bytes, stays: bool) -> None:  # noqa: FBT001 - a table
    answer, _ = answer_to(head + b"Content-Length: 0\r\n\r\n", ends=False)

    assert answer.leaves_connection_open is stays


def test_a_connection_with_more_than_the_answer_in_it_is_not_used_again() -> None:
    answer, body = answer_to(PLAIN + b"HTTP/1.1 200 OK\r\n", ends=False)

    assert body == b"hello"
    assert not answer.leaves_connection_open


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_a_proxy_packed_is_unpacked(encoding: str) -> None:
    packed = gzip.compress(b"hello") if encoding == "gzip" else zlib.compress(b"hello")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n"

    _, body = answer_to(head.encode() + packed, ends=False)

    assert body == b"hello"


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
    ],
)
def test_what_is_no_complete_answer_is_none(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        answer_to(wire)


def test_another_protocol_is_known_at_once_though_the_connection_stays_open() -> None:
    with pytest.raises(ProtocolError):
        answer_to(b"220 mail.example ESMTP\r\n", ends=False)


@pytest.mark.parametrize("pieces", [b"five\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloo\r\n0\r\n\r\n"])
def test_a_piece_that_is_not_as_long_as_it_says_is_garbled(pieces: bytes) -> None:
    with pytest.raises(HTTPError, match="cannot be told apart"):
        answer_to(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces)


def test_what_cannot_be_unpacked_is_garbled() -> None:
    with pytest.raises(DecodeError):
        answer_to(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 20_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + b"a" * 5000 + b"\r\n1389\r\n" + b"a" * 5001,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"a" * 20_000, mtime=0),
    ],
)
def test_no_more_is_read_than_there_is_room_for(wire: bytes) -> None:
    with pytest.raises(HTTPError, match="too large"):
        answer_to(wire)
