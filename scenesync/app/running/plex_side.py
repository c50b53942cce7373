"""What the daemon does on Plex's side beside its work: hear what is announced there, and ask for scans."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from scenesync.app.clients import plex_notifications
from scenesync.app.running.background import beside
from scenesync.intake.announced import Announced
from scenesync.intake.plex_changes import PlexChanges
from scenesync.intake.plex_watch import PlexWatch, WatchListener
from scenesync.store.baselines import BaselineStore
from scenesync.store.errors import StoreError
from scenesync.store.memory import Memory
from scenesync.store.service_state import OFF, PLEX_NOTIFICATIONS, ServiceState
from scenesync.store.traces import TraceStore
from scenesync.worker.finding.scan_requests import ScanRequests

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from scenesync.app.installation import Installation
    from scenesync.store.service_state import ServiceStateStore
    from scenesync.worker.availability.plex_connection import PlexSession

log = logging.getLogger(__name__)


class NotedWatch(WatchListener):
    """Keeps for ``status`` whether Plex's announcements come in. That it cannot be written stops nothing."""

    def __init__(self, services: ServiceStateStore) -> None:
        self._services = services

    def hearing(self) -> None:
        """Note that they do."""
        self._note(ServiceState("up", time.time()))

    def deaf(self, cause: str) -> None:
        """Note that they do not."""
        self._note(ServiceState("down", time.time(), cause))

    def off(self) -> None:
        """Note that nobody listens."""
        self._note(ServiceState(OFF, time.time()))

    def _note(self, state: ServiceState) -> None:
        try:
            self._services.write(PLEX_NOTIFICATIONS, state)
        except StoreError as error:
            log.warning("the state of plex's notifications could not be noted: %s", error)


class ChangesOfServer:
    """The ``PlexChanges`` of whichever Plex answered last; ``session`` raises PlexServerDown while none did."""

    def __init__(self, installation: Installation, announced: Announced, session: Callable[[], PlexSession]) -> None:
        self._installation = installation
        self._announced = announced
        self._session = session
        self._of: PlexSession | None = None
        self._changes: PlexChanges | None = None

    def __call__(self) -> PlexChanges:
        """Return them. Raises PlexServerDown."""
        session = self._session()
        if self._changes is None or self._of is not session:
            parts = self._installation
            written = BaselineStore(parts.database, session.identity.machine_identifier)
            self._changes = PlexChanges(self._announced, parts.plex, session.index, written, parts.queue)
            self._of = session
        return self._changes


@contextmanager
def hearing_plex(
    installation: Installation, session: Callable[[], PlexSession], end: threading.Event
) -> Iterator[None]:
    """Listen to Plex during the block, if the settings say so."""
    health = NotedWatch(installation.services)
    if not installation.settings.plex_notifications:
        health.off()
        yield
        return
    announced = Announced()
    identifier = Memory(installation.database).client_identifier()
    watch = PlexWatch(
        plex_notifications(installation.settings, identifier),
        announced,
        ChangesOfServer(installation, announced, session),
        health=health,
    )
    installation.plex.watch_with(announced)
    with ExitStack() as stack:
        stack.callback(installation.plex.watch_with, None)
        stack.enter_context(beside("plex announcements", watch.heed, end))
        stack.enter_context(beside("plex notifications", watch.listen, end))
        yield


def scan_requests(installation: Installation) -> ScanRequests | None:
    """Return what asks Plex for scans, None if the settings do not want that."""
    settings, traces = installation.settings, TraceStore(installation.database)
    if not settings.trigger_plex_scan:
        return None

    return ScanRequests(
        installation.plex,
        lambda scene_id: trace.files if (trace := traces.read(scene_id)) is not None else (),
        settings.path_map,
        settings.plex_libraries,
    )
