"""A simulated plex.tv: PINs that a person confirms, servers of an account, and what it does on a bad day.

It knows nothing but the documented flow (forums.plex.tv/t/609370) and the shapes that python-plexapi 4.18.3 reads.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

from scenesync.simulators.http_server import Answer, HttpServer, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PINS: Final = "/api/v2/pins"
RESOURCES: Final = "/api/v2/resources"
_IDENTITY: Final = ("x-plex-client-identifier", "x-plex-product")


@dataclass(slots=True)
class SimulatedPin:
    """A PIN of one client; ``token`` once a person has confirmed it."""

    id: int
    code: str
    client: str
    expires_at: float
    token: str | None = None


@dataclass(frozen=True, slots=True)
class AccountServer:
    """A server that the account sees, with its own token; ``connections`` as plex.tv writes them."""

    name: str
    machine_identifier: str
    access_token: str
    connections: tuple[dict[str, object], ...]
    owned: bool = True
    https_required: bool = False
    provides: str = "server"

    def as_document(self) -> dict[str, object]:
        """Return it as one of the resources."""
        return {
            "name": self.name,
            "product": "Plex Media Server" if "server" in self.provides else "Plex Web",
            "clientIdentifier": self.machine_identifier,
            "provides": self.provides,
            "owned": self.owned,
            "accessToken": self.access_token,
            "httpsRequired": self.https_required,
            "presence": True,
            "relay": False,
            "connections": list(self.connections),
        }


@dataclass(slots=True)
class BadDay:
    """What goes wrong: seconds before each answer, a status instead of the next ``times`` answers."""

    delay_s: float = 0.0
    status: int = 0
    times: int = 0
    retry_after_s: int | None = None


class PlexTvSimulator:
    """plex.tv over real HTTP on 127.0.0.1. Safe to use from other threads while it runs."""

    def __init__(self, *, account_token: str = "fake-account-token", pin_lives_s: float = 900.0) -> None:  # noqa: S107 - a simulated secret
        self.account_token = account_token
        self.pin_lives_s = pin_lives_s
        self.bad_day = BadDay()
        self.confirms_next = False
        """The next PIN is confirmed the moment it is made, as if somebody waited at the browser."""
        self.requests: list[Request] = []
        self.pins: dict[int, SimulatedPin] = {}
        self.servers: list[AccountServer] = []
        self._guard = threading.Lock()
        self._http = HttpServer(self._answer)

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        return self._http.url

    @property
    def failures(self) -> tuple[Exception, ...]:
        """Bugs of the simulator."""
        return self._http.failures

    def __enter__(self) -> Self:
        self._http.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.stop()

    def refuse(self) -> None:
        """Refuse connections."""
        self._http.refuse()

    def accept(self) -> None:
        """Take connections again."""
        self._http.accept()

    def add_server(self, server: AccountServer) -> None:
        """Give the account one more server."""
        with self._guard:
            self.servers.append(server)

    def sign_in(self, code: str) -> None:
        """Be the person who confirms a PIN in the browser. Raises KeyError for a code that nobody asked for."""
        with self._guard:
            pin = next((each for each in self.pins.values() if each.code == code), None)
            if pin is None:
                raise KeyError("no such code")
            pin.token = self.account_token

    async def _answer(self, request: Request) -> Answer:
        day = self.bad_day
        if day.delay_s:
            await asyncio.sleep(day.delay_s)
        with self._guard:
            self.requests.append(request)
            if day.times > 0:
                day.times -= 1
                headers = () if day.retry_after_s is None else (("Retry-After", str(day.retry_after_s)),)
                return _json(day.status, {"errors": [{"code": 1003, "message": "not today"}]}, headers)
            answer = self._served(request)
        return answer if "json" in request.headers.get("accept", "") else _as_xml(answer, request.path)

    def _served(self, request: Request) -> Response:
        if any(not request.headers.get(name) for name in _IDENTITY):
            return _problem(400, 1000, "X-Plex-Client-Identifier is missing")
        if request.method == "POST" and request.path == PINS:
            return self._new_pin(request)
        if request.method == "GET" and request.path.startswith(f"{PINS}/"):
            return self._pin(request)
        if request.method == "GET" and request.path == RESOURCES:
            if request.headers.get("x-plex-token") != self.account_token:
                return _problem(401, 1001, "User could not be authenticated")
            return _json(200, [server.as_document() for server in self.servers])
        return _problem(404, 1002, "Not found")

    def _new_pin(self, request: Request) -> Response:
        wishes = parse_qs(request.body.decode()) | {name: [value] for name, value in request.query}
        strong = wishes.get("strong", ["false"])[0].lower() in {"true", "1"}
        code = secrets.token_urlsafe(18) if strong else secrets.token_hex(2).upper()
        client = request.headers["x-plex-client-identifier"]
        pin = SimulatedPin(1_000_000 + len(self.pins), code, client, time.time() + self.pin_lives_s)
        self.pins[pin.id] = pin
        if self.confirms_next:
            self.confirms_next, pin.token = False, self.account_token
        return _json(201, self._document(pin))

    def _pin(self, request: Request) -> Response:
        wanted = request.path.removeprefix(f"{PINS}/")
        pin = self.pins.get(int(wanted)) if wanted.isdigit() else None
        mine = pin is not None and pin.client == request.headers["x-plex-client-identifier"]
        if pin is None or not mine or time.time() >= pin.expires_at:
            return _problem(404, 1020, "Code not found or expired")
        return _json(200, self._document(pin))

    @staticmethod
    def _document(pin: SimulatedPin) -> dict[str, object]:
        return {
            "id": pin.id,
            "code": pin.code,
            "product": "SceneSync",
            "trusted": False,
            "clientIdentifier": pin.client,
            "expiresIn": max(0, math.ceil(pin.expires_at - time.time())),
            "authToken": pin.token,
            "newRegistration": None,
        }


def connection(url: str, *, local: bool = True, relay: bool = False, uri: str | None = None) -> dict[str, object]:
    """Return a connection of a server at ``url`` (``http://host:port``) as plex.tv writes it."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    return {
        "protocol": scheme,
        "address": host,
        "port": int(port),
        "uri": uri or url,
        "local": local,
        "relay": relay,
        "IPv6": ":" in host,
    }


def _as_xml(answer: Response, path: str) -> Response:
    """Return the same as attributes of elements, which is what plex.tv sends to whoever does not ask for JSON."""
    document = json.loads(answer.body)
    if isinstance(document, list):
        root = ET.Element("resources")
        for each in document:
            connections = each.pop("connections")
            resource = ET.SubElement(root, "resource", _attributes(each))
            inner = ET.SubElement(resource, "connections")
            for one in connections:
                ET.SubElement(inner, "connection", _attributes(one))
    else:
        root = ET.Element("pin" if path.startswith(PINS) else "errors", _attributes(document))
    return Response(answer.status, ET.tostring(root), (("Content-Type", "application/xml"),))


def _attributes(document: Mapping[str, object]) -> dict[str, str]:
    return {
        name: str(int(value)) if isinstance(value, bool) else str(value)
        for name, value in document.items()
        if value is not None and not isinstance(value, list)
    }


def _problem(status: int, code: int, words: str) -> Response:
    return _json(status, {"errors": [{"code": code, "message": words, "status": status}]})


def _json(status: int, document: object, headers: Sequence[tuple[str, str]] = ()) -> Response:
    return Response(status, json.dumps(document).encode(), (("Content-Type", "application/json"), *headers))
