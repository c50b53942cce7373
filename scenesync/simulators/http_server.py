"""A small real HTTP/1.1 server for simulated services: loopback only, quick, and able to fail on purpose.

It promises keep-alive, requests of any size, websockets, TLS, and answers that a healthy server never gives (resets,
cut bodies, silence, drips). What a request means is left to the application, a coroutine from :class:`Request` to
:data:`Answer`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, assert_never
from urllib.parse import parse_qsl, unquote

import h11

from scenesync.simulators.steady_loop import SteadyLoop
from scenesync.simulators.websocket import Abortable, WebSocket, reset

if TYPE_CHECKING:
    import concurrent.futures
    import ssl

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)
_HOST: Final = "127.0.0.1"
# h11 refuses longer request heads by itself; a simulated server decides about long URLs (414) in its application.
_LONGEST_HEAD_BYTES: Final = 4 * 1024 * 1024
# Some systems drop unread bytes when a reset arrives; the reader gets this long to pick up what was sent before it.
_DELIVERY_S: Final = 0.02
_DRIPS_PER_S: Final = 20
_BODILESS: Final = (204, 304)
_REASONS: Final = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}
_BACKLOG: Final = 256
# What is accepted gets a task, which makes a transport, which tells its protocol: a turn of the loop each.
_STEPS_OF_AN_ACCEPT: Final = 5


@dataclass(frozen=True, slots=True)
class Request:
    """One complete request. ``query`` is decoded once (``+`` is a blank), in order, blank values kept."""

    method: str
    path: str
    """Percent-decoded, without the query."""
    raw_query: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last value."""
    body: bytes
    target: str
    """As it came over the wire: path and query, still encoded."""
    secure: bool = False
    """It came over TLS."""


@dataclass(frozen=True, slots=True)
class Response:
    """A proper answer. ``Content-Length`` is added."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reset:
    """TCP reset: before any answer, or after the head and the first ``body_bytes`` of the body of ``after``."""

    after: Response | None = None
    body_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """Like :class:`Reset`, but the connection ends in an orderly way: no answer, or one that stops in the middle."""

    after: Response | None = None
    body_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Hang:
    """Silence for ``seconds``, then the connection ends without an answer."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Trickle:
    """The head at once, or with ``from_head`` drop by drop as well, then the body at ``bytes_per_s``."""

    response: Response
    bytes_per_s: float
    from_head: bool = False


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The connection becomes a websocket, which is given to ``opened`` on the server's loop once it is one."""

    opened: Callable[[WebSocket], None]
    subprotocol: str | None = None


Answer = Response | Reset | Cut | Hang | Trickle | Upgrade
Application = Callable[[Request], Awaitable[Answer]]


class HttpServer:
    """Serves ``application`` on 127.0.0.1 from an event loop in a daemon thread of its own.

    The application runs on that loop, so it must never block; artificial latency is an ``asyncio.sleep``. A request
    whose client has gone is still carried out to its end. Raises :class:`OSError` from :meth:`start` when the port is
    taken. May be started again after :meth:`stop`, on the same port. With ``tls`` it speaks HTTPS. ``clock`` is what
    its answers say the time is.
    """

    def __init__(
        self,
        application: Application,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = lambda: time.time(),  # noqa: PLW0108 - frozen time reaches it too
    ) -> None:
        self._application = application
        self._clock = clock
        self._port = port
        self._tls = tls
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reserved: socket.socket | None = None
        self._listener: asyncio.Server | None = None
        self._connections: set[Abortable] = set()
        self._failures: list[Exception] = []

    @property
    def port(self) -> int:
        """The port in use; 0 before the first start of a server that may take any."""
        return self._port

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>`` (or ``https``), without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://{_HOST}:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the loop runs, listening or refusing."""
        return self._thread is not None

    @property
    def failures(self) -> tuple[Exception, ...]:
        """Exceptions that escaped from the application (each was answered with 500): bugs of the simulator."""
        return tuple(self._failures)

    def start(self) -> None:
        """Listen and return once connections are accepted. Does nothing when running already."""
        if self._thread is not None:
            return
        self._reserve_port()
        loop = SteadyLoop()
        self._loop = loop
        self._thread = threading.Thread(target=self._run, args=(loop,), name=f"simulator-{self._port}", daemon=True)
        self._thread.start()
        self.accept()

    def stop(self) -> None:
        """Reset open connections, cancel requests in hand, stop listening and end the thread. Idempotent."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self.submit(self._shut_down()).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        self._loop = self._thread = None

    def refuse(self) -> None:
        """Refuse new connections and reset the open ones; requests in hand go on, their answers are lost.

        The port stays reserved, so that nobody else can be found there in the meantime. Raises :class:`RuntimeError`
        when the server is not running.
        """
        self.submit(self._refuse()).result()

    def accept(self) -> None:
        """Listen again after :meth:`refuse`."""
        self.submit(self._accept()).result()

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the server's loop; its result is awaited with ``.result()``."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._running_loop())
        except RuntimeError:
            work.close()
            raise

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call a function on the server's loop without waiting for it."""
        self._running_loop().call_soon_threadsafe(function, *args)

    def on_loop(self) -> bool:
        """Tell whether the caller runs in the server's own thread (where waiting for the loop would never end)."""
        return threading.current_thread() is self._thread

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("The simulated server is not running. Call start() first.")
        return self._loop

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _reserve_port(self) -> None:
        """Bind without listening: connections are refused, yet no other program can be given the port."""
        reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if os.name != "nt":  # there it would let two programs share the port
                reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind((_HOST, self._port))
        except OSError:
            reserved.close()
            raise
        self._port = reserved.getsockname()[1]
        self._reserved = reserved

    async def _accept(self) -> None:
        if self._reserved is None:
            return
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._connect, sock=self._reserved, backlog=_BACKLOG, ssl=self._tls)
        self._reserved = None  # the listener owns it now

    async def _refuse(self) -> None:
        if self._listener is not None:
            await self._close(self._listener)
            self._reserve_port()
            await asyncio.sleep(0)  # transports close their sockets in a callback

    async def _close(self, listener: asyncio.Server) -> None:
        """Stop listening and reset all connections; first let those become known that are being accepted.

        Else asyncio would forget them, open (github.com/python/cpython/issues/109564).
        """
        for listening in listener.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        for _ in range(_STEPS_OF_AN_ACCEPT):
            await asyncio.sleep(0)
        listener.close()
        self._listener = None
        for connection in tuple(self._connections):
            connection.abort()

    async def _shut_down(self) -> None:
        if self._listener is not None:
            await self._close(self._listener)
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_default_executor()
        await asyncio.sleep(0)  # transports close their sockets in a callback

    def _connect(self) -> _Connection:
        return _Connection(self._answer, self._connections, self._clock)

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self._application(request)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the client gets a 500, as from any server
            _LOG.exception("The simulated application failed on %s %s", request.method, request.path)
            self._failures.append(error)
            return Response(500, b"The simulator failed: see HttpServer.failures.")


class _Connection(asyncio.Protocol):
    """One client's connection: bytes in, one request at a time to the application, its answer out."""

    def __init__(
        self,
        answer: Callable[[Request], Awaitable[Answer]],
        open_ones: set[Abortable],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._answer = answer
        self._clock = clock
        self._open_ones = open_ones
        self._wire = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD_BYTES)
        self._transport: asyncio.Transport
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._in_hand: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type; TCP transports always are
        self._transport = transport
        self._open_ones.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._open_ones.discard(self)

    def data_received(self, data: bytes) -> None:
        self._wire.receive_data(data)
        if self._in_hand is None:
            self._read_on()

    def abort(self) -> None:
        """Reset the connection."""
        reset(self._transport)

    def _read_on(self) -> None:
        """Take in what has arrived, up to the end of one request."""
        while True:
            try:
                event = self._wire.next_event()
            except h11.RemoteProtocolError as error:
                refusal = Response(error.error_status_hint, headers=(("Connection", "close"),))
                self._transport.write(self._encode(refusal))
                self._transport.close()
                return
            if isinstance(event, h11.Request):
                self._head, self._body = event, []
                if self._wire.they_are_waiting_for_100_continue:
                    self._transport.write(self._send(h11.InformationalResponse(status_code=100, headers=[])))
            elif isinstance(event, h11.Data):
                self._body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self._in_hand = asyncio.get_running_loop().create_task(self._serve(self._request()))
                return
            else:
                return

    def _request(self) -> Request:
        assert self._head is not None  # noqa: S101 - narrows the type; h11 gives the head before the end
        target = self._head.target.decode("latin-1")
        raw_path, _, raw_query = target.partition("?")
        return Request(
            method=self._head.method.decode("ascii"),
            path=unquote(raw_path, errors="replace"),
            raw_query=raw_query,
            query=tuple(parse_qsl(raw_query, keep_blank_values=True)) if raw_query else (),
            headers={name.decode("ascii"): value.decode("latin-1") for name, value in self._head.headers},
            body=b"".join(self._body),
            target=target,
            secure=self._transport.get_extra_info("sslcontext") is not None,
        )

    async def _serve(self, request: Request) -> None:
        answer = await self._answer(request)
        if not self._transport.is_closing():
            await self._give(answer)
        self._in_hand = None
        if self._transport.is_closing() or self._transport.get_protocol() is not self:
            return
        if self._wire.our_state is h11.DONE and self._wire.their_state is h11.DONE:
            self._wire.start_next_cycle()
            self._read_on()
        else:
            self._transport.close()

    async def _give(self, answer: Answer) -> None:
        match answer:
            case Response():
                self._transport.write(self._encode(answer))
            case Reset(after, body_bytes):
                await self._give_part(after, body_bytes)
                self.abort()
            case Cut(after, body_bytes):
                await self._give_part(after, body_bytes)
                self._transport.close()
            case Hang(seconds):
                await asyncio.sleep(seconds)
                self._transport.close()
            case Trickle(response, bytes_per_s, from_head):
                await self._drip(response, bytes_per_s, from_head=from_head)
            case Upgrade():
                self._upgrade(answer)
            case _:
                assert_never(answer)

    def _upgrade(self, answer: Upgrade) -> None:
        """Leave the connection to a websocket, if that is what was asked for."""
        assert self._head is not None  # noqa: S101 - narrows the type; only a request is answered
        websocket = WebSocket(answer.subprotocol)
        request = (list(self._head.headers), self._head.target)
        if websocket.accept(self._transport, self._open_ones, request, answer.opened):
            self._open_ones.discard(self)
        else:
            self._transport.write(self._encode(Response(400)))

    def _encode(self, response: Response) -> bytes:
        bodiless = response.status in _BODILESS or (self._head is not None and self._head.method == b"HEAD")
        head = self._encode_head(response)
        body = b"" if bodiless or not response.body else self._send(h11.Data(data=response.body))
        return b"".join((head, body, self._send(h11.EndOfMessage())))

    def _encode_head(self, response: Response) -> bytes:
        # Both real servers tell their time with every answer.
        headers = [*response.headers, ("Date", formatdate(self._clock(), usegmt=True))]
        if response.status not in _BODILESS:
            headers.append(("Content-Length", str(len(response.body))))
        reason = _REASONS.get(response.status, b"Unknown")
        return self._send(h11.Response(status_code=response.status, headers=headers, reason=reason))

    def _send(self, event: h11.Event) -> bytes:
        return self._wire.send(event) or b""

    async def _give_part(self, response: Response | None, body_bytes: int) -> None:
        if response is not None:
            self._transport.write(self._encode_head(response) + response.body[:body_bytes])
            await asyncio.sleep(_DELIVERY_S)

    async def _drip(self, response: Response, bytes_per_s: float, *, from_head: bool) -> None:
        head, body = self._encode_head(response), self._send(h11.Data(data=response.body))
        whole, start = head + body, 0 if from_head else len(head)
        self._transport.write(whole[:start])
        step = max(1, int(bytes_per_s / _DRIPS_PER_S))
        for begin in range(start, len(whole), step):
            piece = whole[begin : begin + step]
            await asyncio.sleep(len(piece) / bytes_per_s)
            if self._transport.is_closing():
                return
            self._transport.write(piece)
        self._transport.write(self._send(h11.EndOfMessage()))
