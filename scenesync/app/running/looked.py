"""What is known of looks at Stash without asking anybody: when the last one was, and whether Stash's news are heard."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scenesync.store.memory import Memory

LOOKED: Final = "stash looked at"
LISTENING: Final = "stash news"


@dataclass(frozen=True, slots=True)
class Listening:
    """Whether Stash's news are heard, since when (epoch seconds), and if not, why."""

    is_up: bool
    since: float
    reason: str = ""

    @classmethod
    def from_text(cls, text: str | None) -> Listening | None:
        """Return what ``to_text`` wrote, None if nothing usable was."""
        try:
            return None if text is None else cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def to_text(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))


def looked_at(memory: Memory) -> float | None:
    """Return when changes were last looked for in Stash (epoch seconds), None if never. Raises StoreError."""
    noted = memory.recall(LOOKED)
    return None if noted is None else float(noted)
