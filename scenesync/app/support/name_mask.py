"""Put pseudonyms in the place of what a library holds: titles, names, files, hosts. The same name gets the same one.

So a reader can still see that two paths begin with the same folder, or that a message is about the scene above.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_VIDEO: Final = r"(?:mp4|mkv|avi|mov|m4v|wmv|webm|mpe?g|ts|m2ts|flv|iso|jpe?g|png|webp|gif|nfo|srt|vtt)"
_CODE: Final = re.compile(r"(?:site-packages|python\d[\d.]*|scenesync)[/\\](?=[\w./\\-]+\.py\b)")
_PATHS: Final = (
    # With blanks in it, up to an extension that media have.
    re.compile(rf"(?i)(?<![\w:/\\.<>])(?:[A-Z]:\\|\\\\|/)[^\n\"'<>|*?;]*?\.{_VIDEO}\b"),
    re.compile(r"(?<![\w:/\\.<>])(?:[A-Za-z]:\\|\\\\|/)(?:[^\s\"'<>|*?:;,/\\()]+[/\\])*[^\s\"'<>|*?:;,/\\()]+"),
)
_MEDIA_FILE: Final = re.compile(rf"(?i)(?<![\w<])[^\s\"'<>|*?;/\\:=]+\.{_VIDEO}\b")
_URL_HOST: Final = re.compile(r"(?i)\b((?:https?|wss?)://)(\[[0-9a-f:]+\]|[^\s/:?#\"'<>@]+)")
_IPV4: Final = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?![\w.])")
_IDENTIFIER: Final = re.compile(r"(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{32,64}\b")
_QUOTED: Final = re.compile(r"(?<!\w)'([^'\n]{2,300})'(?!\w)|\"([^\"\n]{2,300})\"")
_TECHNICAL: Final = re.compile(r"[a-z0-9_.:/=<>*-]*|[A-Z][A-Za-z]+(?:Error|Exception|Down|Busy|Found)|[A-Z_]+|<.*>")
# A known name is marked by two characters of the private use area while the rest of its text is looked at.
_MARK: Final = "\ue000{number}\ue001"
_MARKED: Final = re.compile("\ue000(\\d+)\ue001")
_SHORTEST_KNOWN: Final = 4
_GRAM: Final = 5
_TABLE_BITS: Final = 1 << 20


class NameMask:
    """Makes pseudonyms and puts them in the place of names. ``names`` are those that are known beforehand."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._known: list[tuple[str, str]] = []
        self._by_beginning: dict[str, list[int]] = {}

    def pseudonym(self, kind: str, name: str) -> str:
        """Return what stands for ``name``."""
        key = (kind, name.casefold())
        if key not in self._given:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._given[key] = f"<{kind} {self._counts[kind]}>"
        return self._given[key]

    def know(self, kind: str, names: Iterable[str]) -> None:
        """Take these names out of every text from now on, the longest first."""
        found = {(kind, name) for name in names if len(name.strip()) >= _SHORTEST_KNOWN}
        self._known = sorted({*self._known, *found}, key=lambda each: (-len(each[1]), each))
        self._by_beginning = {}
        for number, (_, name) in enumerate(self._known):
            self._by_beginning.setdefault(name[:_SHORTEST_KNOWN], []).append(number)

    def path(self, text: str) -> str:
        """Return a path with a pseudonym for each folder and for the file, whose extension stays."""
        text = self._expanded(text)
        code = _CODE.search(text)
        if code is not None:
            return f"…/{text[code.start() :]}"
        separator = "\\" if "\\" in text else "/"
        segments = [segment for segment in re.split(r"[/\\]", text) if segment]
        if not segments:
            return text
        masked = [self.pseudonym("folder", segment) for segment in segments[:-1]]
        last, dot, extension = segments[-1].rpartition(".")
        if dot and last and len(extension) <= len("m2ts"):
            masked.append(f"{self.pseudonym('file', last)}.{extension}")
        else:
            masked.append(self.pseudonym("folder", segments[-1]))
        return ("" if re.match(r"[A-Za-z]:", text) else separator) + separator.join(masked)

    def host(self, name: str) -> str:
        """Return what stands for a host; this machine is no secret."""
        bare = name.strip("[]").lower()
        if bare in {"localhost", "plex.tv"}:
            return name
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            return self.pseudonym("host", bare)
        if address.is_loopback or address.is_unspecified:
            return name
        return self.pseudonym("private address" if address.is_private else "public address", bare)

    def clean(self, text: str) -> str:
        """Return a free text without names: known ones, paths, hosts, identifiers, and what stands between quotes."""
        text = _URL_HOST.sub(lambda found: found[1] + self.host(self._expanded(found[2])), self._marked(text))
        for pattern in _PATHS:
            text = pattern.sub(lambda found: self.path(found[0]), text)
        text = _MEDIA_FILE.sub(self._media_file, text)
        text = _IPV4.sub(lambda found: self._address(found[1]), text)
        text = _IDENTIFIER.sub(lambda found: self.pseudonym("identifier", found[0]), text)
        text = _QUOTED.sub(self._quoted, text)
        return _MARKED.sub(lambda found: self.pseudonym(*self._known[int(found[1])]), text)

    def _marked(self, text: str) -> str:
        """Return a text with a mark in the place of each known name, where several begin the longest one."""
        pieces, at, begins = [], 0, 0
        while at < len(text):
            number = self._known_at(text, at)
            if number is None:
                at += 1
                continue
            pieces += [text[begins:at], _MARK.format(number=number)]
            at = begins = at + len(self._known[number][1])
        return "".join([*pieces, text[begins:]])

    def _known_at(self, text: str, at: int) -> int | None:
        numbers = self._by_beginning.get(text[at : at + _SHORTEST_KNOWN], ())
        return next((number for number in numbers if text.startswith(self._known[number][1], at)), None)

    def _expanded(self, text: str) -> str:
        """Return a text with the names that are marked in it."""
        return _MARKED.sub(lambda found: self._known[int(found[1])][1], text)

    def _media_file(self, found: re.Match[str]) -> str:
        name, _, extension = self._expanded(found[0]).rpartition(".")
        return f"{self.pseudonym('file', name)}.{extension}"

    def _address(self, text: str) -> str:
        try:
            ipaddress.ip_address(text)
        except ValueError:  # a version
            return text
        return self.host(text)

    def _quoted(self, found: re.Match[str]) -> str:
        inner = found[1] or found[2]
        if _TECHNICAL.fullmatch(inner) or _MARKED.fullmatch(inner) or inner.startswith("…/") or "<" in inner:
            return found[0]
        return f"{found[0][0]}{self.pseudonym('text', self._expanded(inner))}{found[0][-1]}"


def occurring(texts: Iterable[str]) -> Callable[[str], bool]:
    """Return a test whether a name occurs in one of ``texts``: for any number of names, in little memory.

    Each run of five characters in the texts is a bit of a table. A name with a run that is not there, which is nearly
    every name that does not occur, is not looked for in the texts themselves.
    """
    whole = "\n".join(texts)
    table = bytearray(_TABLE_BITS // 8)
    for at in range(len(whole) - _GRAM + 1):
        bit = hash(whole[at : at + _GRAM]) % _TABLE_BITS
        table[bit >> 3] |= 1 << (bit & 7)

    def occurs(name: str) -> bool:
        for at in range(len(name) - _GRAM, -1, -1):  # names of a series differ at their ends
            bit = hash(name[at : at + _GRAM]) % _TABLE_BITS
            if not table[bit >> 3] & (1 << (bit & 7)):
                return False
        return name in whole

    return occurs
