"""Server-sent events: each listener reads the ring at its own pace, and is dropped when it no longer takes anything.

How things stand is asked once for all listeners, and never while nobody listens. All look at the same moments, so that
what their pages then ask for can be made once for all of them, too.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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
STATUS_EVERY_S: Final = 2.0
"""To find out how things stand takes milliseconds, which the worker would have had."""
BREATH_EVERY_S: Final = 15.0
"""Proxies close what is silent for longer."""
MOST_AT_ONCE: Final = 100
MOST_LISTENERS: Final = 50
STATUS: Final = "status"
KINDS: Final = frozenset({STATUS, "attempt", "task", "log"})
_OF_THE_CLOCK: Final[Any] = {
    "oldest_pending_s": True,
    "reliability": True,
    "outages": {"__all__": {"duration_s"}},
}
"""What of a state is another at each look although nothing happened; of outages that begin or end, the list tells."""


@dataclass(frozen=True, slots=True)
class Told:
    """A state as JSON; ``number`` grows when something has happened."""

    number: int
    text: str


class Audience:
    """Those who listen: counts them, asks how things stand for all of them, and ends all streams with the server."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self.listeners = 0
        self.is_over = False
        self._status = status
        self._told = Told(0, "{}")
        self._substance = ""
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    @property
    def is_full(self) -> bool:
        """Whether no one else may listen."""
        return self.listeners >= MOST_LISTENERS

    async def state(self) -> Told:
        """Return how things stand, hardly older than STATUS_EVERY_S; an empty object if nobody can say."""
        async with self._asking:
            # Half a look early: who comes a millisecond before it is time must not wait for the next look.
            if time.monotonic() - self._asked_at >= STATUS_EVERY_S - LOOK_EVERY_S / 2:
                self._asked_at = time.monotonic()
                self._told = await to_thread.run_sync(self._ask)
        return self._told

    def _ask(self) -> Told:
        try:
            status = self._status()
            text, substance = status.model_dump_json(), status.model_dump_json(exclude=_OF_THE_CLOCK)
        except (ProblemError, QueueError, StoreError, TransientError, PermanentError, OSError):
            text = substance = "{}"
        has_happened = substance != self._substance
        self._substance = substance
        return Told(self._told.number + has_happened, text)


class EventStream(Response):
    """The answer to one listener, an ASGI application."""

    def __init__(
        self,
        ring: EventRing,
        audience: Audience,
        *,
        kinds: frozenset[str] = KINDS,
        scene_id: int | None = None,
        after: int | None = None,
    ) -> None:
        super().__init__()
        self._ring = ring
        self._audience = audience
        self._kinds = kinds
        self._scene_id = scene_id
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
        told_at, shown = loop.time(), Told(-1, "")
        yield "retry: 3000\n\n"
        while not gone.done() and not self._audience.is_over:
            piece, is_silent = self._news(), loop.time() - told_at >= BREATH_EVERY_S
            if STATUS in self._kinds:
                now = await self._audience.state()
                if now.number != shown.number or (is_silent and now.text != shown.text):
                    shown = now
                    piece += f"event: {STATUS}\ndata: {now.text}\n\n"
            if piece or is_silent:
                told_at = loop.time()
                yield piece or ": still here\n\n"
            await asyncio.wait([gone], timeout=LOOK_EVERY_S - loop.time() % LOOK_EVERY_S)

    def _news(self) -> str:
        events, self._after, missed = self._ring.since(self._after, self._kinds, self._scene_id)
        missed += max(0, len(events) - MOST_AT_ONCE)
        pieces = [f"event: missed\ndata: {json.dumps({'count': missed})}\n\n"] if missed else []
        pieces += [
            f"id: {event.number}\nevent: {event.kind}\ndata: {event.text}\n\n" for event in events[-MOST_AT_ONCE:]
        ]
        return "".join(pieces)


async def _left(receive: Receive) -> None:
    """Return when the listener has gone."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
