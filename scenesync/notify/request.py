"""One request to an address that somebody chose: no redirect is followed, no proxy used, nothing repeated by itself."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from scenesync.network.tls import tls_context
from scenesync.notify.ways import NotTold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3.util import Url

CONNECT_S: Final = 5.0
DEADLINE_S: Final = 10.0
"""By then the head of the answer must be there, however much of it has come."""
_TOO_LATE: Final = "it did not answer in time"
_PORTS: Final = {"http": 80, "https": 443}
_WORDS: Final[Mapping[type[Exception], str]] = {
    UnicodeError: "its address cannot be read",
    socket.gaierror: "its name is not known",
    ssl.SSLCertVerificationError: "its certificate is not accepted",
    ssl.SSLError: "it does not speak TLS as it should",
    TimeoutError: _TOO_LATE,
    ConnectionRefusedError: "it cannot be reached",
    ConnectionError: "the connection broke",
    http.client.HTTPException: "it does not speak HTTP as it should",
    OSError: "it cannot be reached",
}
"""Words instead of the errors' own, which may hold the address; the first that fits."""
_REPEATABLE: Final = frozenset({408, 425, 429})


def send(method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> None:
    """Send one request and return if the answer is a success; user and password of the address go into a header.

    Only the head of the answer is read. Raises NotTold, without the address in it.
    """
    parts = _parsed(url)
    began = time.monotonic()
    try:
        status, retry_after = _exchange(method, parts, {**headers, **_login(parts.auth)}, body)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        words = _TOO_LATE if time.monotonic() - began >= DEADLINE_S else _words(error)
        raise NotTold(words) from None  # what is behind it may quote the address
    if not 200 <= status < 300:  # noqa: PLR2004 - the successes of HTTP
        for_good = status < 500 and status not in _REPEATABLE  # noqa: PLR2004 - likewise
        wait_s = float(retry_after) if retry_after.isdecimal() else 0.0
        raise NotTold(f"it answered {status}", for_good=for_good, wait_s=wait_s)


def _parsed(url: str) -> Url:
    try:
        parts = parse_url(url)
    except LocationParseError:
        parts = None
    if parts is None or not parts.host or parts.scheme not in _PORTS:
        raise NotTold("its address cannot be read", for_good=True) from None
    return parts


def _login(auth: str | None) -> Mapping[str, str]:
    """Return the header for user and password of an address, where they are percent-encoded (RFC 7617, in UTF-8)."""
    if not auth:
        return {}
    user, _, password = auth.partition(":")
    said = f"{unquote(user)}:{unquote(password)}".encode()
    return {"Authorization": f"Basic {base64.b64encode(said).decode()}"}


def _exchange(method: str, parts: Url, headers: Mapping[str, str], body: bytes | None) -> tuple[int, str]:
    """Return status and ``Retry-After`` of the answer. Raises OSError, http.client.HTTPException."""
    host = str(parts.host).strip("[]")
    port = parts.port or _PORTS[str(parts.scheme)]
    connection = http.client.HTTPConnection(host, port)
    connection.default_port = _PORTS[str(parts.scheme)]  # which the header Host leaves out
    with socket.create_connection((host, port), timeout=CONNECT_S) as plain:
        plain.settimeout(DEADLINE_S)
        secure = _secured(plain, host) if parts.scheme == "https" else plain
        with secure, _cut_off_after(DEADLINE_S, secure):
            if isinstance(secure, ssl.SSLSocket):
                secure.do_handshake()
            connection.sock = secure
            connection.request(method, parts.request_uri, body=body, headers=dict(headers))
            answer = connection.getresponse()
            with answer:
                return answer.status, answer.headers.get("Retry-After", "")


def _secured(plain: socket.socket, host: str) -> ssl.SSLSocket:
    context = tls_context(None, verify=True, name="")
    return context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)


@contextmanager
def _cut_off_after(deadline_s: float, connection: socket.socket) -> Iterator[None]:
    """Break the connection if the block lasts longer: a socket's own timeout begins anew with each byte.

    Raises TimeoutError then.
    """
    is_over = threading.Event()

    def cut_off() -> None:
        is_over.set()
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS's own would wait for the other side

    timer = threading.Timer(deadline_s, cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if is_over.is_set():  # the head of an answer that was cut off passes for a whole one
        raise TimeoutError


def _words(error: Exception) -> str:
    return next(words for kind, words in _WORDS.items() if isinstance(error, kind))
