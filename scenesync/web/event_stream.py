"""Server-sent events: each listener reads the ring at its own pace, and is dropped when it no longer takes anything."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from anyio import to_thread
from starlette.responses import Response

from scenesync.domain.errors import PermanentError, TransientError
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError
from scenesync.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from scenesync.web.events import EventRing
    from scenesync.web.models.state import Status

LOOK_EVERY_S: Final = 0.5
STATUS_EVERY_S: Final = 1.0
BREATH_EVERY_S: Final = 15.0
"""Proxies close what is silent for longer."""
MOST_AT_ONCE: Final = 100
MOST_LISTENERS: Final = 50
STATUS: Final = "status"
KINDS: Final = frozenset({STATUS, "attempt", "task", "log"})


class Audience:
    """Counts who listens, and ends all streams when the server stops."""

    def __init__(self) -> None:
        self.listeners = 0
        self.is_over = False
        self._written: tuple[Status, str] | None = None

    @property
    def is_full(self) -> bool:
        """Whether no one else may listen."""
        return self.listeners >= MOST_LISTENERS

    def text_of(self, status: Status) -> str:
        """Return a state as JSON, written once for all who listen."""
        written = self._written
        if written is None or written[0] is not status:
            written = self._written = status, status.model_dump_json()
        return written[1]


class EventStream(Response):
    """The answer to one listener, an ASGI application."""

    def __init__(
        self,
        ring: EventRing,
        status: Callable[[], Status],
        audience: Audience,
        *,
        kinds: frozenset[str] = KINDS,
        after: int | None = None,
    ) -> None:
        super().__init__()
        self._ring = ring
        self._status = status
        self._audience = audience
        self._kinds = kinds
        self._after = ring.latest if after is None or after > ring.latest else after

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the listener leaves, takes nothing any more, or the server stops."""
        self._audience.listeners += 1
        gone = asyncio.ensure_future(_left(receive))
        try:
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for piece in self._pieces(gone):
                body = {"type": "http.response.body", "body": piece.encode("utf-8", "replace"), "more_body": True}
                await send(body)  # who takes nothing is hung up on (web.patience)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._audience.listeners -= 1
            gone.cancel()

    async def _pieces(self, gone: asyncio.Future[None]) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        status_at, told_at, shown = 0.0, loop.time(), ""
        yield "retry: 3000\n\n"
        while not gone.done() and not self._audience.is_over:
            piece = self._news()
            if STATUS in self._kinds and loop.time() - status_at >= STATUS_EVERY_S:
                status_at = loop.time()
                text = await self._status_text()
                if text != shown:
                    shown = text
                    piece += f"event: {STATUS}\ndata: {text}\n\n"
            if piece or loop.time() - told_at >= BREATH_EVERY_S:
                told_at = loop.time()
                yield piece or ": still here\n\n"
            await asyncio.wait([gone], timeout=LOOK_EVERY_S)

    def _news(self) -> str:
        events, self._after, missed = self._ring.since(self._after, self._kinds)
        missed += max(0, len(events) - MOST_AT_ONCE)
        pieces = [f"event: missed\ndata: {json.dumps({'count': missed})}\n\n"] if missed else []
        pieces += [
            f"id: {event.number}\nevent: {event.kind}\ndata: {event.text}\n\n" for event in events[-MOST_AT_ONCE:]
        ]
        return "".join(pieces)

    async def _status_text(self) -> str:
        try:
            status = await to_thread.run_sync(self._status)
        except (ProblemError, QueueError, StoreError, TransientError, PermanentError, OSError):
            return "{}"
        return self._audience.text_of(status)


async def _left(receive: Receive) -> None:
    """Return when the listener has gone."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
