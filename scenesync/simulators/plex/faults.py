"""What can go wrong between a client and a Plex server, one request at a time."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from scenesync.simulators.http_server import Answer, Cut, Hang, Request, Reset, Response, Trickle
from scenesync.simulators.plex import rendering

_MAINTENANCE: Final = {
    "code": 503,
    "title": "Maintenance",
    "status": "Plex Media Server is currently running startup maintenance tasks.",
}
_STILL_STARTING: Final = "The server is still starting up. Please retry later"
_PROXY_PAGE: Final = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request.

    With ``carries_out`` it is worked on as usual first (an edit is applied), then ``spoil`` turns the true answer into
    what the client gets; otherwise ``spoil`` is given an invented answer. ``delay_s`` passes before either.
    """

    spoil: Callable[[Response], Answer]
    carries_out: bool = False
    delay_s: float = 0.0


@dataclass(slots=True, eq=False)
class ArmedFault:
    """A fault waiting for requests that it fits."""

    fault: Fault
    left: int
    fits: Callable[[Request, str], bool]
    spared: int = 0
    """So many fitting requests go unharmed first."""


class Misfortune(Protocol):
    """Decides which requests go wrong, and how."""

    def pick(self, request: Request, kind: str) -> Fault | None:
        """Return the fault for a request (``kind`` as in ``Kind``), None if it goes well."""
        ...


class Flakiness:
    """Spoils a share of all fitting requests, the same ones for the same seed and order of requests."""

    def __init__(
        self, share: float, faults: tuple[Fault, ...], fits: Callable[[Request, str], bool], seed: int
    ) -> None:
        self._share = share
        self._faults = faults
        self._fits = fits
        self._random = random.Random(seed)

    def pick(self, request: Request, kind: str) -> Fault | None:
        """Return the fault for a request, if it is one of the unlucky ones."""
        if not self._fits(request, kind) or self._random.random() >= self._share:
            return None
        return self._random.choice(self._faults)


def status(code: int, *, retry_after_s: int | None = None, applied: bool = False, delay_s: float = 0.0) -> Fault:
    """Answer with a status and Plex's HTML page for it, after carrying the request out (``applied``) or not."""
    headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
    return Fault(lambda _answer: rendering.error_page(code, headers), carries_out=applied, delay_s=delay_s)


def reset() -> Fault:
    """Reset the connection before any answer; nothing was done."""
    return Fault(lambda _answer: Reset())


def answer_lost() -> Fault:
    """Carry the request out, then reset the connection instead of answering."""
    return Fault(lambda _answer: Reset(), carries_out=True)


def reset_in_body() -> Fault:
    """Carry the request out, then reset the connection in the middle of the answer."""
    return Fault(lambda answer: Reset(_with_body(answer), len(_with_body(answer).body) // 2), carries_out=True)


def truncated() -> Fault:
    """Carry the request out and announce the whole answer, but end the connection in its middle."""
    return Fault(lambda answer: Cut(_with_body(answer), len(_with_body(answer).body) // 2), carries_out=True)


def broken_body() -> Fault:
    """Carry the request out, then answer with half a document that claims to be whole."""
    return Fault(
        lambda answer: Response(answer.status, answer.body[: len(answer.body) // 2], answer.headers), carries_out=True
    )


def html_page() -> Fault:
    """Answer 200 with the sign-in page of some proxy; nothing was done."""
    return Fault(lambda _answer: Response(200, _PROXY_PAGE, rendering.HTML_HEADERS))


def empty() -> Fault:
    """Answer 200 with nothing; nothing was done."""
    return Fault(lambda _answer: Response(200))


def hang(seconds: float, *, applied: bool = False) -> Fault:
    """Say nothing for so long, then end the connection."""
    return Fault(lambda _answer: Hang(seconds), carries_out=applied)


def slow(seconds: float) -> Fault:
    """Wait, then answer as usual."""
    return Fault(lambda answer: answer, carries_out=True, delay_s=seconds)


def trickle(bytes_per_s: float, *, from_head: bool = False) -> Fault:
    """Answer as usual, drop by drop: the body, or with ``from_head`` already the status line and the headers."""
    return Fault(lambda answer: Trickle(answer, bytes_per_s, from_head), carries_out=True)


def maintenance() -> Fault:
    """Answer as a server does whose start-up tasks are running: 503 and JSON, whatever was asked for."""
    return Fault(lambda _answer: maintenance_answer())


def still_starting() -> Fault:
    """Answer as a server does that just came up: 400 and a page asking for a retry."""
    return Fault(lambda _answer: still_starting_answer())


def maintenance_answer() -> Response:
    """Return the 503 of a server that runs start-up maintenance."""
    return Response(503, json.dumps(_MAINTENANCE).encode(), rendering.JSON_HEADERS)


def still_starting_answer() -> Response:
    """Return the 400 of a server that is still starting up."""
    return rendering.error_page(400, text=_STILL_STARTING)


def _with_body(answer: Response) -> Response:
    # An empty answer (edits have one) cannot stop in the middle; it gets a body to be cut.
    return answer if answer.body else Response(answer.status, b"<MediaContainer/>", answer.headers)
