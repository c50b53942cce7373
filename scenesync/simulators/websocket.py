"""The server's end of a websocket, on a connection whose first request an HTTP server has read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING, Final, Protocol

import wsproto
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsproto.typing import Headers

NORMAL_CLOSURE: Final = 1000
# With "linger for 0 seconds" a close becomes a TCP reset instead of an orderly end.
_RESET_ON_CLOSE: Final = struct.pack("hh", 1, 0) if os.name == "nt" else struct.pack("ii", 1, 0)


class Abortable(Protocol):
    """A connection that the server can reset."""

    def abort(self) -> None:
        """Reset the connection."""


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a TCP reset."""
    if not transport.is_closing():
        raw = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # the client may have gone in this very moment
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


class WebSocket(asyncio.Protocol):
    """One open websocket. Everything here belongs to the server's loop.

    Pings are answered. ``on_text`` is called with each text that arrives, ``on_end`` once when the connection is over,
    however it ended. A ``deaf`` one leaves everything unanswered, like a machine behind a pulled cable.
    """

    def __init__(self, subprotocol: str | None = None) -> None:
        self.subprotocol = subprotocol
        self.on_text: Callable[[str], None] = lambda _text: None
        self.on_end: Callable[[], None] = lambda: None
        self.deaf = False
        self._wire = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        self._text: list[str] = []
        self._write: Callable[[bytes], None]
        self._transport: asyncio.Transport
        self._open_ones: set[Abortable]

    def accept(
        self,
        transport: asyncio.Transport,
        open_ones: set[Abortable],
        request: tuple[Headers, bytes],
        opened: Callable[[WebSocket], None],
    ) -> bool:
        """Take the connection over from HTTP: ``request`` is headers and target of what asked for it.

        Returns False for a request that no websocket can be made of.
        """
        headers, target = request
        try:
            self._wire.initiate_upgrade_connection(headers, target)
        except RemoteProtocolError:
            return False
        self._transport, self._open_ones = transport, open_ones
        transport.set_protocol(self)
        open_ones.add(self)
        # Known to the application before the client knows, so that nothing is missed which the client then causes.
        unsent = [self._wire.send(AcceptConnection(subprotocol=self.subprotocol))]
        self._write = unsent.append
        opened(self)
        self._write = transport.write
        transport.write(b"".join(unsent))
        return True

    def send_text(self, text: str) -> None:
        """Send one text message; to a closing or deaf connection nothing."""
        if not self.deaf:
            self._send(TextMessage(data=text))

    def close(self, code: int = NORMAL_CLOSURE, reason: str = "") -> None:
        """Begin an orderly end."""
        self._send(CloseConnection(code=code, reason=reason))

    def abort(self) -> None:
        """Reset the connection."""
        reset(self._transport)

    def data_received(self, data: bytes) -> None:
        """Take in what has arrived."""
        if self.deaf:
            return
        try:
            self._wire.receive_data(data)
            for event in self._wire.events():
                self._heed(event)
        except RemoteProtocolError:
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Tell that it is over."""
        self._open_ones.discard(self)
        self.on_end()

    def _heed(self, event: Event) -> None:
        match event:
            case TextMessage():
                self._text.append(event.data)
                if event.message_finished:
                    whole, self._text = "".join(self._text), []
                    self.on_text(whole)
            case Ping():
                self._send(event.response())
            case CloseConnection():
                self._send(event.response())
                self._transport.close()
            case _:
                pass  # pongs, and bytes that nobody here understands

    def _send(self, event: Event) -> None:
        if self._transport.is_closing():
            return
        with contextlib.suppress(LocalProtocolError):  # the other side has begun to close in the meantime
            self._write(self._wire.send(event))
