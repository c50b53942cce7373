"""A code that opens one session in place of the API key, for who has not been told the key yet."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from typing import Final

GOOD_FOR_S: Final = 15 * 60.0
"""How long a code opens anything: a log is kept, and read, for longer than its code should matter."""
_LETTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class OneTimeCode:
    """The code of the moment: good once, until GOOD_FOR_S after it was made. Thread-safe; it keeps a digest alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digest = b""
        self._made_at = 0.0
        self._is_spent = False

    @property
    def is_spent(self) -> bool:
        """Whether somebody came in by it: there is no other one then."""
        return self._is_spent

    def renewed(self) -> str:
        """Return a new code to be told, in place of one that is over; "" while that is good, or once one was spent."""
        with self._lock:
            if self._is_spent or self._is_good():
                return ""
            code = new_code()
            self._digest, self._made_at = _digest_of(code), time.monotonic()
            return code

    def lets_in(self, presented: str) -> bool:
        """Say whether it is the code and still good; it is spent by that. Right or wrong takes the same time."""
        with self._lock:
            fits = hmac.compare_digest(_digest_of(presented), self._digest)
            if self._is_spent or not fits or not self._is_good():
                return False
            self._is_spent = True
            return True

    def _is_good(self) -> bool:
        return bool(self._digest) and time.monotonic() - self._made_at < GOOD_FOR_S


def new_code() -> str:
    """Return a code of 60 random bits that is easy to type: no letter looks like another, however it is written."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(12))
    return "-".join((letters[:4], letters[4:8], letters[8:]))


def _digest_of(code: str) -> bytes:
    """Return what a code is compared by: how a person sets it apart, and capitals, mean nothing."""
    plain = code.replace("-", "").replace(" ", "").upper()
    return hashlib.sha256(plain.encode("utf-8", "replace")).digest()
