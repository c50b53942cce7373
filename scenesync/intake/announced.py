"""Which items Plex has announced, until each of them has been looked at once.

One new film is many announcements, SceneSync's own edits are announced as well, and an item that is read for another
reason (to prove an edit, say) need not be read again. So an item waits a moment; a full read that begins after its last
announcement answers it, whoever made it; and one that SceneSync has just written to waits for the read of its proof.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.domain.item import Item


WRITES_BEFORE_TIDYING: Final = 1000


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an announced item waits, in seconds.

    Until nothing more is said of it for ``quiet_s``, but no longer than ``longest_s``; for the read that proves an edit
    of SceneSync's own up to ``proof_s``.
    """

    quiet_s: float = 1.0
    longest_s: float = 5.0
    proof_s: float = 15.0


@dataclass(slots=True)
class _Waiting:
    first_at: float
    last_at: float
    is_answered: bool = False
    answer: Item | None = None


class Announced:
    """The announced items. Thread-safe; an ``ItemWatcher`` of the client that reads and writes them."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}
        self._written_at: dict[str, float] = {}
        """When SceneSync last wrote to items that nobody has read since."""

    def count(self) -> int:
        """Return how many items have not been looked at yet."""
        with self._lock:
            return len(self._waiting)

    def add(self, rating_keys: Iterable[str]) -> None:
        """Note an announcement; it counts from now on."""
        now = time.monotonic()
        with self._lock:
            for key in rating_keys:
                waiting = self._waiting.setdefault(key, _Waiting(now, now))
                waiting.last_at = now
                waiting.is_answered, waiting.answer = False, None

    def was_written(self, rating_key: str) -> None:
        """Note that SceneSync writes to an item, which will be announced and then read to prove it."""
        now = time.monotonic()
        with self._lock:
            if len(self._written_at) >= WRITES_BEFORE_TIDYING:
                self._forget_old_writes(now)
            self._written_at[rating_key] = now

    def was_read(self, wanted: Sequence[str], items: Mapping[str, Item], began_at: float) -> None:
        """Let a full read answer for the announcements before it."""
        with self._lock:
            for key in wanted:
                if self._written_at.get(key, began_at) < began_at:
                    del self._written_at[key]
                waiting = self._waiting.get(key)
                if waiting is not None and waiting.last_at <= began_at:
                    waiting.is_answered, waiting.answer = True, items.get(key)

    def take_answered(self) -> Mapping[str, Item | None]:
        """Take out the items that were read meanwhile, None for one that does not exist."""
        now = time.monotonic()
        with self._lock:
            answered = ((key, waiting) for key, waiting in self._waiting.items() if waiting.is_answered)
            keys = [key for key, waiting in answered if self._is_ripe(waiting, now)]
            return {key: self._waiting.pop(key).answer for key in keys}

    def take_unanswered(self, most: int) -> Sequence[str]:
        """Take out up to ``most`` items that have waited long enough, those that waited longest first."""
        now = time.monotonic()
        with self._lock:
            self._forget_old_writes(now)
            ripe = [key for key, waiting in self._waiting.items() if self._must_be_read(key, waiting, now)]
            for key in ripe[:most]:
                del self._waiting[key]
            return ripe[:most]

    def _is_ripe(self, waiting: _Waiting, now: float) -> bool:
        return now - waiting.last_at >= self._patience.quiet_s or now - waiting.first_at >= self._patience.longest_s

    def _must_be_read(self, key: str, waiting: _Waiting, now: float) -> bool:
        return not waiting.is_answered and self._is_ripe(waiting, now) and key not in self._written_at

    def _forget_old_writes(self, now: float) -> None:
        old = [key for key, at in self._written_at.items() if now - at >= self._patience.proof_s]
        for key in old:
            del self._written_at[key]
