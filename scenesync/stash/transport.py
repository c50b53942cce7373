"""One door to Stash over HTTP: signs requests, reads bounded answers, turns every failure into a domain error.

It never follows redirects (a login page would be taken for the answer), never repeats a request by itself and uses no
proxy of the environment. One instance serves any number of threads.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import urllib3

from scenesync.domain.errors import StashRefused
from scenesync.network.tls import tls_context
from scenesync.stash.http_errors import (
    TRANSPORT_ERRORS,
    Login,
    judge_status,
    not_stash,
    not_understood,
    refused,
    shorten,
    too_big,
    translate,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from scenesync.stash.queries import Query

MIB: Final = 1024 * 1024
DOCUMENT_LIMIT_BYTES: Final = 64 * MIB
IMAGE_LIMIT_BYTES: Final = 32 * MIB
_CHUNK_BYTES: Final = 64 * 1024
_CAUGHT: Final = tuple(TRANSPORT_ERRORS)


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The session that Stash gives a plugin; each answer renews it (facts/stash.md 1.3)."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request for a listener: ``name`` is the GraphQL operation or "Image", ``status`` None without an answer."""

    name: str
    status: int | None
    duration_s: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GraphQLAnswer:
    """An answer with status 200; ``data`` is to be trusted only without ``errors`` (whole texts, without secrets)."""

    data: Mapping[str, Any] = field(repr=False)
    errors: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Download:
    """An answer to a plain GET that was neither a refusal nor an outage."""

    status: int
    content_type: str
    etag: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Door:
    """What another kind of connection to the same Stash needs; ``headers`` say who asks."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    tls: ssl.SSLContext | None
    connect_timeout_s: float
    login: Login


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: urllib3.HTTPHeaderDict
    content: bytes = field(repr=False)


class Transport:
    """HTTP to one Stash. ``api_key`` goes before ``session_cookie``: Stash looks at no cookie beside a key (facts 3.1).

    ``url`` is Stash's own page, a path in front of it included. Raises ValueError if it is no such address, or if a
    secret could not be sent as a header.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None,
        session_cookie: SessionCookie | None,
        connect_timeout_s: float,
        read_timeout_s: float,
        max_connections: int,
        verify_tls: bool,
        ca_file: str | None,
        on_request: Callable[[RequestRecord], None] | None,
    ) -> None:
        self.base_url: Final = _base_url(url)
        self._api_key = _checked_secret(api_key or "", "stash_api_key")
        self._cookie = session_cookie
        if session_cookie is not None:
            _checked_secret(session_cookie.value, "the session cookie")
        self._on_request = on_request
        self.server_time: datetime | None = None
        """Stash's own clock when it answered last, as its ``Date`` header says."""
        self._path_prefix: Final = urlsplit(self.base_url).path
        self._connect_timeout_s = connect_timeout_s
        self._tls = _tls_context(verify=verify_tls, ca_file=ca_file) if self._uses_tls() else None
        tls = {"ssl_context": self._tls} if self._tls is not None else {}
        # The pool itself and no PoolManager: that one closes connections only when Python happens to forget the pool.
        self._pool = urllib3.connection_from_url(
            self.base_url,
            maxsize=max_connections,
            block=True,
            timeout=urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s),
            **tls,
        )

    @property
    def session_cookie(self) -> SessionCookie | None:
        """The session as last renewed."""
        return self._cookie

    def door(self) -> Door:
        """Return what another connection to this Stash needs at this moment."""
        return Door(self.base_url, self._signature(), self._tls, self._connect_timeout_s, self._login())

    def graphql(self, query: Query, variables: Mapping[str, Any] | None = None) -> GraphQLAnswer:
        """Ask Stash. Raises StashUnavailable, StashUnauthorized, or StashRefused for what is not valid GraphQL.

        What a resolver says against a valid request comes back as ``errors``: its meaning depends on the question.
        """
        body = json.dumps({"operationName": query.name, "query": query.text, "variables": dict(variables or {})})
        answer = self._exchange(
            "POST",
            f"{self._path_prefix}/graphql",
            name=query.name,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=body.encode(),
            limit_bytes=DOCUMENT_LIMIT_BYTES,
        )
        document = _json_object(answer.content)
        if document is None or not ("data" in document or "errors" in document):
            raise not_stash(self.base_url, answer.status, _describe(answer))
        errors = self._error_texts(document)
        if answer.status != HTTPStatus.OK:
            says = not_understood if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY else refused
            raise says(self.base_url, "; ".join(errors) or f"HTTP {answer.status}")
        data = document.get("data")
        return GraphQLAnswer(data if isinstance(data, dict) else {}, errors)

    def download(self, url: str, *, known_etag: str = "") -> Download:
        """Get the picture behind an address that Stash gave; only its path counts, the server is always this one.

        Stash builds such addresses from the Host header or a setting of its own, neither of which need lead there from
        here (facts/stash.md 3.6).
        """
        headers = {"Accept": "image/*"} | ({"If-None-Match": known_etag} if known_etag else {})
        answer = self._exchange(
            "GET", self._own_target(url), name="Image", headers=headers, body=None, limit_bytes=IMAGE_LIMIT_BYTES
        )
        content_type = answer.headers.get("Content-Type", "")
        return Download(answer.status, content_type, answer.headers.get("ETag", ""), answer.content)

    def close(self) -> None:
        """Close all connections; a request in hand ends, one after this is StashUnavailable."""
        self._pool.close()

    def _exchange(
        self, method: str, target: str, *, name: str, headers: dict[str, str], body: bytes | None, limit_bytes: int
    ) -> _Answer:
        started = time.monotonic()
        status: int | None = None
        content = b""
        try:
            response = self._pool.urlopen(
                method,
                target,
                body=body,
                headers=headers | self._signature(),
                redirect=False,
                retries=False,
                preload_content=False,
            )
            status = response.status
            try:
                content = self._read(response, limit_bytes)
            except BaseException:
                response.close()  # a connection with a rest of an answer in it is of no further use
                raise
            finally:
                response.release_conn()
        except _CAUGHT as error:
            meaning = translate(error, self.base_url)
            if meaning is None:
                raise
            raise meaning from error
        finally:
            if self._on_request is not None:
                self._on_request(RequestRecord(name, status, time.monotonic() - started, len(content)))
        refusal = judge_status(response.status, response.headers.get("Location", ""), self._login())
        if refusal is not None:
            raise refusal
        self._keep_renewed_session(response.headers)
        self.server_time = _date(response.headers.get("Date", "")) or self.server_time
        return _Answer(response.status, response.headers, content)

    def _read(self, response: urllib3.BaseHTTPResponse, limit_bytes: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.stream(_CHUNK_BYTES):
            size += len(chunk)
            if size > limit_bytes:
                raise too_big(self.base_url, limit_bytes)
            chunks.append(chunk)
        return b"".join(chunks)

    def _uses_tls(self) -> bool:
        return self.base_url.startswith("https:")

    def _signature(self) -> dict[str, str]:
        signature = {"User-Agent": "SceneSync"}
        if self._api_key:
            signature["ApiKey"] = self._api_key
        elif self._cookie is not None:
            signature["Cookie"] = f"{self._cookie.name}={self._cookie.value}"
        return signature

    def _login(self) -> Login:
        return Login(self.base_url, has_key=bool(self._api_key), has_cookie=self._cookie is not None)

    def _keep_renewed_session(self, headers: urllib3.HTTPHeaderDict) -> None:
        cookie = self._cookie
        if cookie is None:
            return
        for line in headers.getlist("Set-Cookie"):
            name, _, value = line.partition(";")[0].strip().partition("=")
            if name == cookie.name and value:
                self._cookie = SessionCookie(name, value)

    def _own_target(self, url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise StashRefused(f"Stash at {self.base_url} gave an address that is none for a picture.") from error
        path = f"/{parts.path.lstrip('/')}"
        if not path.startswith(f"{self._path_prefix}/"):
            path = f"{self._path_prefix}{path}"
        return f"{path}?{parts.query}" if parts.query else path

    def _error_texts(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the messages of ``errors``; an entry that has none still counts."""
        errors = document.get("errors")
        if not errors:
            return ()
        entries = errors if isinstance(errors, list) else [errors]
        texts = (entry.get("message") if isinstance(entry, dict) else entry for entry in entries)
        return tuple(self._without_secrets(str(text or "an error without a text")) for text in texts)

    def _without_secrets(self, text: str) -> str:
        for secret in (self._api_key, self._cookie.value if self._cookie is not None else ""):
            if secret:
                text = text.replace(secret, "***")
        return text


def _base_url(url: str) -> str:
    """Return the address without a slash at its end."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("stash_url must look like http://localhost:9999: http or https, a host and maybe a port.")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("stash_url must hold no user name, password, ? or #; who asks is told by stash_api_key.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _checked_secret(secret: str, name: str) -> str:
    """Return ``secret`` without blanks around it; the library would quote an unsendable one in its exception."""
    secret = secret.strip()
    if not secret.isascii() or not secret.isprintable():
        raise ValueError(f"{name} holds characters that no HTTP header can carry; was it copied in full and alone?")
    return secret


def _tls_context(*, verify: bool, ca_file: str | None) -> ssl.SSLContext:
    if not verify:
        # Whoever switched the check off knows; a warning on stderr would be an error line in Stash's log.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return tls_context(ca_file, verify=verify, name="stash_ca_file")


def _date(header: str) -> datetime | None:
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return None


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _describe(answer: _Answer) -> str:
    """Return what an answer is, without its text: a foreign page is nobody's business and may be long."""
    if not answer.content:
        return "nothing in it"
    return f"{len(answer.content)} bytes of {shorten(answer.headers.get('Content-Type', '')) or 'no named type'}"
