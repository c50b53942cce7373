"""The checks of ``doctor``: each looks at one thing and says what it found and what would cure it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Final

from scenesync.app.backup.check import check_backups
from scenesync.app.clients import open_stash_client, plex_notifications, stash_client
from scenesync.app.data_directory import make_data_dir
from scenesync.app.distributed.checks import check_database
from scenesync.app.doctor.finding import Check, Verdict
from scenesync.app.doctor.mounts import network_share_type
from scenesync.app.doctor.path_check import judge_paths
from scenesync.app.doctor.photo_settings import photo_address, why_photos_cannot_work, why_plex_gets_no_photos
from scenesync.app.doctor.route_checks import check_routes, check_shared_items
from scenesync.app.doctor.stash_checks import check_stash_looks
from scenesync.app.installation import Installation, open_installation
from scenesync.app.opening import embedded_queue_at
from scenesync.app.running.switch import is_running
from scenesync.app.settings import SettingsError
from scenesync.domain.errors import PermanentError, TransientError
from scenesync.domain.setting_origin import is_decided
from scenesync.notify.apprise_way import MISSING, is_installed
from scenesync.queue.errors import QueueDamaged, QueueDiskFull, QueueError
from scenesync.store.errors import StoreError
from scenesync.store.memory import Memory
from scenesync.worker.finding.library_index import choose_libraries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.settings import LoadedSettings, Settings
    from scenesync.stash.client import StashClient
    from scenesync.worker.finding.library_index import LibraryIndex

LITTLE_ROOM_BYTES: Final = 100 * 1024 * 1024
WAL_RESET_FIXED_IN: Final = (3, 51, 3)
"""Earlier versions may damage a WAL file when two connections checkpoint at once (facts/queue.md 2.16)."""


def run_checks(loaded: LoadedSettings, stash: StashClient | None = None) -> Iterator[Check]:
    """Yield the findings one by one; a check that cannot be made because of an earlier one is left out.

    ``stash`` replaces the client made from the settings; it stays open.
    """
    settings = loaded.settings
    yield from _check_settings(loaded)
    yield from check_routes(loaded)
    yield _check_sqlite()
    data_dir = _check_data_dir(settings)
    yield data_dir
    yield _check_stash(settings, stash)
    if settings.sync_performer_photos:
        yield _check_photos(settings)
    yield from check_database(settings)
    if data_dir.verdict is Verdict.FAILED:
        return
    yield _check_daemon(settings)
    yield check_backups(settings)
    try:
        with open_installation(settings, stash=stash) as installation:
            yield from _check_stores(installation)
            yield from check_shared_items(settings)
            yield from check_stash_looks(installation)
            yield from _check_plex(installation)
    except SettingsError as error:
        yield Check("plex", Verdict.FAILED, str(error), "Set them and run doctor again.")
    except (QueueError, StoreError, OSError) as error:
        yield Check("stores", Verdict.FAILED, str(error))


def _check_settings(loaded: LoadedSettings) -> Iterator[Check]:
    changed = sum(is_decided(origin) for origin in loaded.origins.values())
    yield Check("settings", Verdict.OK, f"{changed} of {len(loaded.origins)} differ from their defaults")
    for warning in loaded.warnings:
        yield Check("settings", Verdict.WARNING, warning)
    if loaded.settings.notify_urls is not None and not is_installed():
        yield Check("notifications", Verdict.FAILED, "the package apprise is not installed", MISSING)


def _check_sqlite() -> Check:
    if sqlite3.sqlite_version_info < WAL_RESET_FIXED_IN:
        return Check(
            "sqlite",
            Verdict.WARNING,
            f"version {sqlite3.sqlite_version}; before 3.51.3 a rare fault can damage a write-ahead log",
            "SceneSync keeps the risk low (one process checkpoints); update SQLite when your system offers it.",
        )
    return Check("sqlite", Verdict.OK, f"version {sqlite3.sqlite_version}")


def _check_data_dir(settings: Settings) -> Check:
    folder = settings.data_dir
    try:
        make_data_dir(folder)
        with tempfile.TemporaryFile(dir=folder), closing(embedded_queue_at(settings, auto_resume=False, repairs=False)):
            pass
    except (QueueDamaged, QueueDiskFull) as error:
        return Check("data directory", Verdict.FAILED, str(error))  # says what to do
    except (QueueError, OSError) as error:
        return Check(
            "data directory", Verdict.FAILED, f"{folder}: {error}", "Make it writable or set SCENESYNC_DATA_DIR."
        )
    share = network_share_type(folder)
    if share is not None and not settings.network_share:
        return Check(
            "data directory",
            Verdict.WARNING,
            f"{folder} lies on a network share ({share}); a write-ahead log and locks are not safe there",
            "Put it on a local disk (SCENESYNC_DATA_DIR), or set network_share = true.",
        )
    free = shutil.disk_usage(folder).free
    if free < LITTLE_ROOM_BYTES:
        return Check("data directory", Verdict.WARNING, f"{folder} has {free // 1024 // 1024} MB left", "Free some.")
    return Check("data directory", Verdict.OK, f"{folder}, {free // 1024**3} GB free, process {os.getpid()} can write")


def _check_daemon(settings: Settings) -> Check:
    running = is_running(settings.data_dir)
    return Check("daemon", Verdict.OK, "running" if running else "not running (scenesync run starts it)")


def _check_stash(settings: Settings, given: StashClient | None) -> Check:
    try:
        with nullcontext(given) if given else stash_client(settings) as stash:
            version, status, count = stash.version(), stash.status(), stash.scene_count()
    except (TransientError, PermanentError) as error:
        return Check("stash", Verdict.FAILED, str(error), "Check stash_url and stash_api_key.")
    if status != "OK":
        return Check(
            "stash", Verdict.FAILED, f"version {version} says {status}", "Open Stash in a browser and follow it."
        )
    return Check("stash", Verdict.OK, f"version {version or 'unknown'} at {stash.base_url}, {count} scenes")


def _check_photos(settings: Settings) -> Check:
    name, off = "performer photos", "Photos stay off until then; everything else is written."
    problem = why_photos_cannot_work(settings)
    if problem:
        return Check(name, Verdict.WARNING, problem, off)
    with open_stash_client(settings, photo_address(settings)) as stash:
        problem = why_plex_gets_no_photos(stash)
    if problem:
        return Check(name, Verdict.WARNING, problem, "Or set sync_performer_photos = false.")
    return Check(name, Verdict.OK, f"Stash gives them without a key; Plex is told to ask {photo_address(settings)}")


def _check_stores(installation: Installation) -> Iterator[Check]:
    count = installation.dead_letters.count()
    if count:
        yield Check("dead letters", Verdict.WARNING, f"{count} jobs were given up", "See `scenesync dlq list`.")


def _check_plex(installation: Installation) -> Iterator[Check]:
    settings, plex = installation.settings, installation.plex
    try:
        identity = plex.identity()
        yield Check("plex", Verdict.OK, f"version {identity.version} at {settings.plex_url}")
        existing = plex.libraries()
        yield Check("plex token", Verdict.OK, "accepted")
        chosen = choose_libraries(existing, settings.plex_libraries)
        if not chosen:
            yield Check("plex libraries", Verdict.FAILED, "the server has no movie library", "Create one in Plex.")
            return
        yield Check("plex libraries", Verdict.OK, ", ".join(library.title for library in chosen))
        yield _check_notifications(installation)
        index = installation.session(identity).index
        index.refresh()
    except (TransientError, PermanentError) as error:
        yield Check("plex", Verdict.FAILED, str(error), "Check plex_url, plex_token and plex_libraries.")
        return
    yield _check_paths(installation, index)


def _check_notifications(installation: Installation) -> Check:
    name = "plex notifications"
    if not installation.settings.plex_notifications:
        return Check(name, Verdict.OK, "off (plex_notifications): Plex is looked at every poll_interval instead")
    try:
        with plex_notifications(installation.settings, Memory(installation.database).client_identifier()).open():
            return Check(name, Verdict.OK, "the websocket opens")
    except (TransientError, PermanentError) as error:
        cure = "Plex is looked at every poll_interval instead; plex_notifications = false ends the attempts."
        return Check(name, Verdict.WARNING, str(error), cure)


def _check_paths(installation: Installation, index: LibraryIndex) -> Check:
    try:
        judged = judge_paths(installation.stash, index, installation.settings)
    except (TransientError, PermanentError) as error:
        return Check("path mapping", Verdict.WARNING, f"not checked, Stash cannot be asked: {error}")
    verdict = {None: Verdict.WARNING, True: Verdict.OK, False: Verdict.FAILED}[judged.is_good]
    return Check("path mapping", verdict, judged.finding, judged.cure, judged.path_map)
