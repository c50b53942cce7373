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
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

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
    """Those who listen. Looks for all of them what is new, and how things stand, as long as there is one."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self.is_over = False
        self._status = status
        self._streams: set[EventStream] = set()
        self._looking: asyncio.Task[None] | None = None
        self._told = Told(0, "{}")
        self._substance = ""
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._streams)

    @property
    def is_full(self) -> bool:
        """Whether no one else may listen."""
        return self.listeners >= MOST_LISTENERS

    async def join(self, stream: EventStream) -> None:
        """Look for this one, too, now and from now on."""
        self._streams.add(stream)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        stream.look(await self._state())

    def leave(self, stream: EventStream) -> None:
        """Look for it no longer."""
        self._streams.discard(stream)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._streams and not self.is_over:
                await asyncio.sleep(LOOK_EVERY_S - loop.time() % LOOK_EVERY_S)
                now = await self._state() if any(each.hears_of_status for each in self._streams) else self._told
                for stream in tuple(self._streams):
                    stream.look(now)
        finally:
            for stream in tuple(self._streams):  # when the server stops; after a bug they come back, and are looked for
                stream.end()

    async def _state(self) -> Told:
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
    """The answer to one listener, an ASGI application: sends what was found for it, once it has taken the rest."""

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
        self._shown = Told(-1, "")
        self._told_at = time.monotonic()
        self._piece = ""
        self._wake = asyncio.Event()
        self._is_over = False

    @property
    def hears_of_status(self) -> bool:
        """Whether how things stand is of interest here."""
        return STATUS in self._kinds

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the listener leaves, takes nothing any more, or the server stops."""
        gone = asyncio.ensure_future(_left(receive))
        gone.add_done_callback(lambda _: self.end())
        try:
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send(_body("retry: 3000\n\n"))
            await self._audience.join(self)
            while not self._is_over:
                await self._wake.wait()
                self._wake.clear()
                piece, self._piece = self._piece, ""
                if piece:
                    await send(_body(piece))  # who takes nothing is hung up on (web.patience)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._audience.leave(self)
            gone.cancel()

    def look(self, now: Told) -> None:
        """Take what is new, unless the listener has yet to take what was new before: then it stays in the ring."""
        if self._piece:
            return
        piece, is_silent = self._news(), time.monotonic() - self._told_at >= BREATH_EVERY_S
        if self.hears_of_status and (now.number != self._shown.number or (is_silent and now.text != self._shown.text)):
            self._shown = now
            piece += f"event: {STATUS}\ndata: {now.text}\n\n"
        if piece or is_silent:
            self._told_at = time.monotonic()
            self._piece = piece or ": still here\n\n"
            self._wake.set()

    def end(self) -> None:
        """Answer no longer."""
        self._is_over = True
        self._wake.set()

    def _news(self) -> str:
        events, self._after, missed = self._ring.since(self._after, self._kinds, self._scene_id)
        missed += max(0, len(events) - MOST_AT_ONCE)
        pieces = [f"event: missed\ndata: {json.dumps({'count': missed})}\n\n"] if missed else []
        pieces += [
            f"id: {event.number}\nevent: {event.kind}\ndata: {event.text}\n\n" for event in events[-MOST_AT_ONCE:]
        ]
        return "".join(pieces)


def _body(text: str) -> Message:
    return {"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True}


async def _left(receive: Receive) -> None:
    """Return when the listener has gone."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
