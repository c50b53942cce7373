"""Field values and lists of names as JSON text: ``"…"`` for text, ``[…]`` for a list."""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.domain.fields import FieldValue


def to_text(value: FieldValue | Sequence[str]) -> str:
    """Return the JSON text of a value."""
    # What an encoder does around this costs more than to encode the value, and there are dozens to a scene.
    return encode_basestring(value) if isinstance(value, str) else f"[{','.join(map(encode_basestring, value))}]"


def to_value(text: str) -> FieldValue:
    """Return the value that ``to_text`` wrote."""
    value = json.loads(text)
    return value if isinstance(value, str) else tuple(value)


def to_names(text: str) -> tuple[str, ...]:
    """Return the list that ``to_text`` wrote."""
    return tuple(json.loads(text))


def renamed_in(text: str | None, old: str, new: str) -> str | None:
    """Return the JSON text of a list in which ``old``, in whatever capitals, is called ``new``; others as they are."""
    value = None if text is None else to_value(text)
    if value is None or isinstance(value, str):
        return text
    return to_text(tuple(new if name.casefold() == old.casefold() else name for name in value))
