"""``scenesync run`` with several servers: one process for each route, begun anew when it dies, all ended together.

A process each, so that whatever happens on one route, a crash included, touches no other. A child ends when its stdin
does: then also when this process dies, however that happens, and its successor finds no locks held.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from scenesync.app.api_key import api_key
from scenesync.app.data_directory import make_data_dir, supervisor_lock, worker_lock
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.app.routes.outboxes import delivering, outboxes_of
from scenesync.app.running import switch as daemon_switch
from scenesync.app.running.daemon import LOOK_AT_FILES_EVERY_S, SettingsWatch, try_to_write_hook_file
from scenesync.app.running.heartbeat import Heartbeat
from scenesync.app.running.signals import stopping_on_signals

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scenesync.app.settings import LoadedSettings, Route

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.2
LOOK_FOR_LOCK_EVERY_S: Final = 1.0
ENDS_WITHIN_S: Final = 7.5
"""A child is over within nine seconds of being asked, and all of it within ten: its outboxes end in the first two."""
SETTLED_AFTER_S: Final = 60.0
LONGEST_PAUSE_S: Final = 60.0


def pause_before(deaths: int) -> float:
    """Return how long to wait before a process is begun again that died so many times in a row, in seconds."""
    return float(min(LONGEST_PAUSE_S, 2 ** min(deaths - 1, 10)))


@dataclass(slots=True)
class RouteProcess:
    """The process of one route. ``document`` is its first line of stdin."""

    name: str
    command: Sequence[str]
    document: str
    _process: subprocess.Popen[str] | None = None
    _begun_at: float = 0.0
    _deaths: int = 0
    _again_at: float = 0.0

    @property
    def is_running(self) -> bool:
        """Whether it was begun and not seen to end."""
        return self._process is not None

    def keep_alive(self) -> bool:
        """Begin it if it does not run and its time has come; return False if it ended by itself, as it was asked to."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._again_at:
                self._begin(now)
            return True
        status = self._process.poll()
        if status is None:
            return True
        self.ask_to_end()  # closes our end of its stdin
        self._process = None
        if status == DONE:
            return False
        self._deaths = 0 if now - self._begun_at >= SETTLED_AFTER_S else self._deaths
        pause_s = self._pause(now)
        log.error("the process of route %s ended with status %d; it begins again in %.0f s", self.name, status, pause_s)
        return True

    def _pause(self, now: float) -> float:
        """Count one more death, and return after how many seconds it begins again."""
        self._deaths += 1
        pause_s = pause_before(self._deaths)
        self._again_at = now + pause_s
        return pause_s

    def _begin(self, now: float) -> None:
        self._begun_at = now
        try:
            self._process = subprocess.Popen(self.command, stdin=subprocess.PIPE, text=True, encoding="utf-8")
        except OSError as error:  # no memory, say, or too many processes: the others are not to end for it
            log.error(  # noqa: TRY400 - the machine's trouble, no traceback
                "the process of route %s cannot begin, next try in %.0f s: %s", self.name, self._pause(now), error
            )
            return
        try:
            assert self._process.stdin is not None  # noqa: S101 - asked for above
            self._process.stdin.write(f"{self.document}\n")
            self._process.stdin.flush()
        except OSError:  # it died at once; the next look tells how
            log.debug("route %s took no document", self.name)

    def ask_to_end(self) -> None:
        """Let its stdin end, which it takes for a stop."""
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:  # it is gone already, with something unread
                log.debug("route %s is gone already", self.name)

    def wait(self, until: float) -> None:
        """Wait for its end until ``until`` (monotonic), then end it by force: its jobs are taken over by who comes."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("the process of route %s does not end, it is killed", self.name)
            self._process.kill()
            self._process.wait()
        self._process = None


class Home:
    """The data directory itself, where hooks and tasks look for who works.

    Where a route lives in it, that is the route's process; else it is this one.
    """

    def __init__(self, loaded: LoadedSettings) -> None:
        self._settings = loaded.settings
        data_dir = self._settings.data_dir
        is_lived_in = any(route.settings.data_dir == data_dir for route in loaded.routes)
        self._lock = None if is_lived_in else worker_lock(data_dir)
        self._heartbeat = Heartbeat(data_dir)

    def take(self) -> bool:
        """Be who works there, unless a route is; return False if somebody else is. Raises OSError."""
        if self._lock is None:
            return True
        if not self._lock.acquire():
            return False
        try_to_write_hook_file(self._settings)
        return True

    def beat(self) -> None:
        """Give the sign of life, unless a route does."""
        if self._lock is not None:
            self._heartbeat()

    def leave(self) -> None:
        """Let others be who works there."""
        if self._lock is not None:
            self._lock.release()


@dataclass(slots=True)
class Supervisor:
    """Runs all routes. ``command_of`` returns what is started for one, ``document`` what each is told first."""

    watch_settings: Callable[[LoadedSettings], SettingsWatch]
    command_of: Callable[[Route], Sequence[str]]
    document: str = "null"
    quiet_second: bool = False
    _processes: dict[str, RouteProcess] = field(default_factory=dict)

    def run(self, loaded: LoadedSettings) -> int:
        """Work until a signal or a request to end, and return the exit status. Raises SettingsError, OSError."""
        data_dir = loaded.settings.data_dir
        make_data_dir(data_dir)
        with stopping_on_signals() as stop, ExitStack() as stack:
            lock, home = supervisor_lock(data_dir), Home(loaded)
            stack.callback(lock.release)
            if not lock.acquire() or not home.take():
                if not self.quiet_second:
                    click.echo(f"scenesync: another SceneSync already works in {data_dir}.", err=True)
                return DONE if self.quiet_second else FAILED
            if loaded.settings.http_enabled:
                api_key(loaded.settings)  # made once: every route's dashboard is opened by the same
            daemon_switch.forget_request(data_dir)
            daemon_switch.allow(data_dir)
            self._work(loaded, stop, home)
        return DONE

    def _work(self, loaded: LoadedSettings, stop: threading.Event, home: Home) -> None:
        watch = self.watch_settings(loaded)
        while not stop.is_set():
            log.info("routes: %s", ", ".join(route.name for route in loaded.routes))
            try:
                with self._children(loaded), delivering(outboxes_of(loaded)):
                    self._until_something_changes(loaded, watch, stop, home.beat)
                    self._ask_all_to_end()  # they do so while the outboxes end
            finally:
                home.leave()
            loaded = watch.latest
            home = Home(loaded)
            while not (stop.is_set() or home.take()):  # a command works there for a moment
                stop.wait(LOOK_FOR_LOCK_EVERY_S)
        home.leave()

    def _until_something_changes(
        self, loaded: LoadedSettings, watch: SettingsWatch, stop: threading.Event, beat: Callable[[], object]
    ) -> None:
        data_dir = loaded.settings.data_dir
        looked_at = time.monotonic()
        while not stop.wait(LOOK_EVERY_S):
            beat()
            are_wanted = [process.keep_alive() for process in self._processes.values()]
            if daemon_switch.stop_is_requested(data_dir) or not all(are_wanted):
                log.info("asked to end")
                stop.set()
                return
            if time.monotonic() - looked_at >= LOOK_AT_FILES_EVERY_S:
                looked_at = time.monotonic()
                watch.look()
                if _shape(watch.latest) != _shape(loaded):
                    return

    @contextmanager
    def _children(self, loaded: LoadedSettings) -> Iterator[None]:
        """Keep a process for each route while the block runs; each reads changed settings by itself."""
        self._processes = {
            route.name: RouteProcess(route.name, self.command_of(route), self.document) for route in loaded.routes
        }
        try:
            yield
        finally:
            self._ask_all_to_end()
            until = time.monotonic() + ENDS_WITHIN_S
            for process in self._processes.values():
                process.wait(until)

    def _ask_all_to_end(self) -> None:
        for process in self._processes.values():
            process.ask_to_end()


def _shape(loaded: LoadedSettings) -> Mapping[str, object]:
    """Return what makes up the processes: with other routes, folders or outboxes they begin anew."""
    return {
        route.name: (route.settings.place, route.settings.data_dir, route.outbox, route.settings.database_url)
        for route in loaded.routes
    }


def command_for(overrides: Mapping[str, object]) -> Callable[[Route], Sequence[str]]:
    """Return what starts the process of a route, with the options that this process was given."""
    options = [f"--{key.replace('_', '-')}={value}" for key, value in overrides.items()]
    return lambda route: [sys.executable, "-m", "scenesync", *options, "run", "--supervised", f"--route={route.name}"]
