"""What each failure on the way to Stash means, in tables: an exception of urllib3, or the status of an answer.

A wrong address, a proxy's error page and a broken certificate are all StashUnavailable: they say nothing about the job,
and a person or time will cure them, so jobs wait instead of dying.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from urllib3 import exceptions as lib

from scenesync.domain.certificates import cure
from scenesync.domain.errors import StashRefused, StashUnauthorized, StashUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

DETAIL_LIMIT: Final = 200
"""Characters of a server's own words in a message: Stash's errors can hold whole SQL statements (facts 3.1)."""

NEW_KEY: Final = (
    "Create an API key in Stash under Settings > Security > Authentication and set stash_api_key to it "
    "(SCENESYNC_STASH_API_KEY in the environment)."
)
WRONG_KEY: Final = "It does not accept the API key in stash_api_key."

_REFUSED: Final = "it takes no connections. Is Stash running, and is stash_url right?"
_NAME: Final = "its name is not known to DNS. Is stash_url right?"
_NO_CONNECTION: Final = "no connection in time. Is the machine up, and is stash_url right?"
_SLOW: Final = "no answer in time."
_BROKEN: Final = "the connection broke before the answer was complete."
_GARBLED: Final = "the answer is not valid HTTP. Does something else listen at stash_url?"
_TLS: Final = "the TLS connection failed. Does Stash speak http where stash_url says https?"
_ADDRESS: Final = "stash_url cannot be used as an address."
_CLOSED: Final = "the connection was closed by this program."

TRANSPORT_ERRORS: Final[Mapping[type[Exception], str | None]] = {
    # Each is a StashUnavailable with this reason. None: only a mistake in this program causes it, so it stays as it is.
    lib.HTTPError: _BROKEN,
    lib.PoolError: _BROKEN,
    lib.RequestError: _BROKEN,
    lib.SSLError: _TLS,
    lib.ProxyError: _NO_CONNECTION,
    lib.DecodeError: _GARBLED,
    lib.ProtocolError: _BROKEN,
    lib.MaxRetryError: _BROKEN,
    lib.HostChangedError: None,
    lib.TimeoutStateError: None,
    lib.TimeoutError: _SLOW,
    lib.ReadTimeoutError: _SLOW,
    lib.ConnectTimeoutError: _NO_CONNECTION,
    lib.NewConnectionError: _REFUSED,
    lib.NameResolutionError: _NAME,
    lib.EmptyPoolError: _SLOW,
    lib.FullPoolError: None,
    lib.ClosedPoolError: _CLOSED,
    lib.LocationValueError: _ADDRESS,
    lib.LocationParseError: _ADDRESS,
    lib.URLSchemeUnknown: _ADDRESS,
    lib.ResponseError: _BROKEN,
    lib.ResponseNotChunked: None,
    lib.BodyNotHttplibCompatible: None,
    lib.IncompleteRead: _BROKEN,
    lib.InvalidChunkLength: _GARBLED,
    lib.InvalidHeader: _GARBLED,
    lib.ProxySchemeUnknown: None,
    lib.ProxySchemeUnsupported: None,
    lib.HeaderParsingError: _GARBLED,
    lib.UnrewindableBodyError: None,
}


class AnswerTooLong(StashRefused):
    """An answer was larger than anything asked for can be; the rest of it was not read."""


class QueryNotUnderstood(StashRefused):
    """A query names what this Stash does not know, or is none."""


@dataclass(frozen=True, slots=True)
class Login:
    """What the requests were signed with; only for the advice in a message, so it holds no secret."""

    server: str
    has_key: bool = False
    has_cookie: bool = False

    def advice(self) -> str:
        """Return what a person can do about a refusal."""
        if self.has_key:
            return f"{WRONG_KEY} {NEW_KEY}"
        if self.has_cookie:
            return f"The session that Stash gave the plugin has ended. {NEW_KEY}"
        return f"It wants an API key. {NEW_KEY}"


def translate(error: Exception, server: str) -> StashUnavailable | None:
    """Return what an exception of urllib3 means, None if only a mistake in this program can cause it."""
    reason = next(TRANSPORT_ERRORS[kind] for kind in type(error).__mro__ if kind in TRANSPORT_ERRORS)
    distrust = _distrust(error)
    if distrust is not None:
        reason = f"{distrust.verify_message}; {cure('stash', distrust.verify_code)}."
    return StashUnavailable(f"Stash at {server} cannot be reached: {reason}") if reason is not None else None


def _distrust(error: Exception) -> ssl.SSLCertVerificationError | None:
    """Return the check of the certificate that failed, if that is what is behind an exception of urllib3."""
    found = (each for each in (error, *error.args) if isinstance(each, ssl.SSLCertVerificationError))
    return next(found, None)


def judge_status(status: int, location: str, login: Login) -> StashUnavailable | StashUnauthorized | None:
    """Return the error that an answer's status stands for whatever was asked, None if its content decides.

    ``location`` is the answer's header of this name. Paths without an extension send who is not logged in to /login
    with a 302 instead of answering 401 (facts/stash.md 3.1).
    """
    server = login.server
    redirects = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    if status == HTTPStatus.UNAUTHORIZED or (redirects and _leads_to_login(location)):
        return StashUnauthorized(f"Stash at {server} refused access (HTTP {status}). {login.advice()}")
    if status == HTTPStatus.FORBIDDEN:
        return StashUnauthorized(
            f"Stash at {server} refused access (HTTP 403). It does so to everybody once it was reached from the "
            f"internet without credentials: set a user name and password in Stash under Settings > Security. {NEW_KEY}"
        )
    if redirects and status != HTTPStatus.NOT_MODIFIED:
        return StashUnavailable(
            f"Stash at {server} cannot be used: it redirects to {_without_query(location) or 'nowhere'} "
            f"(HTTP {status}). Set stash_url to the address behind the redirect."
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return StashUnavailable(f"Stash at {server} cannot answer now (HTTP {status}).")
    return None


def not_stash(server: str, status: int, what: str) -> StashUnavailable:
    """Return the error for an answer that cannot come from Stash, such as a proxy's page."""
    return StashUnavailable(
        f"Something that is not Stash answers at {server}: HTTP {status} with {what}. "
        f"Is stash_url right, and does a proxy in front of Stash ask for its own login?"
    )


def refused(server: str, text: str) -> StashRefused:
    """Return the error for a request that Stash understood and refused, in its own words (shortened)."""
    return StashRefused(f"Stash at {server} refused the request: {shorten(text)}")


def not_understood(server: str, text: str) -> QueryNotUnderstood:
    """Return the error for a query that does not fit Stash's schema."""
    return QueryNotUnderstood(f"Stash at {server} refused the request: {shorten(text)}")


def too_big(server: str, limit_bytes: int) -> AnswerTooLong:
    """Return the error for an answer that is larger than ``limit_bytes``."""
    return AnswerTooLong(f"Stash at {server} answered more than {limit_bytes // (1024 * 1024)} MiB; that was not read.")


def shorten(text: str) -> str:
    """Return a server's words as one line of at most DETAIL_LIMIT characters.

    What fails stands at the beginning and why at the end, behind the SQL: both are kept.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= DETAIL_LIMIT:
        return line
    half = (DETAIL_LIMIT - 3) // 2
    return f"{line[:half]} … {line[-half:]}"


def _leads_to_login(location: str) -> bool:
    return _path(location).rstrip("/").endswith("/login")


def _path(location: str) -> str:
    try:
        return urlsplit(location).path
    except ValueError:
        return ""


def _without_query(location: str) -> str:
    return shorten(location.partition("?")[0].partition("#")[0])
