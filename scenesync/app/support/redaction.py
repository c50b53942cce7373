"""What of a document may leave the house: no secret; titles, names, paths and hosts only if somebody wants that."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from scenesync.app.support.known_names import of_path
from scenesync.app.support.name_mask import NameMask, occurring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from scenesync.app.support.secret_mask import SecretMask

_KINDS: Final = {"title": "title", "path": "path", "file": "path", "candidates": "text", "name": "text"}
"""Keys whose text is a name as a whole."""
_NEVER: Final = frozenset({"before", "after", "shown"})
"""Keys whose values are what a library shows."""
_TECHNICAL: Final = frozenset({"versions", "settings", "files", "state_store", "queue", "backups", "doctor", "health"})
"""Parts in which ``name`` is no name of a person or a film."""


class Redaction:
    """Cleans documents; ``names`` is None for somebody who wants to keep the names."""

    def __init__(self, secrets: SecretMask, names: NameMask | None) -> None:
        self.names = names
        self._secrets = secrets

    def learn(self, documents: Mapping[str, object], known: Iterable[tuple[str, str]]) -> None:
        """Look which ``known`` names (kind and name) occur in the documents, so that they are found in any text."""
        if self.names is None:
            return
        occurs = occurring(texts_in(documents))
        found: dict[str, list[str]] = {}
        for kind, name in chain(known, names_in(documents)):
            if occurs(name):
                found.setdefault(kind, []).append(name)
        for kind, names in found.items():
            self.names.know(kind, names)

    def text(self, text: str) -> str:
        """Return a free text without what may not leave."""
        cleaned = self._secrets.clean(text)
        return cleaned if self.names is None else self.names.clean(cleaned)

    def document(self, value: object, part: str = "", key: str = "") -> object:
        """Return a plain value without what may not leave."""
        match value:
            case str():
                return self._value(value, part, key)
            case dict():
                return {self._key(str(name)): self.document(each, part, str(name)) for name, each in value.items()}
            case list() | tuple():
                return [self.document(each, part, key) for each in value]
            case None | bool() | int() | float():
                return value
            case _:
                return self.text(str(value))

    def _key(self, name: str) -> str:
        return self._secrets.clean(name)

    def _value(self, text: str, part: str, key: str) -> str:
        names = self.names
        if names is None or not text:
            return self.text(text)
        cleaned = self._secrets.clean(text)
        if key in _NEVER and part == "edits":
            return names.pseudonym("value", cleaned)
        kind = None if part in _TECHNICAL else _KINDS.get(key)
        if kind == "path":
            return names.path(cleaned)
        return names.clean(cleaned) if kind is None else names.pseudonym(kind, cleaned)


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in a document."""
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from texts_in(each)
        case list() | tuple():
            for each in value:
                yield from texts_in(each)


def names_in(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield kind and name of what stands in a document under a key that says what it is."""
    match value:
        case str() if key == "title":
            yield key, value
        case str() if key in {"path", "file"}:
            yield from of_path(value)
        case dict():
            for name, each in value.items():
                yield from names_in(each, str(name))
        case list() | tuple():
            for each in value:
                yield from names_in(each, key)


def settings_document(
    values: Mapping[str, Any], origins: Mapping[str, str], private: frozenset[str], redact: Redaction
) -> Mapping[str, object]:
    """Return the settings with their origins; of ``private`` ones (names, folders, rules) each item is a pseudonym."""
    return {
        key: {
            "value": _private(value, redact) if key in private else redact.document(value, "settings", key),
            "origin": redact.text(origins[key]),
        }
        for key, value in values.items()
    }


def _private(value: object, redact: Redaction) -> object:
    names = redact.names
    if names is None or value is None:
        return redact.document(value, "settings")
    if isinstance(value, list):
        return [_private(each, redact) for each in value]
    arrow = " => "
    return arrow.join(_side(side, redact.text, names.pseudonym, names.path) for side in str(value).split(arrow))


def _side(
    text: str, secrets_out: Callable[[str], str], pseudonym: Callable[[str, str], str], path: Callable[[str], str]
) -> str:
    """Return what stands for one side of a rule, or for the whole of what is no rule."""
    if not text:
        return text
    return path(text) if "/" in text or "\\" in text else pseudonym("text", secrets_out(text))
