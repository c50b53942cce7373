"""Say what happens as it happens, with the seconds since the beginning."""

from __future__ import annotations

import re
import textwrap
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

_MARGIN: Final = 10
_WIDEST: Final = 100
_NARROWEST: Final = 50
_UNIT: Final = re.compile(r"(?<=\d) (?=m?s\b)")
_UNBREAKABLE: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the story; ``at_s`` is in seconds since the beginning."""

    at_s: float
    text: str


@dataclass(slots=True)
class Narrator:
    """Writes to ``console`` as things happen, or (None) keeps quiet; keeps every event for the report."""

    console: Console | None = None
    events: list[Event] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def heading(self, text: str) -> None:
        """Begin a part of the story."""
        if self.console is not None:
            self.console.print()
            self.console.print(Text(text, style="bold"))

    def say(self, text: str) -> None:
        """Tell one event."""
        event = Event(round(self.elapsed_s, 2), text)
        self.events.append(event)
        if self.console is None:
            return
        width = max(_NARROWEST, min(self.console.width, _WIDEST)) - _MARGIN
        wrapped = textwrap.wrap(_UNIT.sub(_UNBREAKABLE, text), width, break_on_hyphens=False)
        first, *rest = (line.replace(_UNBREAKABLE, " ") for line in wrapped)
        self.console.print(Text.assemble((f"{event.at_s:6.1f} s  ", "dim"), first), soft_wrap=True)
        for line in rest:
            self.console.print(Text(" " * _MARGIN + line), soft_wrap=True)
