"""TLS for a connection on which one thread receives while others send, and which any of them may close.

OpenSSL allows no two calls at a time on one connection, and ``ssl.SSLSocket`` leaves that to its callers. It also waits
inside a read for what is no news to anybody (tickets for the next session, half a record), and closing it ends no such
read. Here TLS is worked between two buffers, under a lock, and only the plain socket is waited for.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Final

_PIECE_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class TlsWrapping:
    """Makes such sockets, in the shape in which ``ssl.SSLContext`` makes its own."""

    context: ssl.SSLContext

    def wrap_socket(self, raw: socket.socket, *, server_hostname: str | None = None) -> TlsSocket:
        """Return the socket with TLS on it, within the time-out of ``raw`` in all. Raises OSError, ssl.SSLError."""
        wrapped = TlsSocket(raw, self.context, server_hostname)
        wrapped.do_handshake()
        return wrapped


class TlsSocket:
    """A connected socket with TLS on it: what ``websockets`` needs of a socket. Thread-safe."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self._raw = raw
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        """Held while something is written: what leaves must leave in the order in which it was encrypted."""

    @property
    def family(self) -> socket.AddressFamily:
        """That of the plain socket."""
        return socket.AddressFamily(self._raw.family)

    def do_handshake(self) -> None:
        """Agree on keys, and check the server's certificate. Raises TimeoutError, OSError, ssl.SSLError."""
        timeout_s = self._raw.gettimeout()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush()  # the server may know why
                raise
            else:
                self._flush()
                return
            if deadline is not None:
                self._raw.settimeout(max(0.001, deadline - time.monotonic()))
            self._take_in()

    def recv(self, _most_bytes: int) -> bytes:
        """Return all that has arrived, once there is something; nothing at the end.

        All of it, however much: who waits until the plain socket can be read would wait in vain for the rest.
        """
        while True:
            arrived, is_over = self._decrypted()
            self._send_what_is_left()
            if arrived or is_over:
                return arrived
            self._take_in()

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it."""
        left = memoryview(data).cast("B")
        with self._sending:
            with self._lock:
                while left:
                    left = left[self._tls.write(left) :]
                encrypted = self._outgoing.read()
            self._raw.sendall(encrypted)
        self._send_what_is_left()

    def shutdown(self, how: int) -> None:
        """End one direction or both."""
        self._raw.shutdown(how)

    def close(self) -> None:
        """Close it; a ``recv`` that waits in another thread ends."""
        with contextlib.suppress(OSError):  # the other side may have gone already
            self._raw.shutdown(socket.SHUT_RDWR)
        self._raw.close()

    def fileno(self) -> int:
        """Return the plain socket's descriptor."""
        return self._raw.fileno()

    def settimeout(self, timeout_s: float | None) -> None:
        """Wait no longer than this each time that something is received or sent."""
        self._raw.settimeout(timeout_s)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Set an option of the plain socket."""
        self._raw.setsockopt(level, option, value)

    def _decrypted(self) -> tuple[bytes, bool]:
        """Return what is there to be read, and whether no more will come."""
        pieces: list[bytes] = []
        with self._lock:
            while True:
                try:
                    piece = self._tls.read(_PIECE_BYTES)
                except ssl.SSLWantReadError:
                    return b"".join(pieces), False
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    return b"".join(pieces), True
                if not piece:
                    return b"".join(pieces), True
                pieces.append(piece)

    def _take_in(self) -> None:
        """Wait for bytes from the plain socket."""
        data = self._raw.recv(_PIECE_BYTES)
        with self._lock:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self) -> None:
        """Send what TLS itself has to say."""
        with self._sending:
            self._drain()

    def _send_what_is_left(self) -> None:
        """Do so, unless somebody sends already: they look again when they are done, and a reader waits for no writer.

        A writer may wait until the other side reads, and that until we do.
        """
        while self._has_something_to_say() and self._sending.acquire(blocking=False):
            try:
                self._drain()
            finally:
                self._sending.release()

    def _has_something_to_say(self) -> bool:
        with self._lock:
            return self._outgoing.pending > 0

    def _drain(self) -> None:
        with self._lock:
            encrypted = self._outgoing.read()
        if encrypted:
            self._raw.sendall(encrypted)
