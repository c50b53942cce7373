"""What Plex says at its notification websocket, as far as it matters here. Pure, and lenient like ``parse``.

An announcement says no more than *look at this again* (facts/plex.md 6.2): what became of the item, states, types and
their spelling differ between versions, so that is read from the item itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIBRARY: Final = "com.plexapp.plugins.library"
_MOVIE: Final = 1
_GONE: Final = -1
_WORTH_A_LOOK: Final = frozenset({1, 5, 9})
"""Where an item ends up: done, deleted, or (without a metadata agent) still "processing"; else more is to come."""
_SCAN: Final = "library.update.section"


@dataclass(frozen=True, slots=True)
class ItemAnnounced:
    """Something became of a movie: it is new, changed or gone. ``library_key`` is "" where Plex did not say."""

    rating_key: str
    library_key: str


@dataclass(frozen=True, slots=True)
class ScanEnded:
    """Plex has looked through a library's folders."""

    library_key: str


Announcement = ItemAnnounced | ScanEnded


def announcements(text: str | bytes) -> tuple[Announcement, ...]:
    """Return what a message announces; nothing for one that is of no concern, or that cannot be understood."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    container = document.get("NotificationContainer") if isinstance(document, dict) else None
    if not isinstance(container, dict):
        return ()
    match container.get("type"):
        case "timeline":
            return tuple(_items(container))
        case "activity":
            return tuple(_scans(container))
        case _:
            return ()


def _items(container: dict[str, Any]) -> Iterator[ItemAnnounced]:
    for entry in _entries(container, "TimelineEntry"):
        kind, state = _number(entry.get("type")), _number(entry.get("state"))
        rating_key = _key(entry.get("itemID"))
        concerns_library = entry.get("identifier", _LIBRARY) == _LIBRARY
        if rating_key and concerns_library and (kind == _GONE or (kind == _MOVIE and state in _WORTH_A_LOOK)):
            yield ItemAnnounced(rating_key, _key(entry.get("sectionID")))


def _scans(container: dict[str, Any]) -> Iterator[ScanEnded]:
    for entry in _entries(container, "ActivityNotification"):
        activity = entry.get("Activity")
        if entry.get("event") != "ended" or not isinstance(activity, dict) or activity.get("type") != _SCAN:
            continue
        context = activity.get("Context")
        yield ScanEnded(_key(context.get("librarySectionID")) if isinstance(context, dict) else "")


def _entries(container: dict[str, Any], array: str) -> list[dict[str, Any]]:
    found = container.get(array)
    entries = found if isinstance(found, list) else [found]
    return [entry for entry in entries if isinstance(entry, dict)]


def _number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def _key(value: object) -> str:
    """Return an id, which may come as a number, "" for what is none."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if text.isascii() and text.isalnum() else ""
