"""Stash's news over a websocket (``graphql-transport-ws``): which jobs it runs, and that a scan has ended.

One connection at a time, opened here and read from until it ends; whatever goes wrong is StashUnavailable,
StashUnauthorized or StashRefused, and to try again is the listener's part. The key travels in a header, never in the
address (facts/stash.md 3.4).
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from scenesync.domain.errors import StashRefused, StashUnavailable
from scenesync.network.websocket import UNOPENED, KeepAlive, open_websocket, why_closed
from scenesync.stash import queries
from scenesync.stash.http_errors import judge_status, shorten
from scenesync.stash.jobs import Job, to_job
from scenesync.stash.schema import JOB_NEWS, SCAN_NEWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from websockets.sync.client import ClientConnection

    from scenesync.stash.http_errors import Login
    from scenesync.stash.queries import Query
    from scenesync.stash.schema import Schema
    from scenesync.stash.transport import Door

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
_LONGEST_MESSAGE_BYTES: Final = 1024 * 1024
_NEWS: Final = {"jobs": (JOB_NEWS, queries.JOB_NEWS), "scans": (SCAN_NEWS, queries.SCAN_NEWS)}


@dataclass(frozen=True, slots=True)
class News:
    """What Stash says: something about a ``job``, or that a scan or a clean is through."""

    job: Job | None = None
    scan_is_over: bool = False


class NewsStream:
    """An open connection."""

    def __init__(self, websocket: ClientConnection, server: str, keep_alive: KeepAlive) -> None:
        self._websocket = websocket
        self._server = server
        self._keep_alive = keep_alive
        self._heard_at = time.monotonic()
        self._pinged_at: float | None = None

    def next(self, timeout_s: float) -> News | None:
        """Return what Stash says next, None if that is nothing of interest, or nothing in time.

        Raises StashUnavailable at the end of the connection or of what was subscribed to, StashRefused if Stash does
        not know what was asked for.
        """
        try:
            message = self._receive(timeout_s)
        except TimeoutError:
            self._ping_when_silent()
            return None
        self._heard_at, self._pinged_at = time.monotonic(), None
        match message.get("type"):
            case "next":
                return news_of(message.get("payload"))
            case "ping":
                self.send({"type": "pong"})
            case "complete":  # nothing more will be said of it, while the connection and its pongs live on
                raise StashUnavailable(f"Stash at {self._server} ended what it was to tell.")
            case "error":
                raise StashRefused(f"Stash at {self._server} does not tell its news: {shorten(str(message))}")
        return None

    def begin(self, wanted: Mapping[str, Query]) -> None:
        """Introduce ourselves and subscribe. Raises what ``next`` raises."""
        self.send({"type": "connection_init"})
        try:
            answer = self._receive(self._keep_alive.answer_within_s)
        except TimeoutError as error:
            raise StashUnavailable(f"Stash at {self._server} did not answer on its websocket.") from error
        if answer.get("type") != "connection_ack":
            raise StashUnavailable(f"Stash at {self._server} speaks another protocol on its websocket.")
        for key, query in wanted.items():
            payload = {"query": query.text, "operationName": query.name}
            self.send({"id": key, "type": "subscribe", "payload": payload})

    def send(self, message: Mapping[str, object]) -> None:
        """Send a message."""
        try:
            self._websocket.send(json.dumps(message))
        except (ConnectionClosed, OSError) as error:
            raise self._ended(error) from error

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        try:
            message = json.loads(self._websocket.recv(timeout=timeout_s))
        except ConnectionClosed as error:
            raise self._ended(error) from error
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

    def _ping_when_silent(self) -> None:
        now = time.monotonic()
        if self._pinged_at is not None and now - self._pinged_at >= self._keep_alive.answer_within_s:
            raise StashUnavailable(f"Stash at {self._server} says nothing more on its websocket.")
        if self._pinged_at is None and now - self._heard_at >= self._keep_alive.every_s:
            self.send({"type": "ping"})
            self._pinged_at = now

    def _ended(self, error: Exception) -> StashUnavailable:
        return StashUnavailable(f"The news of Stash at {self._server} ended: {why_closed(error)}.")


@contextmanager
def open_news(door: Door, schema: Schema, keep_alive: KeepAlive | None = None) -> Iterator[NewsStream]:
    """Listen for the block. Raises StashUnavailable, StashUnauthorized, StashRefused."""
    wanted = {key: query for key, (name, query) in _NEWS.items() if schema.has(name)}
    if not wanted:
        raise StashRefused(f"Stash at {door.url} has no news to tell: it knows no subscriptions.")
    with _connected(door) as websocket:
        stream = NewsStream(websocket, door.url, keep_alive or KeepAlive())
        stream.begin(wanted)
        yield stream


def news_of(payload: object) -> News | None:
    """Return what the payload of a message says, None if that is of no interest."""
    data = payload.get("data") if isinstance(payload, dict) else None
    fields = data if isinstance(data, dict) else {}
    if fields.get("scanCompleteSubscribe") is True:
        return News(scan_is_over=True)
    update = fields.get("jobsSubscribe")
    if not isinstance(update, dict):
        return None
    job = to_job(update.get("job"), is_over=update.get("type") == "REMOVE")
    return None if job is None else News(job)


def _connected(door: Door) -> ClientConnection:
    try:
        return open_websocket(
            door.url,
            "/graphql",
            headers=door.headers,
            tls=door.tls,
            connect_timeout_s=door.connect_timeout_s,
            subprotocols=[PROTOCOL],
            ping_interval=None,
            max_size=_LONGEST_MESSAGE_BYTES,
        )
    except UNOPENED as error:
        raise _meaning(error, door.login) from error


def _meaning(error: Exception, login: Login) -> Exception:
    """Say what a websocket that does not open means: by class and status, never by text."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        refusal = judge_status(status, error.response.headers.get("Location", ""), login)
        return refusal or StashRefused(
            f"Stash at {login.server} opens no websocket (HTTP {HTTPStatus(status).value}): does a proxy pass it on?"
        )
    if isinstance(error, OSError):
        return StashUnavailable(f"Stash at {login.server} opens no websocket: {error.strerror or type(error).__name__}")
    return StashRefused(f"What answers at {login.server} speaks no websocket: does a proxy in front pass it on?")
