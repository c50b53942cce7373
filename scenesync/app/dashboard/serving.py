"""Dashboard and API beside the daemon's work: built once, fed by each round, never in the way of delivery."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from scenesync.app.api_key import api_key
from scenesync.app.clients import RequestListeners
from scenesync.app.context import secrets_of
from scenesync.app.dashboard.asked_work import AskedWork, CoverageKept
from scenesync.app.dashboard.dead_letters import GivenUp
from scenesync.app.dashboard.desk import Desk, Round
from scenesync.app.dashboard.health import DaemonHealth
from scenesync.app.dashboard.jobs import QueuedJobs
from scenesync.app.dashboard.journal import RunsThatWait, WrittenEdits
from scenesync.app.dashboard.log_book import RecentLines
from scenesync.app.dashboard.measures import Measures
from scenesync.app.dashboard.path_maps import WrittenPathMaps
from scenesync.app.dashboard.plans import KeptPlans
from scenesync.app.dashboard.rate import RecentAttempts
from scenesync.app.dashboard.scene_page import SceneKnowledge
from scenesync.app.dashboard.scenes import KnownScenes
from scenesync.app.dashboard.settings_view import EffectiveSettings
from scenesync.app.dashboard.standing import DaemonStanding, attempt_facts
from scenesync.app.dashboard.support import SupportBundles
from scenesync.app.dashboard.tasks import TaskRunner
from scenesync.app.version import VERSION
from scenesync.web.application import build
from scenesync.web.events import EventRing
from scenesync.web.ports import Services
from scenesync.web.server import Address, OpenDoor, RouteDoor, WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scenesync.app.installation import Installation
    from scenesync.app.running.background import Routine
    from scenesync.app.settings import LoadedSettings
    from scenesync.domain.outcome import Attempt
    from scenesync.worker.availability.plex_connection import PlexSession

log = logging.getLogger(__name__)

TASKS_END_WITHIN_S: Final = 2.0


class Dashboard:
    """The server for dashboard and API, and everything that it shows."""

    def __init__(self, loaded: LoadedSettings) -> None:
        self.desk = Desk(loaded)
        self.events = EventRing()
        self.standing = DaemonStanding(self.desk)
        self.measures = Measures(self.desk, self.standing)
        self.runner = TaskRunner(self.events)
        self._coverage = CoverageKept()
        self._work = AskedWork(self.desk, self.runner, self.standing, self._coverage)
        self._lines = RecentLines(self.events)
        self._path_maps = WrittenPathMaps(self.desk, self.standing.checks)
        self._address: Address | None = None
        self._server: WebServer | None = None

    @property
    def services(self) -> Services:
        """What the handlers ask for."""
        return Services(
            health=DaemonHealth(self.desk),
            standing=self.standing,
            jobs=QueuedJobs(self.desk),
            letters=GivenUp(self.desk, self.runner),
            scenes=KnownScenes(self.desk),
            one_scene=SceneKnowledge(self.desk),
            rate=RecentAttempts(self.desk),
            journal=WrittenEdits(self.desk),
            stopped_runs=RunsThatWait(self.desk),
            tasks=self._work,
            plans=KeptPlans(self.desk, self.runner),
            coverage=self._coverage,
            log=self._lines,
            settings=EffectiveSettings(self.desk),
            support=SupportBundles(self.desk, self.standing, self._lines),
            path_maps=self._path_maps,
            metrics=self.measures,
            events=self.events,
        )

    @property
    def url(self) -> str | None:
        """Where it is to be found, None if it is nowhere."""
        return None if self._server is None else self._server.url

    @property
    def listeners(self) -> RequestListeners:
        """Who wants to hear of every request."""
        return RequestListeners(plex=self.measures.plex_request, stash=self.measures.stash_request)

    def attempt(self, made: Attempt) -> None:
        """Hear of an attempt, in the thread that made it."""
        self.measures.attempt(made)
        self.events.publish("attempt", partial(attempt_facts, made), scene_id=made.scene_id)

    def turn(self) -> None:
        """Hear that the loop went round."""
        self.desk.turn()

    def serve(self, loaded: LoadedSettings) -> None:
        """Listen where these settings say, anew if that changed. Whatever stands in the way is a warning."""
        self.desk.loaded = loaded
        try:
            address = address_of(loaded)
        except OSError as error:
            log.warning("no key for dashboard and API can be kept, delivery goes on without them: %s", error)
            self.close()
            return
        self._lines.attend([*secrets_of(loaded.settings), address.api_key])
        if address == self._address and self._server is not None:
            return
        self.close()
        self._address = address
        self._begin(address)

    @contextmanager
    def shows(
        self,
        installation: Installation,
        loaded: LoadedSettings,
        require_session: Callable[[], PlexSession],
        routines: Sequence[Routine],
    ) -> Iterator[None]:
        """Show this round and let people work with it while the block runs."""
        now = Round(installation, loaded, require_session)
        with self.desk.working_with(now), self._work.with_routines(routines):
            try:
                yield
            finally:
                self.runner.stop_all(TASKS_END_WITHIN_S)

    def close(self) -> None:
        """Answer nobody any more."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _begin(self, address: Address) -> None:
        app, audience = build(self.services, address, version=VERSION)

        def end_streams() -> None:
            audience.is_over = True

        try:
            server = WebServer(app, address, on_stop=end_streams)
            server.start()
        except OpenDoor as error:
            log.error("no dashboard and no API, delivery goes on without them: %s", error)  # noqa: TRY400 - no fault
        except OSError as error:
            log.warning(
                "%s:%d cannot be had, delivery goes on without dashboard and API: %s", address.host, address.port, error
            )
        else:
            self._server = server
            log.info("dashboard and API at %s", server.url)


def address_of(loaded: LoadedSettings) -> Address:
    """Return where and how to serve. Raises OSError if a key has to be made and cannot be kept."""
    settings = loaded.settings
    return Address(
        settings.http_host,
        settings.http_port,
        api_key(settings),
        base_path=settings.http_base_path,
        trusted_hosts=settings.http_trusted_hosts,
        routes=_doors(loaded),
    )


def _doors(loaded: LoadedSettings) -> tuple[RouteDoor, ...]:
    """Return the dashboards of all routes, none where there is one."""
    if len(loaded.routes) <= 1:
        return ()
    return tuple(
        RouteDoor(
            route.name,
            route.settings.http_port,
            route.settings.http_base_path,
            is_here=route.settings == loaded.settings,
        )
        for route in loaded.routes
    )
