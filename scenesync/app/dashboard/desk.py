"""What is open at the moment: the daemon's round comes and goes, the server for its dashboard stays."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenesync.domain.errors import TransientError
from scenesync.store.scene_states import SceneStateStore
from scenesync.web.problems import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scenesync.app.installation import Installation
    from scenesync.app.settings import LoadedSettings
    from scenesync.worker.availability.plex_connection import PlexSession


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the daemon: its open parts, its settings, and the session of the Plex that answered last."""

    installation: Installation
    loaded: LoadedSettings
    require_session: Callable[[], PlexSession]


class Desk:
    """Hands out what is open. Thread-safe."""

    def __init__(self, loaded: LoadedSettings) -> None:
        self.loaded = loaded
        self._round: Round | None = None
        self._lock = threading.Lock()
        self._turned_at: float | None = None
        self._known_server_id: str | None = None

    @contextmanager
    def working_with(self, now: Round) -> Iterator[None]:
        """Hand these parts out while the block runs."""
        with self._lock:
            self._round, self.loaded = now, now.loaded
        try:
            yield
        finally:
            with self._lock:
                self._round = None
            self._turned_at = None

    def turn(self) -> None:
        """Hear that the loop went round."""
        self._turned_at = time.monotonic()

    @property
    def last_turn_s(self) -> float | None:
        """Seconds since the loop last went round, None while no round is under way."""
        turned_at = self._turned_at
        return None if turned_at is None else time.monotonic() - turned_at

    @property
    def round(self) -> Round:
        """The round that is under way. Raises Unavailable between two, and while the disk is full."""
        now = self._round
        if now is None:
            raise Unavailable("SceneSync is just opening its files, or waits for room on the disk.", code="opening")
        return now

    @property
    def server_id(self) -> str:
        """The Plex server that answered last, now or before this daemon began; "" if none ever did."""
        try:
            self._known_server_id = self.round.require_session().identity.machine_identifier
        except TransientError:
            if self._known_server_id is None:
                self._known_server_id = SceneStateStore(self.installation.database).latest_server()
        return self._known_server_id

    @property
    def installation(self) -> Installation:
        """The open parts. Raises Unavailable."""
        return self.round.installation
