"""Implements ``web.ports.LogBook``: keeps the latest lines of the log, and tells listeners of new ones."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from scenesync.app.logs import Redaction
from scenesync.web.models import scenes
from scenesync.web.models.common import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenesync.web.events import EventRing

KEPT: Final = 2_000
LONGEST: Final = 2_000
_SCENE: Final = re.compile(r"\bscene=(\d{1,18})\b")
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class RecentLines(logging.Handler):
    """A handler of the root logger that remembers."""

    def __init__(self, events: EventRing) -> None:
        super().__init__()
        self._events = events
        self._lines: deque[tuple[int, scenes.LogEntry]] = deque(maxlen=KEPT)
        self._number = 0
        self._guard = threading.Lock()

    def attend(self, secrets: Iterable[str]) -> None:
        """Hear every record from now on, with ``secrets`` taken out."""
        self.filters = [Redaction(secrets)]
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)

    def leave(self) -> None:
        """Hear no more."""
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a record."""
        message = record.getMessage()
        found = _SCENE.search(message)
        with self._guard:
            self._number += 1
            entry = scenes.LogEntry(
                number=self._number,
                at=record.created,
                level=record.levelname.lower(),
                logger=record.name,
                message=message[:LONGEST],
                scene_id=int(found[1]) if found else None,
                traceback=record.exc_text,
            )
            self._lines.append((record.levelno, entry))
        self._events.publish("log", entry.model_dump())

    def entries(
        self, *, level: str | None, scene_id: int | None, before: int | None, limit: int
    ) -> Page[scenes.LogEntry]:
        """Return lines of this level or above, newest first."""
        least = _LEVELS.get(level or "", 0)
        with self._guard:
            lines = list(self._lines)
        found = [
            entry
            for number, entry in reversed(lines)
            if number >= least
            and (scene_id is None or entry.scene_id == scene_id)
            and (before is None or entry.number < before)
        ]
        shown = found[:limit]
        return Page(items=shown, next_cursor=str(shown[-1].number) if len(found) > limit else None)
