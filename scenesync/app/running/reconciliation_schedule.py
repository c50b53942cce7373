"""When the daemon compares both libraries by itself: at its first start everything, then as often as is set.

With another Plex server than before it is a first start again.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.values import ReconcileInterval
from scenesync.app.reconciling import AT_THE_START, BY_SCHEDULE, Demand, reconcile
from scenesync.app.running.spare_memory import give_memory_back
from scenesync.domain.errors import PermanentError, TransientError
from scenesync.intake.polling import FACT as POLL_CURSOR
from scenesync.queue.errors import QueueError
from scenesync.reconciliation.reconciling import Interrupted, Scope
from scenesync.store.errors import StoreError
from scenesync.store.memory import Memory
from scenesync.store.reconciliations import last_began_at

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from scenesync.app.installation import Installation
    from scenesync.worker.availability.plex_connection import PlexSession

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
TRY_AGAIN_AFTER_S: Final = 30.0

_INTERVALS_S: Final = {
    ReconcileInterval.HOURLY: 3600.0,
    ReconcileInterval.DAILY: 24 * 3600.0,
    ReconcileInterval.WEEKLY: 7 * 24 * 3600.0,
}


class Schedule:
    """Compares when it is time, in a thread of its own. ``session`` raises while no Plex server has answered yet."""

    def __init__(self, installation: Installation, session: Callable[[], PlexSession]) -> None:
        self._installation = installation
        self._session = session

    def run(self, end: threading.Event) -> None:
        """Look now and then whether it is time, until the end; whatever stands in the way, it is tried again."""
        while not end.wait(LOOK_EVERY_S):
            try:
                demand = self.due()
                if demand is not None:
                    reconcile(self._installation, self._session(), demand, end)
                    give_memory_back(self._installation.database)
            except Interrupted:
                return
            except (TransientError, PermanentError) as error:
                # The loop says that a server is away or refuses, once; what was begun is gone on with.
                log.debug("not reconciled: %s", error)
                end.wait(LOOK_EVERY_S if self._never_asked() else TRY_AGAIN_AFTER_S)
            except (QueueError, StoreError, OSError) as error:
                log.warning("not reconciled: %s", error)
                end.wait(TRY_AGAIN_AFTER_S)

    def due(self) -> Demand | None:
        """Return what is to be done now, if anything. Raises StoreError, and PlexServerDown while no Plex answered."""
        database, settings = self._installation.database, self._installation.settings
        if not Memory(database).recall(POLL_CURSOR):
            return Demand(Scope.ALL, AT_THE_START)
        interval_s = _INTERVALS_S.get(settings.reconcile_interval)
        if interval_s is None:
            return None
        scope = Scope(settings.reconcile_scope.value)
        began = last_began_at(database, {scope.value, Scope.ALL.value})
        last = began.get(self._session().identity.machine_identifier)
        if began and last is None:  # a new Plex server, to which nothing of what is known applies
            return Demand(Scope.ALL, AT_THE_START)
        # A clock that was set back makes the last one look like the future.
        if last is not None and 0 <= time.time() - last < interval_s:
            return None
        return Demand(scope, BY_SCHEDULE)

    def last_and_next(self) -> tuple[float | None, float | None]:
        """Return when a comparison like the scheduled ones last began, with any server, and when the next is due.

        In epoch seconds, None for never. Raises StoreError.
        """
        scope = self._installation.settings.reconcile_scope.value
        last = max(last_began_at(self._installation.database, {scope, Scope.ALL.value}).values(), default=None)
        if not self.interval_s:
            return last, None
        return last, time.time() if last is None else last + self.interval_s

    @property
    def interval_s(self) -> float:
        """How often, in seconds; 0: never by itself."""
        return _INTERVALS_S.get(self._installation.settings.reconcile_interval, 0.0)

    def _never_asked(self) -> bool:
        try:
            self._session()
        except TransientError:
            return True
        return False
