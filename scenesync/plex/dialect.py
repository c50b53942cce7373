"""What is learned about one Plex server by its reactions. Pure values; the worker keeps them per server and version."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

MinusEncoding = Literal["double", "plain"]

_EDIT_STEPS: Final = (6_000, 4_000, 3_000, 2_000, 1_000)
_ID_LIST_STEPS: Final = (2_000, 1_000, 500, 250, 100)

SURE_LINE_BYTES: Final = 3_000
"""Lines up to here are never suspected when a connection breaks: every server seen takes them (facts/plex.md 3.4)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server wants to be spoken to, as far as it is known.

    ``item_line_bytes`` and ``ids_line_bytes`` bound the request line (method, path, query) of an edit and of a list of
    ids. ``minus_encoding``: names to remove are percent-encoded once more before the query is encoded ("double", as
    plexapi does) or not; the evidence is contradictory (facts/plex.md 3.3). ``lean_listing``: a listing may be asked
    to leave out what is not needed. ``omits_missing``: it is proven that a read of several ids just leaves out the
    missing ones, so a 404 means that none of them exists.
    """

    item_line_bytes: int = 8_000
    ids_line_bytes: int = 3_000
    minus_encoding: MinusEncoding = "double"
    lean_listing: bool = True
    omits_missing: bool = False


def after_long_edit(dialect: Dialect, line_bytes: int) -> Dialect | None:
    """Return the dialect after an edit of ``line_bytes`` was too long, None if it cannot get shorter."""
    limit = _next_below(min(line_bytes, dialect.item_line_bytes), _EDIT_STEPS)
    return replace(dialect, item_line_bytes=limit) if limit else None


def after_long_id_list(dialect: Dialect, line_bytes: int) -> Dialect | None:
    """Return the dialect after a list of ids of ``line_bytes`` was too long, None if it cannot get shorter."""
    limit = _next_below(min(line_bytes, dialect.ids_line_bytes), _ID_LIST_STEPS)
    return replace(dialect, ids_line_bytes=limit) if limit else None


def other_minus_encoding(dialect: Dialect) -> Dialect:
    """Return the dialect to try when names that were sent for removal are still there."""
    return replace(dialect, minus_encoding="plain" if dialect.minus_encoding == "double" else "double")


def to_text(dialect: Dialect) -> str:
    """Return the dialect as JSON text, to be kept."""
    return json.dumps(asdict(dialect))


def from_text(text: str | None) -> Dialect:
    """Return the dialect that ``to_text`` wrote; the default one for None, and for what another version wrote."""
    try:
        return Dialect(**json.loads(text)) if text else Dialect()
    except (ValueError, TypeError):
        return Dialect()


def _next_below(line_bytes: int, steps: tuple[int, ...]) -> int:
    """Return the largest step that is shorter than what was refused; 0 when the shortest was refused too."""
    return next((step for step in steps if step < line_bytes), 0)
