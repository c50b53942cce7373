"""Session cookies and API keys, checked in Stash's order (facts/stash.md 3.1).

A cookie carries who logged in, since when, and, when a plugin was given it, which hooks led to that plugin: that list
is Stash's only guard against loops.
"""

from __future__ import annotations

import base64
import email.utils
import hmac
import json
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

COOKIE: Final = "session"


@dataclass(frozen=True, slots=True)
class Session:
    """The content of a valid cookie. ``visited`` names the hooks on the way here, ``plugin:trigger``."""

    user: str
    visited: tuple[str, ...] = ()


class Sessions:
    """Mints and reads cookies; they are valid for ``max_age_s`` after minting, whatever happens meanwhile."""

    def __init__(self, *, now: Callable[[], float], max_age_s: float) -> None:
        self._now = now
        self.max_age_s = max_age_s
        self._key = secrets.token_bytes(32)

    def mint(self, session: Session) -> str:
        """Return a cookie's value. Two of the same second may be equal."""
        content = json.dumps([int(self._now()), session.user, list(session.visited)]).encode()
        return base64.urlsafe_b64encode(self._sign(content) + content).decode("ascii")

    def read(self, value: str) -> Session | None:
        """Return what a valid cookie says; None for a foreign, damaged or old one."""
        try:
            signed = base64.urlsafe_b64decode(value)
        except ValueError:
            return None
        signature, content = signed[:32], signed[32:]
        if not hmac.compare_digest(signature, self._sign(content)):
            return None
        minted_at, user, visited = json.loads(content)
        if self._now() - minted_at > self.max_age_s:
            return None
        return Session(user, tuple(visited))

    def set_cookie(self, session: Session) -> str:
        """Return the value of a ``Set-Cookie`` header."""
        expires = email.utils.formatdate(self._now() + self.max_age_s, usegmt=True)
        age = int(self.max_age_s)
        return f"{COOKIE}={self.mint(session)}; Path=/; Expires={expires}; Max-Age={age}; SameSite=Lax"

    def from_header(self, header: str) -> Session | None:
        """Return the session in a ``Cookie`` header."""
        try:
            morsel = SimpleCookie(header).get(COOKIE)
        except CookieError:
            return None
        return None if morsel is None else self.read(morsel.value)

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")
