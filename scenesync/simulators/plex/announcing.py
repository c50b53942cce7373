"""What the server tells whoever listens at its notification websocket (facts/plex.md 6.2).

Frames are built only while somebody listens; there is no replay. One new movie is several frames, as on real servers.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from scenesync.simulators.http_server import Response, Upgrade
from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.plex.model import Change, PlexItem
from scenesync.simulators.plex.rendering import error_page
from scenesync.simulators.plex.state import Call
from scenesync.simulators.websocket import WebSocket

_IDENTIFIER: Final = "com.plexapp.plugins.library"
_ARRAYS: Final = {
    "timeline": "TimelineEntry",
    "activity": "ActivityNotification",
    "status": "StatusNotification",
    "progress": "ProgressNotification",
}
_CREATED, _MATCHING, _DOWNLOADING, _PROCESSING, _DONE, _DELETED = 0, 2, 3, 4, 5, 9


@dataclass(slots=True, eq=False)
class Listener:
    """One open websocket and what it wants to hear; no ``types`` means everything."""

    websocket: WebSocket
    types: frozenset[str]


@dataclass(slots=True, eq=False)
class Announcements:
    """The notification websocket, as tests hold it. Its methods may be called from any thread."""

    on_loop: Callable[[Callable[[], object]], None]
    """Runs a function on the server's loop, soon; nowhere while the server is stopped."""
    behaviour: Callable[[], PlexBehaviour]
    refused_with: int | None = None
    """A status that answers whoever wants to listen, e.g. 404 of a proxy that knows no websockets."""
    listeners: list[Listener] = field(default_factory=list)
    frames_sent: int = 0

    def admit(self, call: Call) -> Response | Upgrade:
        """Answer a request for the websocket, whose token has been checked."""
        if self.refused_with is not None:
            return error_page(self.refused_with)
        if call.request.headers.get("upgrade", "").lower() != "websocket":
            return error_page(400)
        wanted = call.option("filters") or call.option("filter") or ""
        types = frozenset(filter(None, wanted.split(",")))
        return Upgrade(lambda websocket: self._listen(Listener(websocket, types)))

    def cut(self) -> None:
        """Reset every open websocket."""

        def abort_all() -> None:
            for listener in tuple(self.listeners):
                listener.websocket.abort()

        self.on_loop(abort_all)

    def fall_silent(self) -> None:
        """Leave the open websockets open, but send nothing more on them, not even an answer to a ping."""

        def deafen_all() -> None:
            for listener in self.listeners:
                listener.websocket.deaf = True

        self.on_loop(deafen_all)

    def say(self, text: str) -> None:
        """Send any text to everybody who listens."""
        self.on_loop(lambda: self._send(None, text))

    def announce(self, item: PlexItem, change: Change) -> None:
        """Tell what became of an item."""
        if not self.listeners:
            return
        for kind, entry in _frames(item, change, self.behaviour()):
            self.on_loop(partial(self._send, kind, _frame(kind, entry)))

    def announce_scan(self, title: str) -> None:
        """Tell that a scan of a library begins and ends."""
        texts = (f'Scanning the "{title}" section', "Library scan complete")
        for text in texts if self.listeners else ():
            entry = {"title": text, "description": "", "notificationName": "LIBRARY_UPDATE"}
            self.on_loop(partial(self._send, "status", _frame("status", entry)))

    def _listen(self, listener: Listener) -> None:
        self.listeners.append(listener)
        listener.websocket.on_end = partial(self._forget, listener)

    def _forget(self, listener: Listener) -> None:
        with contextlib.suppress(ValueError):
            self.listeners.remove(listener)

    def _send(self, kind: str | None, text: str) -> None:
        for listener in self.listeners:
            if kind is None or not listener.types or kind in listener.types:
                self.frames_sent += 1
                listener.websocket.send_text(text)


def _frame(kind: str, entry: dict[str, Any]) -> str:
    return json.dumps({"NotificationContainer": {"type": kind, "size": 1, _ARRAYS[kind]: [entry]}})


def _frames(item: PlexItem, change: Change, behaviour: PlexBehaviour) -> Iterator[tuple[str, dict[str, Any]]]:
    entry = partial(_entry, item, strings=behaviour.announced_numbers == "strings")
    match change:
        case Change.ADDED:
            yield "activity", _activity(item, "started", 0)
            yield "timeline", entry(_CREATED, metadataState="created")
            for state in (_MATCHING, _DOWNLOADING, _PROCESSING):
                yield "timeline", entry(state, metadataState="processing")
            yield "progress", {"message": f"Analysing {item.title}"}
            yield "activity", _activity(item, "ended", 100)
            yield "timeline", _settled(entry, behaviour)
        case Change.CHANGED:
            yield "timeline", _settled(entry, behaviour)
        case Change.REMOVED if behaviour.announced_removal == "type":
            no_type = "-1" if behaviour.announced_numbers == "strings" else -1
            yield "timeline", _settled(entry, behaviour) | {"type": no_type}
        case Change.REMOVED:
            yield "timeline", entry(_DELETED, metadataState="deleted")


def _settled(entry: Callable[..., dict[str, Any]], behaviour: PlexBehaviour) -> dict[str, Any]:
    return entry(_DONE, metadataState="created") if behaviour.announced_settled == "created" else entry(_DONE)


def _entry(item: PlexItem, state: int, *, strings: bool, **more: str) -> dict[str, Any]:
    numbers = {
        "sectionID": int(item.library_key),
        "itemID": int(item.rating_key),
        "type": int(item.type_number),
        "state": state,
        "updatedAt": item.updated_at,
    }
    shown = {name: str(number) for name, number in numbers.items()} if strings else numbers
    return {"identifier": _IDENTIFIER, "title": item.title, **shown, **more}


def _activity(item: PlexItem, event: str, progress: int) -> dict[str, Any]:
    uuid = str(uuid5(NAMESPACE_URL, item.rating_key))
    activity = {
        "uuid": uuid,
        "type": "library.update.item.metadata",
        "cancellable": False,
        "userID": 1,
        "title": "Refreshing",
        "subtitle": item.title,
        "progress": progress,
        "Context": {"key": f"/library/metadata/{item.rating_key}", "librarySectionID": item.library_key},
    }
    return {"event": event, "uuid": uuid, "Activity": activity}
