"""Stash's subscriptions over a websocket, as ``graphql-transport-ws`` has them (facts/stash.md 3.4).

Stash itself sends no pings and answers those of its clients. There is none for changes of scenes: only jobs and the end
of scans are told of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from scenesync.simulators.http_server import Response, Upgrade
from scenesync.simulators.stash import go_json
from scenesync.simulators.stash.documents import RequestRefused
from scenesync.simulators.stash.execution import execute_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenesync.simulators.http_server import Request
    from scenesync.simulators.stash.documents import Documents, Operation
    from scenesync.simulators.stash.engine import Context
    from scenesync.simulators.stash.jobs import Job
    from scenesync.simulators.websocket import WebSocket

PROTOCOL: Final = "graphql-transport-ws"
_UNAUTHORIZED: Final = 4401
_BAD_REQUEST: Final = 4400


class OnLoop(Protocol):
    """Calls a function on the server's loop, soon."""

    def __call__(self, function: Callable[[], object]) -> None:
        """Call it."""


@dataclass(slots=True)
class _Listener:
    websocket: WebSocket
    context: Context
    acknowledged: bool = False
    wanted: dict[str, tuple[Operation, Mapping[str, Any]]] = field(default_factory=dict)
    """By the client's own ids."""


class Subscriptions:
    """Everybody who listens. All but ``tell_of_job`` and ``tell_of_scan`` belongs to the server's loop."""

    def __init__(self, documents: Documents, on_loop: OnLoop) -> None:
        self._documents = documents
        self._on_loop = on_loop
        self._listeners: list[_Listener] = []
        self.refused_with: int | None = None
        """A status that answers whoever wants to listen, e.g. 404 of a proxy that knows no websockets."""
        self.opened = 0

    @property
    def active(self) -> int:
        """How many subscriptions there are at this moment."""
        return sum(len(listener.wanted) for listener in tuple(self._listeners))

    def admit(self, request: Request, context: Context) -> Response | Upgrade:
        """Answer the request of a client that may listen."""
        if self.refused_with is not None:
            return Response(self.refused_with)
        offered = [name.strip() for name in request.headers.get("sec-websocket-protocol", "").split(",")]
        return Upgrade(
            lambda websocket: self._listen(_Listener(websocket, context)), PROTOCOL if PROTOCOL in offered else None
        )

    def tell_of_job(self, kind: str, job: Job) -> None:
        """Tell that a job was added (ADD), changed (UPDATE) or ended (REMOVE, with its final status)."""
        self._on_loop(lambda: self._tell("jobsSubscribe", {"type": kind, "job": job}))

    def tell_of_scan(self) -> None:
        """Tell that a scan or a clean has ended."""
        self._on_loop(lambda: self._tell("scanCompleteSubscribe", value=True))

    def cut(self) -> None:
        """Reset every open websocket."""

        def abort_all() -> None:
            for listener in tuple(self._listeners):
                listener.websocket.abort()

        self._on_loop(abort_all)

    def end_one(self) -> None:
        """End one subscription of each open websocket, which stays open."""

        def complete_one_each() -> None:
            for listener in self._listeners:
                key, _ = listener.wanted.popitem()
                _send(listener, {"id": key, "type": "complete"})

        self._on_loop(complete_one_each)

    def fall_silent(self) -> None:
        """Leave them open, but answer nothing any more."""

        def deafen_all() -> None:
            for listener in self._listeners:
                listener.websocket.deaf = True

        self._on_loop(deafen_all)

    def _listen(self, listener: _Listener) -> None:
        self.opened += 1
        self._listeners.append(listener)
        listener.websocket.on_text = lambda text: self._hear(listener, text)
        listener.websocket.on_end = lambda: self._listeners.remove(listener)

    def _hear(self, listener: _Listener, text: str) -> None:
        message = json.loads(text)
        match message.get("type"):
            case "connection_init":  # its payload is ignored: who may listen was told by the HTTP request
                listener.acknowledged = True
                _send(listener, {"type": "connection_ack"})
            case "ping":
                _send(listener, {"type": "pong"})
            case "pong":
                pass
            case "complete":
                listener.wanted.pop(str(message.get("id")), None)
            case "subscribe" if listener.acknowledged:
                self._subscribe(listener, str(message["id"]), message["payload"])
            case "subscribe":
                listener.websocket.close(_UNAUTHORIZED, "Unauthorized")
            case _:
                listener.websocket.close(_BAD_REQUEST, "unexpected message")

    def _subscribe(self, listener: _Listener, key: str, payload: Mapping[str, Any]) -> None:
        try:
            operation = self._documents.operation(payload["query"], payload.get("operationName"))
        except RequestRefused as refused:
            _send(listener, {"id": key, "type": "error", "payload": list(refused.errors)})
            return
        listener.wanted[key] = (operation, payload.get("variables") or {})

    def _tell(self, root_field: str, value: object) -> None:
        for listener in self._listeners:
            for key, (operation, variables) in listener.wanted.items():
                if root_field in operation.root_fields:
                    answer = execute_event(listener.context, operation, variables, value)
                    _send(listener, {"id": key, "type": "next", "payload": answer})


def _send(listener: _Listener, message: Mapping[str, Any]) -> None:
    listener.websocket.send_text(go_json.encode(message).decode())
