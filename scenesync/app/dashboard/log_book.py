"""Implements ``web.ports.LogBook``: keeps the latest lines of the log, and tells listeners of new ones."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.app.logs import Redaction
from scenesync.web.models import scenes
from scenesync.web.models.common import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenesync.web.events import EventRing

KEPT: Final = 2_000
LONGEST: Final = 2_000
LONGEST_TRACEBACK: Final = 10_000
"""A line that is longer is cut when it comes in: what is kept has a limit, whatever is logged."""
CUT: Final = " … "
_SCENE: Final = re.compile(r"\bscene=(\d{1,18})\b")
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    level: int
    at: float
    logger: str
    message: str
    traceback: str | None

    @property
    def scene_id(self) -> int | None:
        """The scene that it is about, None if it is about none."""
        found = _SCENE.search(self.message)
        return int(found[1]) if found else None

    def as_entry(self) -> scenes.LogEntry:
        """Return it as the API shows it."""
        return scenes.LogEntry(
            number=self.number,
            at=self.at,
            level=logging.getLevelName(self.level).lower(),
            logger=self.logger,
            message=self.message,
            scene_id=self.scene_id,
            traceback=self.traceback,
        )


class RecentLines(logging.Handler):
    """A handler of the root logger that remembers."""

    def __init__(self, events: EventRing) -> None:
        super().__init__()
        self._events = events
        self._lines: deque[_Line] = deque(maxlen=KEPT)
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
        """Remember a record; it is looked at when somebody asks."""
        message = _beginning(record.getMessage())
        traceback = _end(record.exc_text) if record.exc_text else None
        with self._guard:
            self._number += 1
            line = _Line(self._number, record.levelno, record.created, record.name, message, traceback)
            self._lines.append(line)
            # Inside, so that lines are told in the order of their numbers: a listener sees a gap where one is missing.
            self._events.publish("log", lambda: line.as_entry().model_dump())

    def entries(
        self, *, level: str | None, scene_id: int | None, before: int | None, limit: int
    ) -> Page[scenes.LogEntry]:
        """Return lines of this level or above, newest first."""
        least = _LEVELS.get(level or "", 0)
        with self._guard:
            lines = list(self._lines)
        found = [
            line
            for line in reversed(lines)
            if line.level >= least
            and (before is None or line.number < before)
            and (scene_id is None or line.scene_id == scene_id)
        ]
        shown = found[:limit]
        return Page(
            items=[line.as_entry() for line in shown],
            next_cursor=str(shown[-1].number) if len(found) > limit else None,
        )


def _beginning(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - len(CUT)] + CUT


def _end(text: str, longest: int = LONGEST_TRACEBACK) -> str:
    """Return the end of a traceback, which says what happened."""
    return text if len(text) <= longest else CUT + text[len(CUT) - longest :]
