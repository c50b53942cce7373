"""Serve the application from a thread with an event loop of its own, beside the work that goes before it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import uvicorn

from scenesync.web.guard.hosts import is_loopback
from scenesync.web.patience import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

log = logging.getLogger(__name__)

IDLE_S: Final = 15
MOST_CONNECTIONS: Final = 200
LARGEST_HEAD_BYTES: Final = 32 * 1024
STOP_WITHIN_S: Final = 1
TICK_S: Final = 1.0
SHORTEST_OPEN_KEY: Final = 16
"""A key that protects a server which others can reach must not be guessed."""


@dataclass(frozen=True, slots=True)
class RouteDoor:
    """Where the dashboard of a route is, on the same machine; without a port nobody knows."""

    name: str
    port: int
    base_path: str = ""
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and as what: ``base_path`` is where a proxy shows us, ``trusted_hosts`` what it is called."""

    host: str
    port: int
    api_key: str = field(repr=False)
    base_path: str = ""
    trusted_hosts: tuple[str, ...] = ()
    routes: tuple[RouteDoor, ...] = ()
    """The dashboards of all routes, if there are several."""


class OpenDoor(ValueError):
    """Others could reach the server without a key that keeps them out; the message says what to do."""


def require_shut(address: Address) -> None:
    """Raise OpenDoor for an address that others reach without a good key."""
    if not address.api_key:
        raise OpenDoor("there is no key (http_api_key), and without one nobody is served")
    if not is_loopback(address.host) and len(address.api_key) < SHORTEST_OPEN_KEY:
        raise OpenDoor(
            f"http_host = {address.host} can be reached by others, and the key that keeps them out has less than "
            f"{SHORTEST_OPEN_KEY} characters; set a longer http_api_key, or none to have one made"
        )


class WebServer:
    """A server that runs from ``start`` to ``stop``."""

    def __init__(self, app: ASGIApp, address: Address, *, on_stop: Callable[[], None]) -> None:
        require_shut(address)
        self._address = address
        self._on_stop = on_stop
        self._socket: socket.socket | None = None
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=STOP_WITHIN_S,
            limit_concurrency=MOST_CONNECTIONS,
            h11_max_incomplete_event_size=LARGEST_HEAD_BYTES,
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def url(self) -> str:
        """Where it is to be found, once it was started."""
        assert self._socket is not None  # noqa: S101 - asked for by who started it
        host, port = self._socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port}{self._address.base_path}"

    def start(self) -> None:
        """Listen, and begin to answer. Raises OSError if the address cannot be had."""
        self._socket = _bound(self._address)
        self._thread.start()

    def stop(self) -> None:
        """Answer nobody any more; who listens to events is told, who waits for an answer has a second."""
        self._on_stop()
        self._server.end()
        self._thread.join(timeout=2 * STOP_WITHIN_S + 1)
        if self._socket is not None:
            self._socket.close()

    def _serve(self) -> None:
        assert self._socket is not None  # noqa: S101 - made by start
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except Exception:
            log.exception("the server for dashboard and API ended; delivery goes on without it")


class _Server(uvicorn.Server):
    """Looks once a second whether it is to end, not ten times: the processor may sleep, and ``end`` wakes it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = asyncio.Event()

    async def main_loop(self) -> None:
        """Keep the time that answers carry, until the end."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), TICK_S)

    def end(self) -> None:
        """Let it end, from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._is_over.set)


def _bound(address: Address) -> socket.socket:
    """Return a socket that listens. Raises OSError."""
    infos = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
    )
    family, kind, protocol, _, where = infos[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(128)
        listening.setblocking(False)  # noqa: FBT003 - the standard library's own
    except OSError:
        listening.close()
        raise
    return listening
