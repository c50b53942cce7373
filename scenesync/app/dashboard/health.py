"""Implements ``web.ports.Health``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.app.opening import queue_figures
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError
from scenesync.store.holds import count_held
from scenesync.web.models import state
from scenesync.web.problems import Unavailable

if TYPE_CHECKING:
    from scenesync.app.dashboard.desk import Desk

STUCK_AFTER_S: Final = 600.0
"""Reading a large library for the first time takes minutes, in one turn of the loop."""


class DaemonHealth:
    """Whether the loop goes round and the stores answer."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def alive(self) -> state.Alive:
        """Say whether the loop goes round; between rounds there is none, which is no reason to restart anything."""
        last_turn_s = self._desk.last_turn_s
        return state.Alive(alive=last_turn_s is None or last_turn_s < STUCK_AFTER_S, last_turn_s=last_turn_s)

    def readiness(self) -> state.Readiness:
        """Ask both stores for a little."""
        stores = {"queue": self._queue(), "state": self._state()}
        return state.Readiness(ready=all(answer == "ok" for answer in stores.values()), stores=stores)

    def _queue(self) -> str:
        try:
            queue_figures(self._desk.loaded.settings)
        except (QueueError, OSError) as error:
            return type(error).__name__
        return "ok"

    def _state(self) -> str:
        try:
            count_held(self._desk.installation.database)
        except (StoreError, OSError) as error:
            return type(error).__name__
        except Unavailable:
            return "not open"
        return "ok"
