"""TLS that threads share, against a server of the standard library on the other end of a real connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from scenesync.network.tls_socket import TlsSocket, TlsWrapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORD_BYTES = 16 * 1024


class Certified:
    """A certificate for ``127.0.0.1``, and who believes it."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self.server)
        self.client = ssl.create_default_context()
        authority.configure_trust(self.client)


@pytest.fixture(scope="module")
def certified() -> Certified:
    return Certified()


@contextmanager
def served(serve: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """Let ``serve`` have the server's end in a thread of its own; yield the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=10)
        server, _ = listener.accept()
    server.settimeout(10)

    def run() -> None:
        with server:
            serve(server)

    thread = threading.Thread(target=run)
    thread.start()
    with client:
        yield client
    thread.join(10)
    assert not thread.is_alive()


@contextmanager
def talking(certified: Certified, talk: Callable[[ssl.SSLSocket], None]) -> Iterator[TlsSocket]:
    def serve(raw: socket.socket) -> None:
        with certified.server.wrap_socket(raw, server_side=True) as secure:
            talk(secure)

    with served(serve) as client:
        wrapped = TlsWrapping(certified.client).wrap_socket(client, server_hostname="127.0.0.1")
        try:
            yield wrapped
        finally:
            wrapped.close()


def receive_exactly(connection: TlsSocket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        piece = connection.recv(65_536)
        assert piece, "the connection ended early"
        received += piece
    return bytes(received)


def echo(secure: ssl.SSLSocket) -> None:
    while data := secure.recv(65_536):
        secure.sendall(data)


def test_what_one_thread_sends_comes_back_to_another_whole_and_in_order(certified: Certified) -> None:
    sent = bytes(number % 251 for number in range(40 * RECORD_BYTES + 7))
    with talking(certified, echo) as connection:

        def send() -> None:
            for start in range(0, len(sent), 5_000):
                connection.sendall(sent[start : start + 5_000])

        thread = threading.Thread(target=send)
        thread.start()
        received = receive_exactly(connection, len(sent))
        thread.join()
    assert received == sent


def test_nothing_stays_behind_where_waiting_for_the_descriptor_would_not_show_it(certified: Certified) -> None:
    """Two short records that arrive in one piece are given out in one piece."""
    arrived = threading.Event()
    go_on = threading.Event()

    def talk(secure: ssl.SSLSocket) -> None:
        secure.sendall(b"first")
        secure.sendall(b"second")
        arrived.set()
        go_on.wait(10)

    with talking(certified, talk) as connection:
        arrived.wait(10)
        received = receive_exactly(connection, len(b"first"))
        if received == b"first":  # the second was still on its way: then the descriptor shows it
            received += receive_exactly(connection, len(b"second"))
        go_on.set()
    assert received == b"firstsecond"


def test_a_read_waits_for_no_writer_who_may_wait_for_it(certified: Certified) -> None:
    go_on = threading.Event()

    def talk(secure: ssl.SSLSocket) -> None:
        secure.sendall(b"news")
        go_on.wait(10)

    received: list[bytes] = []
    with talking(certified, talk) as connection:
        with connection._sending:  # as a writer does as long as the other side reads nothing
            connection._outgoing.write(b"something that TLS has to say")
            thread = threading.Thread(target=lambda: received.append(connection.recv(65_536)), daemon=True)
            thread.start()
            thread.join(5)
        assert received == [b"news"]
        go_on.set()


def test_closing_ends_a_read_that_waits_in_another_thread(certified: Certified) -> None:
    go_on = threading.Event()

    def say_nothing(_secure: ssl.SSLSocket) -> None:
        go_on.wait(10)

    ends: list[object] = []
    with talking(certified, say_nothing) as connection:
        connection.settimeout(None)

        def receive() -> None:
            try:
                ends.append(connection.recv(65_536))
            except OSError as error:
                ends.append(error)

        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        time.sleep(0.3)  # the tickets for the next session are in by now, and the read goes on waiting
        connection.close()
        thread.join(5)
        assert not thread.is_alive()
        go_on.set()
    assert len(ends) == 1


@pytest.mark.parametrize("orderly", [True, False])
def test_the_end_is_an_empty_answer_whether_or_not_it_was_announced(certified: Certified, *, orderly: bool) -> None:
    def talk(secure: ssl.SSLSocket) -> None:
        secure.sendall(b"last words")
        if orderly:
            secure.settimeout(0.2)
            with contextlib.suppress(OSError):  # the client does not say goodbye
                secure.unwrap()

    with talking(certified, talk) as connection:
        assert receive_exactly(connection, len(b"last words")) == b"last words"
        assert connection.recv(65_536) == b""


def test_a_server_that_says_nothing_is_given_up_within_the_time_out(certified: Certified) -> None:
    go_on = threading.Event()
    with served(lambda _raw: go_on.wait(10) and None) as client:
        client.settimeout(0.3)
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            TlsWrapping(certified.client).wrap_socket(client, server_hostname="127.0.0.1")
        assert time.monotonic() - begun < 5
        go_on.set()


def test_a_server_that_drips_is_given_up_within_the_time_out_too(certified: Certified) -> None:
    go_on = threading.Event()

    def drip(raw: socket.socket) -> None:
        raw.sendall(b"\x16\x03\x03\x40\x00")  # the head of a record of 16 KiB
        while not go_on.wait(0.05):
            raw.sendall(b"\x00")

    with served(drip) as client:
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            TlsWrapping(certified.client).wrap_socket(client, server_hostname="127.0.0.1")
        go_on.set()


def test_a_certificate_for_another_name_is_refused(certified: Certified) -> None:
    def serve(raw: socket.socket) -> None:
        with pytest.raises((ssl.SSLError, OSError)):
            certified.server.wrap_socket(raw, server_side=True).recv(1)

    with served(serve) as client, pytest.raises(ssl.SSLCertVerificationError):
        TlsWrapping(certified.client).wrap_socket(client, server_hostname="plex.example.org")
