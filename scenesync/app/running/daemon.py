"""The daemon: hold the lock, work until told to stop, start over with new settings when they change."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import click

from scenesync.app.data_directory import make_data_dir, worker_lock
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.app.fleet.forwarding import forwarding
from scenesync.app.fleet.leading import leading
from scenesync.app.installation import open_installation
from scenesync.app.routes.outboxes import left_over_events
from scenesync.app.running import switch as daemon_switch
from scenesync.app.running.background import beside
from scenesync.app.running.duties import duties_of, routines_of
from scenesync.app.running.heartbeat import Heartbeat
from scenesync.app.running.plex_side import scan_requests
from scenesync.app.running.second_look import make_good
from scenesync.app.running.signals import stopping_on_signals
from scenesync.app.running.spare_memory import share_heaps
from scenesync.app.settings import SettingsError
from scenesync.disk.drafts import drafted
from scenesync.disk.ownership import hand_over
from scenesync.disk.room import is_no_room
from scenesync.domain.errors import StashRefused, StashUnavailable
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.intake.stash_activity import StashActivity
from scenesync.queue.errors import QueueContended, QueueDamaged, QueueDiskFull, QueueUnreachable
from scenesync.stash.client import StashClient
from scenesync.store.errors import StoreDamaged, StoreDiskFull, StoreUnavailable
from scenesync.worker.availability.disk_trouble import DiskTrouble
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.app.context import AppContext
    from scenesync.app.running.dashboard_switch import Dashboard
    from scenesync.app.settings import LoadedSettings, Settings
    from scenesync.queue.owner_lock import KernelLock
    from scenesync.stash.connection import PluginConnection

log = logging.getLogger(__name__)

LOOK_AT_FILES_EVERY_S: Final = 2.0
LOOK_FOR_REQUEST_EVERY_S: Final = 1.0
LOOK_FOR_ROOM_EVERY_S: Final = 2.0
LOOK_FOR_DATABASE_EVERY_S: Final = 2.0
LOOK_AT_PLUGIN_EVERY_S: Final = 60.0
LONGEST_GOODBYE_S: Final = 8.0
"""A stop is over within ten seconds, whatever hangs."""
HOOK_FILE: Final = "hook.json"
PLUGIN_DATA_FOLDER: Final = "data"
MOST_DAMAGE, DAMAGE_WITHIN_S = 3, 600.0
NO_POLL_REFRESH_S: Final = 300.0
"""Without polling the path index is still brought up to date now and then."""


class SettingsSource:
    """Where the daemon's settings come from, and whether they have changed since they were loaded.

    Started by Stash it uses Stash's own address, its API key (read once over the session cookie, which lives for an
    hour only) and what people set on the plugin's page.
    """

    def __init__(
        self, app: AppContext, connection: PluginConnection | None, handler: logging.Handler | None = None
    ) -> None:
        self._app = app
        self._connection = connection
        self._handler = handler
        self._plugin_settings: Mapping[str, object] | None = None
        self._stash: StashClient | None = None
        self._names_stash = False
        """The file has tables of several Stashes, and ours is one of them."""

    def load(self) -> LoadedSettings:
        """Return the settings in force now. Raises SettingsError."""
        if self._connection is None:
            return self._app.load(handler=self._handler)
        try:
            self._plugin_settings = self.own_stash().plugin_settings()
        except (StashUnavailable, StashRefused) as error:
            log.warning("cannot read the plugin's settings, going on without: %s", error)
        loaded = self._app.load(
            plugin_settings=self._plugin_settings, default_dir=self._default_dir(), handler=self._handler
        )
        place = loaded.settings.place
        self._names_stash = place is not None and place.has_stash_table
        return loaded

    def stash(self) -> StashClient | None:
        """Return the client for the Stash that started the plugin, None if the settings say where Stash is."""
        return None if self._connection is None or self._names_stash else self.own_stash()

    def plugin_settings_changed(self) -> bool:
        """Ask Stash whether somebody changed the plugin's settings."""
        if self._connection is None:
            return False
        try:
            return self.own_stash().plugin_settings() != self._plugin_settings
        except (StashUnavailable, StashRefused):
            return False

    def own_stash(self) -> StashClient:
        """Return the client for the Stash that started the plugin, whatever the settings say."""
        if self._stash is None:
            assert self._connection is not None  # noqa: S101 - asked for by callers
            client = self._connection.client()
            key = client.api_key()
            if key:
                client.close()
                client = StashClient(self._connection.url, api_key=key, verify_tls=False)
            self._stash = client
        return self._stash

    def _default_dir(self) -> Path | None:
        """Return the plugin's data folder: the hook, which knows nothing else, looks there too."""
        if self._connection is None or not self._connection.plugin_dir:
            return None
        return Path(self._connection.plugin_dir) / PLUGIN_DATA_FOLDER


class FirstRun(Protocol):
    """What is done while nobody has said where Plex is."""

    def __call__(
        self, loaded: LoadedSettings, reload: Callable[[], LoadedSettings | None], stop: threading.Event
    ) -> LoadedSettings | None:
        """Return settings that can be worked with, None at a stop; ``reload`` returns new ones, None without any."""
        ...


@dataclass(slots=True)
class Daemon:
    """One run of ``scenesync run``; ``dashboard`` is what people look at meanwhile."""

    source: SettingsSource
    dashboard: Dashboard
    quiet_second: bool = False
    first_run: FirstRun | None = None
    """None: end with what is missing."""
    several: Callable[[LoadedSettings], int] | None = None
    """What is run in its place if there are several routes, or one whose state lies elsewhere."""
    is_asked_to_end: Callable[[], bool] = lambda: False
    is_supervised: bool = False
    """Somebody else delivers what hooks leave in the outbox."""
    damaged_at: list[float] = field(default_factory=list)
    trouble: DiskTrouble = field(default_factory=lambda: DiskTrouble("data directory"))
    trouble_of_database: DiskTrouble = field(default_factory=lambda: DiskTrouble("database"))

    def run(self) -> int:
        """Work until a signal and return the exit status. Raises SettingsError, QueueError, StoreError, OSError."""
        share_heaps()
        loaded = self.source.load()
        if self.several is not None and loaded.routes and loaded.settings.place is None:
            return self.several(loaded)
        data_dir = loaded.settings.data_dir
        end_of_round = threading.Event()

        def leave() -> None:
            end_of_round.set()
            # A request that hangs must not keep the system waiting. Its job is safe: who works next takes it over.
            goodbye = threading.Timer(LONGEST_GOODBYE_S, os._exit, args=(DONE,))
            goodbye.daemon = True
            goodbye.start()

        with stopping_on_signals(leave) as stop:
            lock = self._lock(data_dir, stop)
            if lock is None:
                return DONE if self.quiet_second or stop.is_set() else FAILED
            try:
                daemon_switch.forget_request(data_dir)
                daemon_switch.allow(data_dir)
                with beside(
                    "stop request", lambda end: self._heed_requests(data_dir, stop, leave, end), threading.Event()
                ):
                    usable = self._set_up(loaded, stop)
                    if usable is not None:
                        self._work(usable, end_of_round, stop)
            finally:
                self.dashboard.close()
                lock.release()
        return DONE

    def _set_up(self, loaded: LoadedSettings, stop: threading.Event) -> LoadedSettings | None:
        """Return settings that can be worked with, None at a signal. Raises SettingsError where nobody can be asked."""
        settings = loaded.settings
        knows_plex = settings.plex_url is not None and settings.plex_token is not None
        if knows_plex or self.first_run is None or not settings.http_enabled:
            return loaded
        watch = SettingsWatch(self.source, loaded)
        heartbeat = Heartbeat(settings.data_dir)

        def reload() -> LoadedSettings | None:
            heartbeat()
            return watch.latest if watch.look() else None

        return self.first_run(loaded, reload, stop)

    def _heed_requests(
        self, data_dir: Path, stop: threading.Event, leave: Callable[[], None], end: threading.Event
    ) -> None:
        """End as at a signal when somebody asks for it."""
        while not end.wait(LOOK_FOR_REQUEST_EVERY_S):
            if daemon_switch.stop_is_requested(data_dir) or self.is_asked_to_end():
                log.info("asked to end")
                stop.set()
                leave()
                return

    def _lock(self, data_dir: Path, stop: threading.Event) -> KernelLock | None:
        """Return the lock of whoever works in ``data_dir``, None if somebody else has it, or at a signal."""
        lock = worker_lock(data_dir)
        while not stop.is_set():
            try:
                make_data_dir(data_dir)
                if lock.acquire():
                    return lock
            except OSError as error:
                self._wait_for_room(error, data_dir, stop)
                continue
            if not self.quiet_second:
                click.echo(f"scenesync: another SceneSync already works in {data_dir}.", err=True)
            break
        return None

    def _work(self, loaded: LoadedSettings, end_of_round: threading.Event, stop: threading.Event) -> None:
        """Work in rounds: each has its own settings, and ends when they change or at a signal."""
        while True:
            end_of_round.clear()
            if stop.is_set():  # asked after clearing: a signal sets both
                return
            watch = SettingsWatch(self.source, loaded)
            self.dashboard.serve(loaded)
            try:
                self._round(loaded, end_of_round, watch)
            except (QueueDamaged, StoreDamaged) as error:
                self._survive_damage(error)
            except (QueueDiskFull, StoreDiskFull, OSError) as error:
                self._wait_for_room(error, loaded.settings.data_dir, stop)
            except (QueueUnreachable, QueueContended, StoreUnavailable) as error:
                self._wait_for_database(error, loaded.settings, stop)
                watch.look()
            loaded = watch.latest

    def _wait_for_room(
        self, error: QueueDiskFull | StoreDiskFull | OSError, data_dir: Path, stop: threading.Event
    ) -> None:
        """Wait a while if ``error`` means that the disk is full, since somebody will make room; else raise it."""
        if isinstance(error, OSError):
            if not is_no_room(error):
                raise error
            error = QueueDiskFull(str(data_dir))
        self.trouble.met(error)
        stop.wait(LOOK_FOR_ROOM_EVERY_S)

    def _wait_for_database(
        self, error: QueueUnreachable | QueueContended | StoreUnavailable, settings: Settings, stop: threading.Event
    ) -> None:
        """Wait a while if the database is another machine's, which comes back by itself; else raise the error."""
        if settings.database_url is None:
            raise error
        self.trouble_of_database.met(error)
        Heartbeat(settings.data_dir)()  # who waits is alive
        stop.wait(LOOK_FOR_DATABASE_EVERY_S)

    def _survive_damage(self, error: QueueDamaged | StoreDamaged) -> None:
        """Start over, which moves the damaged file aside; give up on a disk that damages one file after the other."""
        now = time.monotonic()
        self.damaged_at = [at for at in self.damaged_at if now - at < DAMAGE_WITHIN_S]
        self.damaged_at.append(now)
        if len(self.damaged_at) > MOST_DAMAGE:
            raise error
        log.error("starting over, since a file turned out to be damaged while in use: %s", error)

    def _round(self, loaded: LoadedSettings, end_of_round: threading.Event, watch: SettingsWatch) -> None:
        settings, dashboard = loaded.settings, self.dashboard
        write_hook_file(settings)
        with open_installation(
            settings, stash=self.source.stash(), repairs=True, listeners=dashboard.listeners
        ) as installation:
            self.trouble.over()
            self.trouble_of_database.over()
            log.info("working data_dir=%s workers=%d", settings.data_dir, settings.workers)
            limits = LoopLimits(
                workers=settings.workers, refresh_index_every_s=settings.poll_interval or NO_POLL_REFRESH_S
            )
            scans = scan_requests(installation)
            observers = [log_attempt, dashboard.attempt, *([scans.note] if scans else [])]
            heartbeat = Heartbeat(settings.data_dir)

            def turned() -> None:
                heartbeat()
                dashboard.turn()

            activity = StashActivity()
            loop = installation.work_loop(limits, observers, on_turn=turned, bulk_waits=activity.holds_bulk)
            routines = routines_of(installation, loop.require_session, activity)
            with ExitStack() as stack:
                stack.enter_context(beside("settings", watch.run, end_of_round))
                stack.enter_context(forwarding(settings, installation.queue, end_of_round))
                stack.enter_context(beside("scans", scans.run if scans else lambda _end: None, end_of_round))
                stack.enter_context(beside("second look", lambda end: make_good(installation, end), end_of_round))
                duties = partial(duties_of, installation, loop.require_session, activity, routines)
                stack.enter_context(leading(installation.queue.fleet, duties, end_of_round, fit=loop.is_accepted))
                stack.enter_context(nullcontext() if self.is_supervised else left_over_events(loaded))
                stack.enter_context(dashboard.shows(installation, loaded, loop.require_session, routines))
                try:
                    loop.run(end_of_round)
                except QueueDamaged:
                    installation.queue.recover()  # opening does not look through a large file
                    raise


class SettingsWatch:
    """Looks now and then whether the settings changed, and ends the round if they did."""

    def __init__(self, source: SettingsSource, loaded: LoadedSettings) -> None:
        self.latest = loaded
        self._source = source
        self._seen = file_times(loaded.files)
        self._asked_plugin_at = time.monotonic()

    def run(self, end_of_round: threading.Event) -> None:
        """Look until the round ends, or until there is something new, which ends it."""
        while not end_of_round.wait(LOOK_AT_FILES_EVERY_S):
            if self.look():
                end_of_round.set()

    def look(self) -> bool:
        """Look once, and return whether there is something new in ``latest``."""
        return self._changed() and self._reload()

    def _changed(self) -> bool:
        now_seen = file_times(self.latest.files)
        if now_seen != self._seen:
            self._seen = now_seen
            return True
        if time.monotonic() - self._asked_plugin_at < LOOK_AT_PLUGIN_EVERY_S:
            return False
        self._asked_plugin_at = time.monotonic()
        return self._source.plugin_settings_changed()

    def _reload(self) -> bool:
        """Load again; say whether anything is different now. Settings that cannot be used change nothing."""
        try:
            loaded = self._source.load()
        except SettingsError as error:
            log.error("the changed settings are not used: %s", error)  # noqa: TRY400 - the person's mistake, no traceback
            return False
        if _form(loaded) != _form(self.latest):
            log.error("one server or several: that takes effect when SceneSync is started again")
            return False
        if loaded.settings.data_dir != self.latest.settings.data_dir:
            log.error("data_dir cannot change while SceneSync runs; restart it")
            return False
        changed = loaded.settings != self.latest.settings
        self.latest = loaded
        if changed:
            log.info("settings changed, starting over with the new ones")
        return changed


def _form(loaded: LoadedSettings) -> tuple[bool, bool]:
    """Return what decides who works: for single settings, for a route, or for all routes."""
    return bool(loaded.routes), loaded.settings.place is None


def file_times(files: Sequence[Path]) -> tuple[tuple[int, int] | None, ...]:
    """Return what tells a change of each file: time of change in ns and size; None for one that is not there."""
    times: list[tuple[int, int] | None] = []
    for path in files:
        try:
            status = path.stat()
        except OSError:
            times.append(None)
        else:
            times.append((status.st_mtime_ns, status.st_size))
    return tuple(times)


def write_hook_file(settings: Settings) -> None:
    """Leave the hook and the pages in Stash what they cannot find out by themselves; never a secret. Raises OSError.

    Tasks and questions of the plugin do so beside the daemon and each other, nearly always with nothing new to say.
    """
    path = settings.data_dir / HOOK_FILE
    wanted = settings.autostart and not daemon_switch.is_kept_off(settings.data_dir)
    dashboard = {"host": settings.http_host, "port": settings.http_port, "path": settings.http_base_path}
    left = {
        "autostart": wanted,
        "plex_url": settings.plex_url,
        "is_shared": settings.database_url is not None,
        "dashboard": dashboard if settings.http_enabled and settings.http_port else None,
    }
    content = json.dumps(left).encode()
    if _holds(path, content):
        return
    with drafted(path) as draft:
        draft.write_bytes(content)
        hand_over(str(draft))


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:  # not there, or somebody else's: it is to be replaced
        return False


def try_to_write_hook_file(settings: Settings) -> None:
    """Do so if it can be done: what is asked for beside it must not fail for it, and the next start tries again."""
    try:
        write_hook_file(settings)
    except OSError as error:
        log.warning("%s cannot be written, hooks go by what it said before: %s", HOOK_FILE, error)


def log_attempt(attempt: Attempt) -> None:
    """Say in one line what became of an attempt."""
    level = {Outcome.DEAD: logging.ERROR, Outcome.RETRY: logging.WARNING}.get(attempt.outcome, logging.INFO)
    if attempt.outcome in {Outcome.UNCHANGED, Outcome.DEFERRED}:
        level = logging.DEBUG
    log.log(
        level,
        "%s scene=%d items=%s rule=%s fields=%s%s",
        attempt.outcome.value,
        attempt.scene_id,
        ",".join(attempt.rating_keys) or "-",
        attempt.rule or "-",
        ",".join(attempt.changed_fields) or "-",
        f" error={attempt.error_type} message={attempt.message}" if attempt.error_type else "",
    )
