"""Listen to what Plex announces, for as long as the daemon works: connect, hear, connect again."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.errors import PermanentError, TransientError
from scenesync.plex.announcements import ItemAnnounced
from scenesync.plex.exceptions import PlexServerDown
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError
from scenesync.worker.backoff import calculate_delay

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from scenesync.intake.announced import Announced
    from scenesync.intake.plex_changes import PlexChanges
    from scenesync.plex.announcements import Announcement

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
WAIT_AFTER_FAILURE_S: Final = 5.0
SOONEST_AGAIN_S: Final = 0.5
BASE_S: Final = 1.0
CAP_S: Final = 30.0
CAP_WHEN_REFUSED_S: Final = 600.0
"""Where Plex answers, but not with a websocket: a person has to change something first."""
IN_ORDER_AFTER_S: Final = 60.0
"""A connection that lasted so long was one: what ends it is not counted with what went before."""


class Stream(Protocol):
    """An open connection."""

    def next(self, timeout_s: float) -> Sequence[Announcement]:
        """Return what is announced next, nothing if nothing is in time. Raises PlexServerDown at the end."""
        ...


class Source(Protocol):
    """What opens connections."""

    def open(self) -> AbstractContextManager[Stream]:
        """Open one. Raises the errors of ``plex.exceptions``."""
        ...


class WatchListener:
    """Hears whether Plex can be heard; this one keeps nothing."""

    def hearing(self) -> None:
        """Announcements come in."""

    def deaf(self, cause: str) -> None:
        """They do not."""


class PlexWatch:
    """``listen`` and ``heed`` are for one thread each; both end with ``end``, and nothing stops them before.

    What was announced while nobody listened is not said again (facts/plex.md 6.2), so each connection begins with a
    look at the whole index. ``changes`` raises PlexServerDown as long as no Plex has answered.
    """

    def __init__(
        self,
        source: Source,
        announced: Announced,
        changes: Callable[[], PlexChanges],
        *,
        health: WatchListener | None = None,
        jitter_seed: int | None = None,
    ) -> None:
        self._source = source
        self._announced = announced
        self._changes = changes
        self._health = health or WatchListener()
        self._random = random.Random(jitter_seed)  # noqa: S311 - spreads load, guards no secret
        self._refresh_since: float | None = None
        self._is_told = False

    def listen(self, end: threading.Event) -> None:
        """Hear until ``end``; after each end of a connection wait a little longer, then try again."""
        failures = 0
        while not end.is_set():
            began = time.monotonic()
            try:
                self._hear(end)
            except (TransientError, PermanentError) as error:
                failures = 0 if time.monotonic() - began >= IN_ORDER_AFTER_S else failures + 1
                self._went_wrong(error)
                cap_s = CAP_S if isinstance(error, PlexServerDown) else CAP_WHEN_REFUSED_S
                end.wait(SOONEST_AGAIN_S + calculate_delay(failures, BASE_S, cap_s, self._random.getrandbits(32)))

    def heed(self, end: threading.Event) -> None:
        """Look at what was heard until ``end``; while Plex or a file cannot be used, what was heard waits."""
        while not end.wait(LOOK_EVERY_S):
            if self._refresh_since is None and not self._announced.count():
                continue
            try:
                self._look()
            except (TransientError, PermanentError, QueueError, StoreError) as error:
                log.debug("what plex announced is looked at later: %s", error)
                end.wait(WAIT_AFTER_FAILURE_S)

    def _hear(self, end: threading.Event) -> None:
        with self._source.open() as stream:
            self._refresh_since = time.monotonic()
            self._is_told = False
            log.info("listening to what plex announces")
            self._health.hearing()
            while not end.is_set():
                for announcement in stream.next(LOOK_EVERY_S):
                    if isinstance(announcement, ItemAnnounced):
                        self._announced.add([announcement.rating_key])
                    else:
                        self._refresh_since = time.monotonic()

    def _look(self) -> None:
        changes, since = self._changes(), self._refresh_since
        # Set anew by the other thread meanwhile, it stays.
        if since is not None and changes.refresh(since) and self._refresh_since == since:
            self._refresh_since = None
        changes.look()

    def _went_wrong(self, error: Exception) -> None:
        if not self._is_told:
            self._is_told = True
            log.warning("plex's announcements cannot be heard, looking now and then goes on: %s", error)
        self._health.deaf(str(error))
