"""Sign in at plex.tv with a PIN that a person confirms in a browser, then learn which servers the account owns.

The flow is the documented one (forums.plex.tv/t/609370; field names as python-plexapi 4.18.3 reads them in myplex.py):
``POST /api/v2/pins`` with ``strong=true``, the person opens the auth app with the PIN's code, ``GET /api/v2/pins/ID``
is asked until it holds a token or the PIN is over, ``GET /api/v2/resources`` lists servers with their addresses.
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from scenesync.plex.exceptions import (
    PlexPermanentError,
    PlexServerDown,
    PlexTemporaryError,
    PlexTransientError,
    PlexUnauthorized,
)
from scenesync.plex.http import PlexHttp
from scenesync.plex.http_errors import STATUS_ERRORS, NoAnswer, retry_after_s
from scenesync.plex.request import RawAnswer, Request, parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scenesync.plex.request import Send

AUTH_APP: Final = "https://app.plex.tv/auth#?"
PRODUCT: Final = "SceneSync"
LOOK_EVERY_S: Final = 2.0
"""Plex's own example asks every second; nobody confirms a PIN so fast that this would be felt."""
LONGEST_WAIT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 15.0
_LONGEST_PIN_S: Final = 3600.0


class PinExpired(PlexPermanentError):
    """The PIN was not confirmed in time, or is not known any more: begin again."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What a person confirms: valid for ``expires_in_s`` seconds from when it was made."""

    id: int
    code: str = field(repr=False)
    expires_in_s: float


@dataclass(frozen=True, slots=True)
class Connection:
    """One way to a server, as plex.tv tells it; ``uri`` is by a name that has a certificate."""

    uri: str
    address: str
    port: int
    is_local: bool
    is_relay: bool


@dataclass(frozen=True, slots=True)
class OfferedServer:
    """A server of the account, with the token that it takes from it."""

    name: str
    machine_identifier: str
    access_token: str = field(repr=False)
    is_owned: bool
    needs_https: bool
    connections: tuple[Connection, ...]

    def addresses(self) -> tuple[str, ...]:
        """Return the base addresses in the order in which to try them: at home, from outside, by Plex's relay.

        At home the plain address goes first, unless the server refuses it: the name with the certificate is resolved by
        Plex's own DNS, and a home without Internet must stay in sync. From outside the token never goes in the clear.
        """
        at_home = [each for each in self.connections if each.is_local and not each.is_relay]
        outside = [each for each in self.connections if not each.is_local and not each.is_relay]
        relays = [each for each in self.connections if each.is_relay]
        plain = [] if self.needs_https else [_plain(each) for each in at_home]
        tls = [each.uri for each in (*at_home, *outside, *relays) if each.uri.startswith("https://")]
        return tuple(dict.fromkeys([*plain, *tls]))


class PlexTv:
    """plex.tv as far as signing in needs it. Thread-safe.

    Methods raise PlexServerDown (cannot be reached), PlexTemporaryError (did not answer usefully; with
    ``retry_after_s`` where it asked for patience), PlexUnauthorized and PlexPermanentError. ``connect`` gives the way
    to it for a token, or for nobody.
    """

    def __init__(self, connect: Callable[[str | None], Send], client_identifier: str) -> None:
        self._connect = connect
        self._client_identifier = client_identifier
        self._anonymous = connect(None)

    @classmethod
    def at(cls, url: str, *, client_identifier: str, version: str) -> PlexTv:
        """Return plex.tv at ``url``; sends nothing yet. Raises ValueError for an address that cannot be used."""

        def connect(token: str | None) -> Send:
            return PlexHttp(
                url,
                token=token,
                client_identifier=client_identifier,
                version=version,
                connect_timeout_s=CONNECT_TIMEOUT_S,
                pool_size=1,
            )

        return cls(connect, client_identifier)

    def begin(self) -> Pin:
        """Ask for a PIN."""
        form = urlencode({"strong": "true"}).encode()
        request = Request("POST", "/api/v2/pins", body=form, content_type="application/x-www-form-urlencoded")
        found = self._ask(self._anonymous, request)
        try:
            return Pin(int(found["id"]), str(found["code"]), _seconds(found.get("expiresIn")))
        except (KeyError, TypeError, ValueError) as error:
            raise _not_useful(request) from error

    def link(self, pin: Pin) -> str:
        """Return the address at which a person signs in and confirms the PIN."""
        wanted = {
            "clientID": self._client_identifier,
            "code": pin.code,
            "context[device][product]": PRODUCT,
        }
        return AUTH_APP + urlencode(wanted)

    def look(self, pin: Pin) -> str | None:
        """Return the account's token if the PIN was confirmed, None if not yet. Raises PinExpired too."""
        request = Request("GET", f"/api/v2/pins/{pin.id}", parameter("code", pin.code))
        found = self._ask(self._anonymous, request)
        if not isinstance(found, dict) or "authToken" not in found:
            raise _not_useful(request)
        return found["authToken"] or None

    def wait(self, pin: Pin, pause: Callable[[float], bool]) -> str | None:
        """Ask until the PIN is confirmed and return the account's token; None if ``pause`` says that it is enough.

        ``pause`` sleeps for so many seconds and returns whether to stop. What passes by itself (no answer, 429) is
        waited for as long as the PIN lives. Raises PinExpired, PlexUnauthorized, PlexPermanentError.
        """
        over_at = time.monotonic() + pin.expires_in_s
        failures = 0
        while time.monotonic() < over_at:
            asked_s: float | None = None
            try:
                token = self.look(pin)
            except (PlexServerDown, PlexTemporaryError) as error:
                failures += 1
                asked_s = getattr(error, "retry_after_s", None)
            else:
                failures = 0
                if token is not None:
                    return token
            if pause(min(wait_s(failures, asked_s), max(0.0, over_at - time.monotonic()))):
                return None
        raise PinExpired("Nobody confirmed the sign-in in time. Begin again.")

    def servers(self, token: str) -> tuple[OfferedServer, ...]:
        """Return the Plex servers that an account can reach, its own first."""
        request = Request("GET", "/api/v2/resources", "includeHttps=1&includeRelay=1")
        found = self._ask(self._connect(token), request)
        if not isinstance(found, list):
            raise _not_useful(request)
        servers = [server for each in found if isinstance(each, dict) for server in _server_in(each)]
        return tuple(sorted(servers, key=lambda server: (not server.is_owned, server.name.casefold())))

    def _ask(self, send: Send, request: Request) -> Any:  # noqa: ANN401 - JSON
        try:
            answer = send(request, read_timeout_s=READ_TIMEOUT_S)
        except NoAnswer as error:
            raise PlexServerDown(f"plex.tv {error}") from error
        if http.client.OK <= answer.status < http.client.MULTIPLE_CHOICES:
            try:
                return json.loads(answer.body)
            except (ValueError, RecursionError) as error:
                raise _not_useful(request) from error
        raise error_of(request, answer, now=time.time())


def wait_s(failures: int, asked_s: float | None) -> float:
    """Return how long to wait before the PIN is looked at again, after so many failures in a row. Pure."""
    if asked_s is not None:
        return max(LOOK_EVERY_S, asked_s)
    return min(LONGEST_WAIT_S, LOOK_EVERY_S * 2.0 ** min(failures, 10))


def error_of(request: Request, answer: RawAnswer, *, now: float) -> PlexTransientError | PlexPermanentError:
    """Return what an answer that is no success means; ``now`` is the time (epoch s), for Retry-After."""
    status = answer.status
    if status == http.client.NOT_FOUND and request.path.startswith("/api/v2/pins/"):
        return PinExpired("plex.tv does not know this sign-in any more. Begin again.", status=status)
    words = f"plex.tv answered {status} {http.client.responses.get(status, '')}".rstrip()
    if status == http.client.TOO_MANY_REQUESTS:
        asked_s = retry_after_s(answer.headers.get("retry-after", ""), now)
        words = "plex.tv was asked too often. Try again in a few minutes."
        return PlexTemporaryError(words, status=status, retry_after_s=asked_s)
    kind = STATUS_ERRORS.get(status)
    if kind is PlexUnauthorized or status == http.client.FORBIDDEN:
        return PlexUnauthorized(f"{words}: it does not accept this sign-in. Sign in again.", status=status)
    if kind is not None and issubclass(kind, PlexServerDown):
        return PlexServerDown(words, status=status)
    if status < http.client.BAD_REQUEST or status >= http.client.INTERNAL_SERVER_ERROR or kind is PlexTemporaryError:
        return PlexTemporaryError(words, status=status)
    return PlexPermanentError(words, status=status)


def _not_useful(request: Request) -> PlexTemporaryError:
    return PlexTemporaryError(f"{request.method} {request.path}: plex.tv answered with something else than was asked")


def _seconds(value: object) -> float:
    """Return how long a PIN lives; what cannot be read counts as the usual quarter of an hour."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return min(float(value), _LONGEST_PIN_S) if is_number else 900.0  # type: ignore[arg-type]  # a number, as asked


def _server_in(node: dict[str, Any]) -> Iterator[OfferedServer]:
    """Yield the server that a resource is: none for players, and for servers that nobody could be sure of."""
    provides = str(node.get("provides") or "").split(",")
    token, identifier = node.get("accessToken"), node.get("clientIdentifier")
    if "server" not in provides or not isinstance(token, str) or not token or not identifier:
        return
    connections = [each for each in node.get("connections") or () if isinstance(each, dict)]
    yield OfferedServer(
        name=str(node.get("name") or identifier),
        machine_identifier=str(identifier),
        access_token=token,
        is_owned=bool(node.get("owned")),
        needs_https=bool(node.get("httpsRequired")),
        connections=tuple(found for each in connections for found in _connection_in(each)),
    )


def _connection_in(node: dict[str, Any]) -> Iterator[Connection]:
    uri, address, port = node.get("uri"), node.get("address"), node.get("port")
    if isinstance(uri, str) and isinstance(address, str) and isinstance(port, int):
        yield Connection(uri, address, port, is_local=bool(node.get("local")), is_relay=bool(node.get("relay")))


def _plain(connection: Connection) -> str:
    host = f"[{connection.address}]" if ":" in connection.address else connection.address
    return f"http://{host}:{connection.port}"
