"""What is learned about one Plex server by its reactions. Pure values; the worker keeps them per server and version."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

MinusEncoding = Literal["double", "plain"]
RatingRequest = Literal["edit", "rate"]
LongLists = Literal["unknown", "added", "replaced"]

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
    missing ones, so a 404 means that none of them exists. ``rating_request``: the owner's rating travels with the
    other fields, or in the request that Plex has for it alone (3.2). ``edits_many``: one edit may name several items
    (3.3). ``long_lists``: what becomes of a list that needs
    several requests: each adds names to, or replaces, those of the one before (3.3, 3.4). Where they are replaced, a
    list is cut to fit into one request.
    """

    item_line_bytes: int = 8_000
    ids_line_bytes: int = 3_000
    minus_encoding: MinusEncoding = "double"
    lean_listing: bool = True
    omits_missing: bool = False
    rating_request: RatingRequest = "edit"
    edits_many: bool = True
    long_lists: LongLists = "unknown"


def after_long_edit(dialect: Dialect, line_bytes: int) -> Dialect | None:
    """Return the dialect after an edit of ``line_bytes`` was too long, None if it cannot get shorter."""
    limit = _next_below(min(line_bytes, dialect.item_line_bytes), _EDIT_STEPS)
    return replace(dialect, item_line_bytes=limit) if limit else None


def after_long_id_list(dialect: Dialect, line_bytes: int) -> Dialect | None:
    """Return the dialect after a list of ids of ``line_bytes`` was too long, None if it cannot get shorter."""
    limit = _next_below(min(line_bytes, dialect.ids_line_bytes), _ID_LIST_STEPS)
    return replace(dialect, ids_line_bytes=limit) if limit else None


def other_way(dialect: Dialect) -> Dialect:
    """Return the dialect to try when an edit was taken and is not shown: the other answer to each open question."""
    return other_rating_request(other_minus_encoding(dialect))


def other_rating_request(dialect: Dialect) -> Dialect:
    """Return the dialect to try when a rating that was sent is not shown."""
    return replace(dialect, rating_request="rate" if dialect.rating_request == "edit" else "edit")


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
