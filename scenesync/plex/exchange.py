"""One request, one judged answer: where statuses and silences become errors by meaning."""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from scenesync.plex import parse
from scenesync.plex.edit_request import RATE_PATH
from scenesync.plex.exceptions import (
    PlexNotFound,
    PlexPermanentError,
    PlexTemporaryError,
    PlexTransientError,
)
from scenesync.plex.http_errors import (
    TOO_LONG,
    NoAnswer,
    asks_for_life,
    error_for_failed_write,
    error_for_silence,
    error_for_status,
)
from scenesync.plex.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.domain.item import ServerIdentity
    from scenesync.plex.request import RawAnswer, Send

_IDENTITY: Final = Request("GET", "/identity")
_NAMES_ITEMS: Final = re.compile(r"type=(1|18)&id=[0-9A-Za-z_-]+(,[0-9A-Za-z_-]+)*&")

_DELETABLE: Final = re.compile(r"/library/metadata/[0-9A-Za-z_-]+/(thumb|art)|/library/collections/[0-9A-Za-z_-]+")
_RATES_ONE_ITEM: Final = re.compile(r"key=[0-9A-Za-z_-]+&")

_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for each piece of an answer, in seconds; Plex does one write at a time, so they get longer."""

    read_s: float = 30.0
    write_s: float = 60.0
    identity_s: float = 3.0


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that ended; ``outcome`` is its HTTP status, or in words why there was no answer ("silent", "cut").

    ``kind`` is one of identity, libraries, listing, read, edit, images, upload, select, scan.
    """

    method: str
    kind: str
    path: str
    outcome: int | str
    duration_s: float


class LineTooLong(PlexPermanentError):
    """The server does not take a request line of ``line_bytes``: split or shorten it, or give up."""

    def __init__(self, request: Request, *, status: int | None = None) -> None:
        words = f"Plex does not take so long a request ({request.line_bytes} bytes)"
        super().__init__(f"{request.method} {request.path}: {words}", status=status)
        self.line_bytes = request.line_bytes


class Exchange:
    """Sends requests and judges what comes back. Thread-safe."""

    def __init__(self, send: Send, timeouts: Timeouts, on_request: Callable[[RequestRecord], None] | None) -> None:
        self._send = send
        self._timeouts = timeouts
        self._on_request = on_request

    def identity(self) -> ServerIdentity:
        """Ask who answers, with a short time-out and without waiting for other requests."""
        return parsed(_IDENTITY, self._judged(_IDENTITY, "identity", self._timeouts.identity_s), parse.server_identity)

    def read(self, request: Request, kind: str) -> RawAnswer:
        """Send a question. Raises PlexError."""
        return self._judged(request, kind, self._timeouts.read_s)

    def write(self, request: Request, kind: str) -> None:
        """Send a change. Raises PlexError."""
        _refuse_edit_without_items(request)
        _refuse_deletion_of_media(request)
        answer = self._judged(request, kind, self._timeouts.write_s)
        if parse.looks_like_html(answer.body):
            raise _not_useful(request, answer, "an HTML page (a proxy's login or error page?)")

    def _judged(self, request: Request, kind: str, timeout_s: float) -> RawAnswer:
        try:
            answer = self._recorded(request, kind, timeout_s)
        except NoAnswer as failure:
            alive = asks_for_life(request, failure) and request is not _IDENTITY and self._is_alive()
            raise error_for_silence(request, failure, alive=alive) from failure
        if http.client.OK <= answer.status < http.client.MULTIPLE_CHOICES:
            return answer
        if answer.status in TOO_LONG:
            raise LineTooLong(request, status=answer.status)
        if answer.status == http.client.INTERNAL_SERVER_ERROR and request.writes:
            raise error_for_failed_write(request, answer.status, alive=self._is_alive())
        error = error_for_status(request, answer, now=time.time())
        if isinstance(error, PlexNotFound) and kind in {"identity", "libraries"}:
            raise PlexTemporaryError(f"{error}; is plex_url the address of a Plex server?", status=answer.status)
        raise error

    def _recorded(self, request: Request, kind: str, timeout_s: float) -> RawAnswer:
        started = time.monotonic()
        outcome: int | str = "error"
        try:
            answer = self._send(request, read_timeout_s=timeout_s, probe=request is _IDENTITY)
            outcome = answer.status
        except NoAnswer as failure:
            outcome = failure.cause.name.lower()
            raise
        finally:
            if self._on_request is not None:
                duration_s = time.monotonic() - started
                self._on_request(RequestRecord(request.method, kind, request.path, outcome, duration_s))
        return answer

    def _is_alive(self) -> bool:
        try:
            self.identity()
        except (PlexTransientError, PlexPermanentError):
            return False
        return True


def parsed(request: Request, answer: RawAnswer, parser: Callable[[parse.Node], _Parsed]) -> _Parsed:
    """Return what ``parser`` makes of the answer. Raises PlexTemporaryError if it is not what Plex sends."""
    try:
        return parser(parse.container(answer.body))
    except parse.NotPlex as error:
        raise _not_useful(request, answer, str(error)) from error


def _not_useful(request: Request, answer: RawAnswer, what: str) -> PlexTemporaryError:
    words = f"{request.method} {request.path}: Plex answered {answer.status} with {what}"
    return PlexTemporaryError(words, status=answer.status)


def _refuse_edit_without_items(request: Request) -> None:
    """Stop a PUT on a whole library that names no items, whoever built it: it would edit every one of them."""
    of_one_item = request.path.startswith(("/library/metadata/", "/library/collections/")) or (
        request.path == RATE_PATH and _RATES_ONE_ITEM.match(request.query) is not None
    )
    if request.method == "PUT" and not of_one_item and not _NAMES_ITEMS.match(request.query):
        raise PlexPermanentError(f"{request.method} {request.path}: refused to send an edit that names no item")


def _refuse_deletion_of_media(request: Request) -> None:
    """Stop a DELETE of anything but a picture or a collection: of an item it deletes the files (facts/plex.md 7)."""
    if request.method == "DELETE" and not _DELETABLE.fullmatch(request.path):
        raise PlexPermanentError(f"{request.method} {request.path}: refused to delete what is no picture or collection")
