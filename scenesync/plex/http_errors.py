"""Say what an answer or a missing answer means. Two tables, by status and by class, never by the text of an exception.

The meanings are those of the error table in DESIGN 5; the statuses are sourced in facts/plex.md 1, 3.4 and 10.
"""

from __future__ import annotations

import http.client
import json
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Final

from urllib3 import exceptions as urllib3_errors

from scenesync.domain.certificates import cure
from scenesync.plex.exceptions import (
    PlexBusy,
    PlexError,
    PlexNotFound,
    PlexPermanentError,
    PlexServerDown,
    PlexTemporaryError,
    PlexUnauthorized,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.plex.request import RawAnswer, Request

TOO_LONG: Final = frozenset({414, 431})
"""The request line must be split or shortened (facts/plex.md 3.4); 431 is what some proxies say instead."""

STATUS_ERRORS: Final[Mapping[int, type[PlexError]]] = {
    401: PlexUnauthorized,
    498: PlexUnauthorized,  # an expired JWT
    404: PlexNotFound,
    408: PlexTemporaryError,
    425: PlexTemporaryError,
    429: PlexTemporaryError,
    500: PlexTemporaryError,  # on a write: see `error_for_failed_write`
    502: PlexServerDown,
    503: PlexServerDown,  # start-up maintenance, or thousands of queued requests
    504: PlexServerDown,
    521: PlexServerDown,  # Cloudflare: the server behind it is off, not answering, not reachable
    522: PlexServerDown,
    523: PlexServerDown,
}
"""Other 4xx are permanent; any other status that is not 2xx is temporary."""

_LONGEST_WAIT_S: Final = 3600.0


class Cause(Enum):
    """Why there is no usable answer; the value is what a person reads."""

    UNREACHABLE = "cannot be reached"
    TLS = "does not offer a TLS connection that can be trusted"
    ADDRESS = "has an address that cannot be used"
    SILENT = "did not answer in time"
    CUT = "cut the connection"
    GARBLED = "sent something that is not a complete HTTP answer"
    CROWDED = "was not asked, since too many requests are under way"
    CLOSED = "was not asked, since the client is closed"


ADVICE: Final[Mapping[Cause, str]] = {
    Cause.UNREACHABLE: "check plex_url if this stays",
    Cause.ADDRESS: "check plex_url",
}

EXCEPTION_CAUSES: Final[Mapping[type[Exception], Cause]] = {
    urllib3_errors.NewConnectionError: Cause.UNREACHABLE,
    urllib3_errors.NameResolutionError: Cause.UNREACHABLE,
    urllib3_errors.ConnectTimeoutError: Cause.UNREACHABLE,
    urllib3_errors.ProxyError: Cause.UNREACHABLE,
    urllib3_errors.SSLError: Cause.TLS,
    urllib3_errors.LocationValueError: Cause.ADDRESS,
    urllib3_errors.LocationParseError: Cause.ADDRESS,
    urllib3_errors.URLSchemeUnknown: Cause.ADDRESS,
    urllib3_errors.ProxySchemeUnknown: Cause.ADDRESS,
    urllib3_errors.ProxySchemeUnsupported: Cause.ADDRESS,
    urllib3_errors.HostChangedError: Cause.ADDRESS,
    urllib3_errors.TimeoutError: Cause.SILENT,
    urllib3_errors.ReadTimeoutError: Cause.SILENT,
    urllib3_errors.ProtocolError: Cause.CUT,
    urllib3_errors.MaxRetryError: Cause.CUT,
    urllib3_errors.IncompleteRead: Cause.CUT,
    urllib3_errors.HTTPError: Cause.GARBLED,
    urllib3_errors.PoolError: Cause.GARBLED,
    urllib3_errors.RequestError: Cause.GARBLED,
    urllib3_errors.DecodeError: Cause.GARBLED,
    urllib3_errors.ResponseError: Cause.GARBLED,
    urllib3_errors.ResponseNotChunked: Cause.GARBLED,
    urllib3_errors.BodyNotHttplibCompatible: Cause.GARBLED,
    urllib3_errors.InvalidChunkLength: Cause.GARBLED,
    urllib3_errors.InvalidHeader: Cause.GARBLED,
    urllib3_errors.HeaderParsingError: Cause.GARBLED,
    urllib3_errors.UnrewindableBodyError: Cause.GARBLED,
    urllib3_errors.TimeoutStateError: Cause.GARBLED,
    urllib3_errors.EmptyPoolError: Cause.CROWDED,
    urllib3_errors.FullPoolError: Cause.CROWDED,
    urllib3_errors.ClosedPoolError: Cause.CLOSED,
}


class NoAnswer(Exception):
    """No complete answer came; ``answering`` says that it had begun (so it was no outage, and its beginning is lost).

    ``detail`` is the system's short reason ("Connection refused"), free of anything that was sent.
    """

    def __init__(
        self, cause: Cause, *, detail: str = "", answering: bool = False, verify_code: int | None = None
    ) -> None:
        super().__init__(f"{cause.value} ({detail})" if detail else cause.value)
        self.cause = cause
        self.answering = answering
        self.verify_code = verify_code
        """OpenSSL's number for what is wrong with the certificate, if that is the cause."""


_SURELY_NOT_APPLIED: Final = frozenset({Cause.UNREACHABLE, Cause.TLS, Cause.ADDRESS, Cause.CROWDED, Cause.CLOSED})


def may_have_arrived(failure: NoAnswer) -> bool:
    """Say whether Plex may have done what it was asked, although no answer came."""
    return failure.answering or failure.cause not in _SURELY_NOT_APPLIED


def asks_for_life(request: Request, failure: NoAnswer) -> bool:
    """Say whether the meaning of ``failure`` depends on whether Plex still answers ``/identity``."""
    return may_have_arrived(failure) and (request.writes or failure.cause is Cause.SILENT)


def error_for_silence(request: Request, failure: NoAnswer, *, alive: bool) -> PlexError:
    """Return the error for a request without an answer; ``alive``: Plex was asked for its identity and answered."""
    words = f"{request.method} {request.path}: Plex {failure}"
    if failure.cause in {Cause.CROWDED, Cause.CLOSED}:
        return PlexTemporaryError(words)
    if not may_have_arrived(failure):
        advice = cure("plex", failure.verify_code) if failure.cause is Cause.TLS else ADVICE[failure.cause]
        return PlexServerDown(f"{words}; {advice}")
    if request.writes:
        return PlexBusy(f"{words}; the change may have been made") if alive else PlexServerDown(words)
    if failure.cause is Cause.SILENT:
        return PlexTemporaryError(f"{words}, but is alive") if alive else PlexServerDown(words)
    return PlexTemporaryError(words) if failure.answering or failure.cause is Cause.GARBLED else PlexServerDown(words)


def error_for_status(request: Request, answer: RawAnswer, *, now: float) -> PlexError:
    """Return the error for an answer that is not a success; ``now`` is the time (epoch s), for Retry-After."""
    status = answer.status
    words = f"{request.method} {request.path}: Plex answered {status} {_reason(answer)}".rstrip()
    if is_starting_up(answer):
        return PlexServerDown(f"{words}: it is starting up", status=status)
    kind = STATUS_ERRORS.get(status) or _other_status(status)
    if kind is PlexUnauthorized:
        return PlexUnauthorized(f"{words}: check plex_token", status=status)
    if kind is PlexTemporaryError:
        wait_s = retry_after_s(answer.headers.get("retry-after", ""), now)
        return PlexTemporaryError(words, status=status, retry_after_s=wait_s)
    return kind(words, status=status)


def error_for_failed_write(request: Request, status: int, *, alive: bool) -> PlexError:
    """Return the error for a write that failed with 500; ``alive`` as above.

    Plex answers so after waiting 10 s for its write lock, and may have done the write (facts/plex.md 10).
    """
    words = f"{request.method} {request.path}: Plex answered {status}"
    if not alive:
        return PlexServerDown(f"{words} and then nothing", status=status)
    return PlexBusy(f"{words} while it answers other requests; the change may have been made", status=status)


def is_starting_up(answer: RawAnswer) -> bool:
    """Recognise the second shape of a start-up, a 400 with a sentence (facts/plex.md 6.1); the first is any 503."""
    return answer.status == http.client.BAD_REQUEST and b"still starting up" in answer.body[:4096].lower()


def retry_after_s(value: str, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, in seconds or as a date; None without a usable one."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST_WAIT_S)
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, date.timestamp() - now), _LONGEST_WAIT_S)


def _other_status(status: int) -> type[PlexError]:
    refused = http.client.BAD_REQUEST <= status < http.client.INTERNAL_SERVER_ERROR
    return PlexPermanentError if refused else PlexTemporaryError


def _reason(answer: RawAnswer) -> str:
    """Name the status, for 503 with what Plex says about itself: "Maintenance" (facts/plex.md 0)."""
    if answer.status == http.client.SERVICE_UNAVAILABLE:
        try:
            document = json.loads(answer.body[:4096])
        except (ValueError, RecursionError):
            document = None
        title = document.get("title") if isinstance(document, dict) else None
        if isinstance(title, str) and title.isprintable():
            return f"({title[:40]})"
    return http.client.responses.get(answer.status, "")
