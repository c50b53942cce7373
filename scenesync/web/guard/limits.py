"""What a request may weigh and how long it may take to arrive, and the headers that every answer carries."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from scenesync.web.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from scenesync.web.guard.hosts import Hosts

BODY_LIMIT_BYTES: Final = 1024 * 1024
BODY_WITHIN_S: Final = 20.0
FORGOTTEN_BYTES: Final = 16 * 1024 * 1024
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: a form's origin would be hidden from ourselves.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_UNCACHED: Final = (b"cache-control", b"no-store")


class Frame:
    """The outermost layer: takes the base path off, refuses unknown names, adds the headers to every answer."""

    def __init__(self, app: ASGIApp, hosts: Hosts, base_path: str) -> None:
        self._app = app
        self._hosts = hosts
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse a name that is not ours."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *_HEADERS]
                if all(name.lower() != b"cache-control" for name, _ in headers):
                    headers.append(_UNCACHED)
                message = {**message, "headers": headers}
            await send(message)

        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._hosts.knows(hosts[0].decode("latin-1")):
            words = "This server does not know that name. If it is yours, add it to the setting http_trusted_hosts."
            answer = problem(HTTPStatus.MISDIRECTED_REQUEST, "unknown-host", words)
            await answer(scope, receive, with_headers)
            return
        await self._app({**scope, "path": self._own_path(scope["path"])}, receive, with_headers)

    def _own_path(self, path: str) -> str:
        """Return the path without the base path, which a proxy may leave in front of it or not."""
        base = self._base_path
        if base and (path == base or path.startswith(base + "/")):
            return path[len(base) :] or "/"
        return path


class BodyLimit:
    """Refuses bodies that are too large, and those that do not arrive in time."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int = BODY_LIMIT_BYTES, within_s: float = BODY_WITHIN_S) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._within_s = within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body whole before anybody works with it; it is small, or refused."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        try:
            body = await asyncio.wait_for(self._whole(receive, int(announced)), self._within_s)
        except TimeoutError:
            answer = problem(HTTPStatus.REQUEST_TIMEOUT, "slow-body", "The request did not arrive in time.")
            answer.headers["Connection"] = "close"
            await answer(scope, receive, send)
            return
        if body is None:
            await _too_large(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _whole(self, receive: Receive, announced_bytes: int) -> bytes | None:
        """Return the body, None if it is too large; b"" for somebody who left.

        A body that is too large is read and forgotten for a while: who still sends does not see an answer.
        """
        pieces: list[bytes] = []
        size_bytes = 0
        too_large = announced_bytes > self._limit_bytes
        while not (too_large and size_bytes > FORGOTTEN_BYTES):
            message = await receive()
            if message["type"] == "http.disconnect":
                return b""
            piece = message.get("body", b"")
            size_bytes += len(piece)
            too_large = too_large or size_bytes > self._limit_bytes
            if too_large:
                pieces.clear()
            else:
                pieces.append(piece)
            if not message.get("more_body", False):
                break
        return None if too_large else b"".join(pieces)


def _replayed(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    words = f"The body of a request may have {BODY_LIMIT_BYTES} bytes."
    answer = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", words)
    answer.headers["Connection"] = "close"  # what else is sent need not be read
    await answer(scope, receive, send)
