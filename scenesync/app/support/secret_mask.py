"""Take secrets out of texts: those that are known, in every form in which they are written, and what looks like one.

What is known is looked for first and everywhere; the patterns are for what nobody told us: another program's token in
an exception, an older key in a log line, a cookie that was pasted into a title.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK: Final = "***"
_SHORTEST: Final = 4
"""Shorter texts would be cut out of innocent words."""
_SHORTEST_PART: Final = 6

_NAMES: Final = (
    r"x-plex-token|x-plex-client-identifier|x-api-key|x-csrf-token|api[-_ ]?key|access[-_]?token|auth[-_]?token|csrf"
    r"|token|secret|password|passwd|pwd|credentials?|session(?:[-_]?id)?|signature|sig"
)
_PATTERNS: Final = (
    # https://user:password@host, also where the password holds an @
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/?#\"'<>]*@"), rf"\1{MASK}@"),
    (re.compile(r"(?i)\b((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    # JSON Web Tokens: Stash's API keys, Plex's newer tokens
    (re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?"), MASK),
    (re.compile(rf"(?i)((?:{_NAMES})(?:%3D|[\"']?\s*[:=]\s*))(\"[^\"\r\n]*\"|'[^'\r\n]*')"), rf"\1{MASK}"),
    (
        re.compile(rf"(?i)((?:{_NAMES})(?:%3D|\\?[\"']?\s*[:=]\s*\\?[\"']?))(?!\*\*\*)[^\s\"'&;,<>\\)}}\]]+"),
        rf"\1{MASK}",
    ),
)


class SecretMask:
    """Knows some secrets and what others look like."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for part in _parts(secret) for form in _forms(part)}
        self._known = tuple(sorted(forms, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """Return ``text`` without secrets."""
        text = self.without_known(text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def without_known(self, text: str) -> str:
        """Return ``text`` without the secrets that are known, whatever surrounds them."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return text

    def knows_any_in(self, data: bytes) -> bool:
        """Say whether a known secret is in ``data``."""
        return any(secret.encode() in data for secret in self._known)


def _parts(secret: str) -> Iterator[str]:
    """Yield the secret and, if it is an address, what of it would let somebody in."""
    yield secret
    if "://" not in secret:
        return
    for address in secret.split():
        try:
            parts = urlsplit(address)
            password = parts.password
        except ValueError:
            continue
        yield address
        values = [value for _, value in parse_qsl(parts.query)]
        found = [parts.netloc.rpartition("@")[0], password or "", *parts.path.split("/"), *values]
        if parts.scheme not in {"http", "https", "postgresql"}:
            found.append(parts.netloc)  # services such as slack://TOKEN/TOKEN have no host
        yield from (part for part in found if len(part) >= _SHORTEST_PART)


def _forms(secret: str) -> Iterator[str]:
    """Yield the ways in which a secret may be written."""
    if len(secret) < _SHORTEST:
        return
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield repr(secret)[1:-1]
    encoded = secret.encode()
    yield base64.b64encode(encoded).decode().rstrip("=")
    yield base64.urlsafe_b64encode(encoded).decode().rstrip("=")
