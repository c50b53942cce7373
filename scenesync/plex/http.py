"""The way to Plex over HTTP: sends what it is given and translates urllib3's exceptions. Decides nothing."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Final

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError

from scenesync.network.tls import tls_context
from scenesync.plex.connections import Connections, begin_request, finish
from scenesync.plex.http_errors import EXCEPTION_CAUSES, Cause, NoAnswer
from scenesync.plex.request import RawAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scenesync.plex.request import Request

logger: Final = logging.getLogger(__name__)


class PlexHttp:
    """A thread-safe pool of connections to one Plex server; without a ``token`` it asks as nobody.

    No redirects, no retries, no proxies from the environment, no cookies. Raises ValueError for an address, a token
    or a CA file that cannot be used, without quoting the token.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        client_identifier: str,
        version: str,
        connect_timeout_s: float = 5.0,
        pool_size: int = 8,
        ca_file: Path | None = None,
        verify: bool = True,
    ) -> None:
        self._prefix = _path_prefix(url)
        self._connect_timeout_s = connect_timeout_s
        self._headers = identity_headers(token, client_identifier, version)
        tls = _tls_options(ca_file, verify=verify) if url.lower().startswith("https") else {}
        self._pool = Connections(url, size=pool_size, tls=tls)
        # Probes have connections of their own: they must get through when all others hang.
        self._probes = Connections(url, size=pool_size, may_exceed=True, tls=tls)

    def __call__(self, request: Request, *, read_timeout_s: float, probe: bool = False) -> RawAnswer:
        """Send ``request`` (see ``request.Send``). Raises NoAnswer."""
        connect_timeout_s = min(self._connect_timeout_s, read_timeout_s) if probe else self._connect_timeout_s
        answering = False
        try:
            with (self._probes if probe else self._pool).lent(wait_s=2 * read_timeout_s) as connection:
                answer = begin_request(
                    connection,
                    request.method,
                    self._prefix + request.target,
                    headers=self._headers_for(request),
                    body=request.body,
                    connect_timeout_s=connect_timeout_s,
                    read_timeout_s=read_timeout_s,
                )
                answering = True
                body = finish(connection, answer)
        except HTTPError as error:
            cause = EXCEPTION_CAUSES.get(type(error), Cause.GARBLED)
            raise NoAnswer(
                cause, detail=_system_reason(error), answering=answering, verify_code=_verify_code(error)
            ) from error
        return RawAnswer(answer.status, answer.headers, body)

    def close(self) -> None:
        """Close the idle connections; requests under way end by themselves, later ones are refused."""
        self._pool.close()
        self._probes.close()

    def __repr__(self) -> str:
        return f"PlexHttp({self._pool.address}{self._prefix})"

    def _headers_for(self, request: Request) -> Mapping[str, str]:
        if request.body is None:
            return self._headers
        headers = {**self._headers, "Content-Length": str(len(request.body))}
        return {**headers, "Content-Type": request.content_type} if request.content_type else headers


def identity_headers(token: str | None, client_identifier: str, version: str) -> dict[str, str]:
    """Return the headers of every request (facts/plex.md 1); no API version: only then ``include…`` means *also*."""
    headers = {
        "Accept": "application/json",
        "User-Agent": f"SceneSync/{version}",
        "X-Plex-Product": "SceneSync",
        "X-Plex-Version": version,
        "X-Plex-Client-Identifier": client_identifier,
        **({} if token is None else {"X-Plex-Token": token}),
    }
    for name, value in headers.items():
        # Checked here, because http.client would quote the whole value in its exception.
        if not value or not value.isascii() or not value.isprintable() or value != value.strip():
            raise ValueError(f"the value for {name} is empty or has characters that no HTTP header may have")
    return headers


def _path_prefix(url: str) -> str:
    """Return the path under which Plex is served, mostly "". Raises ValueError if ``url`` is no server's address."""
    try:
        parts = urllib3.util.parse_url(url)
    except LocationParseError:
        parts = urllib3.util.Url()
    if parts.scheme not in {"http", "https"} or not parts.host or parts.auth or parts.query or parts.fragment:
        raise ValueError("plex_url must look like http://host:32400 (no user, query or fragment)")
    return (parts.path or "").rstrip("/")


def _tls_options(ca_file: Path | None, *, verify: bool) -> dict[str, object]:
    context = tls_context(ca_file, verify=verify, name="plex_ca_file")
    if not verify:
        logger.warning("plex_verify_tls is off: anybody on the way to Plex can read the token")
    return {"ssl_context": context, "cert_reqs": "CERT_REQUIRED" if verify else "CERT_NONE"}


def _roots(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those behind it, from urllib3's to the system's or the TLS library's."""
    while error is not None:
        yield error
        inner = next((argument for argument in error.args if isinstance(argument, Exception)), None)
        error = error.__cause__ or inner


def _verify_code(error: BaseException) -> int | None:
    return next((root.verify_code for root in _roots(error) if isinstance(root, ssl.SSLCertVerificationError)), None)


def _system_reason(error: BaseException) -> str:
    """Return the words of the system or the TLS library behind ``error``, never urllib3's: they may hold a URL."""
    for root in _roots(error):
        if isinstance(root, ssl.SSLCertVerificationError):
            return root.verify_message
        if isinstance(root, ssl.SSLError):
            return (root.reason or "").replace("_", " ").lower()
        if isinstance(root, OSError) and root.strerror:
            return root.strerror
    return ""
