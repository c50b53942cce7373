"""Who may come in: the API key, and the sessions of people who showed it once.

A session is a cookie that says when it ends and is signed with a key derived from the API key: nothing is stored, it
outlives a restart, and a new API key ends all of them. Its CSRF token is signed the same way.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scenesync.web.guard.one_time_code import OneTimeCode

SESSION_S: Final = 30 * 86_400.0
MOST_ENDED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who logged in; ``ends_at`` in epoch seconds."""

    name: str
    ends_at: float
    csrf_token: str


class Keys:
    """Knows the key and signs sessions. Every comparison takes the same time, right or wrong.

    A ``code`` opens one session in place of the key. Raises ValueError for an empty key: there is no server
    without one.
    """

    def __init__(self, api_key: str, code: OneTimeCode | None = None) -> None:
        if not api_key:
            raise ValueError("without a key nobody may be served")
        self._digest = hashlib.sha256(api_key.encode()).digest()
        self._code = code
        self._signing_key = hmac.digest(api_key.encode(), b"scenesync session 1", "sha256")
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def fits(self, presented: str) -> bool:
        """Say whether it is the API key."""
        return hmac.compare_digest(hashlib.sha256(presented.encode("utf-8", "replace")).digest(), self._digest)

    @property
    def asks_for_code(self) -> bool:
        """Whether a code can still be used."""
        return self._code is not None and not self._code.is_spent

    def lets_in(self, presented: str) -> bool:
        """Say whether it is the key, or the code, which is spent by that."""
        return self.fits(presented) or (self._code is not None and self._code.lets_in(presented))

    def begin_session(self) -> str:
        """Return the cookie of a new session."""
        name = f"{int(time.time() + SESSION_S)}.{secrets.token_urlsafe(18)}"
        return f"{name}.{self._signed('session', name)}"

    def session(self, cookie: str) -> Session | None:
        """Return the session of a cookie, None if it is none of ours, over, or ended by its owner."""
        name, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._signed("session", name).encode()):
            return None
        ends_at = float(name.partition(".")[0])
        if time.time() >= ends_at or name in self._ended:
            return None
        return Session(name, ends_at, self._signed("csrf", name))

    def end_session(self, session: Session) -> None:
        """Let a session be valid no more."""
        with self._lock:
            self._ended[session.name] = None
            while len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)

    def _signed(self, purpose: str, name: str) -> str:
        digest = hmac.digest(self._signing_key, f"{purpose}\n{name}".encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def same_token(presented: str, session: Session) -> bool:
    """Say whether it is the session's CSRF token."""
    return hmac.compare_digest(presented.encode("utf-8", "replace"), session.csrf_token.encode())


def presented_key(headers: list[tuple[bytes, bytes]]) -> str | None:
    """Return the key that a request presents in ``X-Api-Key`` or as bearer, None if it presents none."""
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1")
        if name == b"authorization":
            scheme, _, text = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                return text.strip()
    return None
