"""How requests get to the endpoints: faults, start-up, tokens, the one writer's turn, and the records."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final, Literal

import urllib3

from scenesync.simulators.http_server import Answer, Cut, Request, Response, Trickle, Upgrade
from scenesync.simulators.plex.faults import (
    ArmedFault,
    Fault,
    Misfortune,
    maintenance_answer,
    still_starting_answer,
)
from scenesync.simulators.plex.records import RequestRecord
from scenesync.simulators.plex.rendering import error_page
from scenesync.simulators.plex.routes import Route, find_route
from scenesync.simulators.plex.state import Call, Kind, PlexState

StartUp = Literal["maintenance", "still-starting"]

_FETCH_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class BusyWriter:
    """Writes are answered with 500 after ``delay_s``, whether they were carried out (``applied``) or not."""

    delay_s: float
    applied: bool


class WritePause:
    """Holds writes until it is released."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        """Set once a write waits."""
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let the held writes go on. Only on the server's loop."""
        self._released.set()

    async def wait(self) -> None:
        """Note the arrival of a write and hold it."""
        self.arrived.set()
        await self._released.wait()


@dataclass(slots=True, eq=False)
class Traffic:
    """The switches of the road between client and endpoints, and the road itself."""

    state: PlexState
    guard: threading.RLock
    token: str
    read_only_token: str | None = None
    latency_s: float = 0.0
    write_latency_s: float = 0.0
    startup: StartUp | None = None
    deaf: bool = False
    busy_writer: BusyWriter | None = None
    pause: WritePause | None = None
    flakiness: Misfortune | None = None
    armed: list[ArmedFault] = field(default_factory=list)
    writes_in_flight: int = 0
    peak_writes_in_flight: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def begin(self) -> None:
        """Forget what belonged to an earlier run of the loop."""
        self._turn = asyncio.Lock()
        self.writes_in_flight = 0

    async def answer(self, request: Request) -> Answer:
        """Answer one request and note it."""
        arrived = time.monotonic()
        found = find_route(request)
        kind = Kind.UNKNOWN if found is None else found[0].kind
        answer = await self._under_faults(request, found, kind)
        self._note(request, answer, arrived, kind)
        return answer

    def _note(self, request: Request, answer: Answer, arrived: float, kind: Kind) -> None:
        match answer:
            case Response(status):
                pass
            case Trickle(response):
                status = response.status
            case Upgrade():
                status = HTTPStatus.SWITCHING_PROTOCOLS
            case _:
                status = 0
        record = RequestRecord(request.method, request.path, request.query, status, arrived, kind.value)
        with self.guard:
            self.state.requests.append(record)
            self.state.counts[kind.value] += 1

    async def _under_faults(self, request: Request, found: tuple[Route, Call] | None, kind: Kind) -> Answer:
        if self.latency_s > 0:
            await asyncio.sleep(self.latency_s)
        if self.startup is not None:
            return maintenance_answer() if self.startup == "maintenance" else still_starting_answer()
        fault = self._take_fault(request, kind)
        if fault is None:
            return await self._admitted(request, found)
        if fault.delay_s > 0:
            await asyncio.sleep(fault.delay_s)
        answer = await self._admitted(request, found) if fault.carries_out else Response(200)
        return fault.spoil(answer) if isinstance(answer, Response) else answer

    def _take_fault(self, request: Request, kind: Kind) -> Fault | None:
        with self.guard:
            for armed in self.armed:
                if not armed.fits(request, kind):
                    continue
                if armed.spared > 0:
                    armed.spared -= 1
                    continue
                armed.left -= 1
                if armed.left <= 0:
                    self.armed.remove(armed)
                return armed.fault
            return None if self.flakiness is None else self.flakiness.pick(request, kind)

    async def _admitted(self, request: Request, found: tuple[Route, Call] | None) -> Answer:
        limit = self.state.behaviour.max_target_bytes
        if limit is not None and len(request.target) > limit:
            return error_page(414) if self.state.behaviour.too_long == "414" else Cut()
        if found is None or not found[0].open_to_all:
            refusal = self._check_token(request, admin=found is not None and found[0].admin)
            if refusal is not None:
                return refusal
        if found is None:
            return error_page(404)
        route, call = found
        if route.writes:
            return await self._write(route, call)
        return self._work(route, call)

    def _check_token(self, request: Request, *, admin: bool) -> Response | None:
        given = Call(request, {}).plex_option("X-Plex-Token")
        if given == self.token:
            return None
        if self.read_only_token is not None and given == self.read_only_token:
            return error_page(403) if admin else None
        return error_page(401)

    def _work(self, route: Route, call: Call) -> Response | Upgrade:
        with self.guard:
            return route.endpoint(self.state, call)

    async def _write(self, route: Route, call: Call) -> Answer:
        self.writes_in_flight += 1
        self.peak_writes_in_flight = max(self.peak_writes_in_flight, self.writes_in_flight)
        try:
            if self.pause is not None:
                await self.pause.wait()
            if self.busy_writer is not None:
                return await self._write_while_busy(route, call, self.busy_writer)
            if not self.state.behaviour.writes_serialised:
                return await self._carry_out(route, call)
            return await self._write_in_turn(route, call)
        finally:
            self.writes_in_flight -= 1

    async def _write_while_busy(self, route: Route, call: Call, busy: BusyWriter) -> Answer:
        await asyncio.sleep(busy.delay_s)
        if busy.applied:
            await self._write_in_turn(route, call)
        return error_page(500)

    async def _write_in_turn(self, route: Route, call: Call) -> Answer:
        try:
            await asyncio.wait_for(self._turn.acquire(), self.state.behaviour.write_lock_timeout_s)
        except TimeoutError:
            return error_page(500)
        try:
            return await self._carry_out(route, call)
        finally:
            self._turn.release()

    async def _carry_out(self, route: Route, call: Call) -> Answer:
        if self.write_latency_s > 0:
            await asyncio.sleep(self.write_latency_s)
        if self.deaf:
            return Response(200)
        if route.kind == Kind.IMAGE and call.request.method == "POST":
            fetched = await _with_fetched_image(call)
            if fetched is None:
                return error_page(500)
            call = fetched
        return self._work(route, call)


def fits(only: Callable[[Request], bool] | str | None) -> Callable[[Request, str], bool]:
    """Return the test for requests: a predicate, a method (``PUT``), a kind (``edit``), or None for all."""
    if only is None:
        return lambda _request, _kind: True
    if isinstance(only, str):
        return lambda request, kind: only in {request.method, kind}
    return lambda request, _kind: only(request)


async def _with_fetched_image(call: Call) -> Call | None:
    """Put the image that ``url=`` names into the body, as the server fetches it itself; None if it cannot."""
    url = call.option("url")
    if url is None or call.request.body:
        return call
    try:
        body = await asyncio.to_thread(_fetch, url)
    except urllib3.exceptions.HTTPError:
        return None
    return Call(replace(call.request, body=body), call.path) if body else None


def _fetch(url: str) -> bytes:
    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", url, retries=False, timeout=_FETCH_TIMEOUT_S)
        return answer.data if answer.status == 200 else b""  # noqa: PLR2004 - the one status of an image
