"""The door in front of the application, as one ASGI layer: everything is shut but what is named here."""

from __future__ import annotations

import math
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from starlette.responses import RedirectResponse

from scenesync.web.guard.attempts import WrongKeys
from scenesync.web.guard.keys import presented_key, same_token
from scenesync.web.problems import DATA_PATHS, problem

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from scenesync.web.guard.hosts import Hosts
    from scenesync.web.guard.keys import Keys, Session

COOKIE: Final = "scenesync_session"
CSRF_HEADER: Final = b"x-csrf-token"
LOGIN: Final = "/login"
OPEN_PATHS: Final = frozenset({"/health/live", "/health/ready", LOGIN})
OPEN_FOLDER: Final = "/static/"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OUR_SITE: Final = frozenset({b"same-origin", b"none"})


class Door:
    """Lets a request through that presents the key, or the cookie of a session and, if it changes anything, its token.

    ``scope["state"]["session"]`` is the session then, None for who presented the key.
    """

    def __init__(self, app: ASGIApp, keys: Keys, hosts: Hosts, base_path: str) -> None:
        self._app = app
        self._keys = keys
        self._hosts = hosts
        self._base_path = base_path
        self._wrong_keys = WrongKeys(most=20, within_s=10.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, or answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return what to answer instead, None to let it through."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        changes = scope["method"] not in _SAFE
        if changes and self._comes_from_elsewhere(headers):
            return problem(HTTPStatus.FORBIDDEN, "cross-site", "A page of another site may not do this.")
        state = scope.setdefault("state", {})
        state["session"] = session = self._session(headers)
        path = scope["path"]
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            return None
        key = presented_key(headers)
        if key is not None:
            return self._refuse_key(scope, key)
        if session is None:
            return self._ask_who(path, scope)
        token = next((value for name, value in headers if name == CSRF_HEADER), b"")
        if changes and not same_token(token.decode("latin-1"), session):
            return problem(HTTPStatus.FORBIDDEN, "csrf", "The page's token is missing or wrong. Load the page again.")
        return None

    def _refuse_key(self, scope: Scope, key: str) -> Response | None:
        address = (scope.get("client") or ("",))[0]
        wait_s = self._wrong_keys.wait_s(address)
        if wait_s > 0:
            words = "Too many wrong keys came from there."
            answer = problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many-wrong-keys", words)
            answer.headers["Retry-After"] = str(math.ceil(wait_s))
            return answer
        if not self._keys.fits(key):
            self._wrong_keys.failed(address)
            return _unauthorized("The key is wrong.")
        scope["state"]["session"] = None
        return None

    def _ask_who(self, path: str, scope: Scope) -> Response:
        if path.startswith(DATA_PATHS) or scope["method"] not in _SAFE:
            return _unauthorized("Present the key in the header X-Api-Key, or as Authorization: Bearer.")
        query = scope["query_string"].decode("latin-1")
        wanted = quote(path + (f"?{query}" if query else ""), safe="/")
        return RedirectResponse(f"{self._base_path}{LOGIN}?next={wanted}", HTTPStatus.SEE_OTHER)

    def _session(self, headers: list[tuple[bytes, bytes]]) -> Session | None:
        cookie = cookie_in(headers)
        return self._keys.session(cookie) if cookie else None

    def _comes_from_elsewhere(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Say whether a browser tells that another site's page sends this. Programs tell nothing."""
        found = dict(headers)
        if found.get(b"sec-fetch-site", b"none") not in _OUR_SITE:
            return True
        origin = found.get(b"origin")
        if origin is None:
            return False
        try:
            theirs = urlsplit(origin.decode("latin-1")).netloc
        except ValueError:
            return True
        return not self._hosts.is_ours(theirs, found.get(b"host", b"").decode("latin-1"))


def cookie_in(headers: list[tuple[bytes, bytes]]) -> str:
    """Return our cookie's value, "" if there is none."""
    for name, value in headers:
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                return ""
            return found.value if found is not None else ""
    return ""


def _unauthorized(detail: str) -> Response:
    answer = problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="SceneSync"'
    return answer
