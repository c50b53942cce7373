"""Open the files of an installation alone, without the servers: for looking and for putting jobs into the queue."""

from __future__ import annotations

import contextlib
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from scenesync.app.backup.making import back_up_before_migration
from scenesync.app.configuration.marks import leave_mark
from scenesync.app.data_directory import database_file, make_data_dir, queue_folder
from scenesync.app.distributed.loading import engines, shared_address
from scenesync.app.routes.own_state import require_own_state
from scenesync.disk.ownership import hand_over_all
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.of_server import queue_of, view_of
from scenesync.queue.read_only import read_queue
from scenesync.queue.schema import FILE_NAME as QUEUE_FILE
from scenesync.queue.snapshot import read_snapshot
from scenesync.store.database import Database, open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scenesync.app.settings import Settings
    from scenesync.queue.port import Queue, QueueView
    from scenesync.queue.records import QueueSnapshot

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Otherwise = TypeVar("Otherwise")


def _note_lost_queue(data_dir: Path) -> None:
    """Leave a mark, as a damaged file would be one, if the queue is gone although there was an installation here."""
    file = queue_folder(data_dir) / QUEUE_FILE
    if not database_file(data_dir).exists() or (file.exists() and file.stat().st_size > 0):
        return
    log.error("the queue file %s is missing or empty although it was in use: what waited in it is not known", file)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.with_name(f"{file.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(time.time()))}-lost").touch(0o600)


def queue_at(settings: Settings, *, auto_resume: bool, repairs: bool) -> Queue:
    """Open the queue, to be closed by the caller; with ``auto_resume`` the jobs of the dead are taken over.

    Raises QueueError, SettingsError, OSError.
    """
    if (address := shared_address(settings)) is not None:
        return queue_of(_server(settings), engines().open_queue(*address, takes_over=auto_resume))
    return queue_of(_server(settings), embedded_queue_at(settings, auto_resume=auto_resume, repairs=repairs))


def _server(settings: Settings) -> str:
    """Return what jobs are marked with: the name of their Stash, "" for the first one's."""
    return "" if settings.place is None else settings.place.server


def embedded_queue_at(settings: Settings, *, auto_resume: bool, repairs: bool) -> EmbeddedQueue:
    """Open the queue in the data directory, wherever jobs are worked on. Raises QueueError, OSError."""
    _note_lost_queue(settings.data_dir)
    leave_mark(settings)
    queue = EmbeddedQueue(
        queue_folder(settings.data_dir),
        auto_resume=auto_resume,
        journal=journal_of(settings),
        liveness="lease" if settings.network_share else "lock",
        repairs=repairs,
    )
    hand_over_all(str(settings.data_dir))
    return queue


def journal_of(settings: Settings) -> Literal["wal", "truncate"]:
    """Return how both files keep what is not committed yet."""
    return "truncate" if settings.network_share else "wal"


@contextlib.contextmanager
def open_queue(settings: Settings, *, repairs: bool = False) -> Iterator[Queue]:
    """Open the queue for changing it, without taking over anybody's jobs; ``look_into_queue`` is for looking.

    A damaged file is moved aside only by who ``repairs``: who works. Raises QueueError, OSError.
    """
    make_data_dir(settings.data_dir)
    with contextlib.closing(queue_at(settings, auto_resume=False, repairs=repairs)) as queue:
        yield queue


def open_state(settings: Settings, *, repairs: bool = False) -> Database:
    """Open everything but the queue, to be closed by the caller; ``repairs`` as for ``open_installation``.

    What an older SceneSync left is backed up before it is migrated. Raises StoreError, SettingsError, OSError.
    """
    make_data_dir(settings.data_dir)
    leave_mark(settings)
    if (address := shared_address(settings)) is not None:
        shared = engines().open_state(*address, read_only=False)
        assert shared is not None  # noqa: S101 - only a look may find nothing
        require_own_state(shared, settings)
        return shared
    return embedded_state(settings, repairs=repairs)


def embedded_state(settings: Settings, *, repairs: bool = False) -> Database:
    """Open the state in the data directory, wherever it is kept now. Raises StoreError, OSError."""
    database = open_database(
        database_file(settings.data_dir),
        journal=journal_of(settings),
        repair=repairs,
        before_migration=partial(back_up_before_migration, settings),
    )
    hand_over_all(str(settings.data_dir))
    return database


def look_into_queue(settings: Settings, question: Callable[[QueueView], Answer], *, checked: bool = True) -> Answer:
    """Return the answer to ``question`` about the queue, about an empty one where there is none; nothing is changed.

    ``checked`` has a file's structure looked through first. Raises QueueError, SettingsError.
    """
    folder = queue_folder(settings.data_dir)

    def answer(view: QueueView) -> Answer:
        return question(view_of(_server(settings), view))

    if (address := shared_address(settings)) is not None:
        return engines().look_into_queue(*address, str(folder), answer)
    return read_queue(folder, answer, checked=checked)


def queue_figures(settings: Settings) -> QueueSnapshot:
    """Return the queue in figures, zeros where there is none; nothing is changed. Raises QueueError, SettingsError."""
    folder = queue_folder(settings.data_dir)
    if (address := shared_address(settings)) is not None:
        return engines().read_figures(*address, str(folder))
    return read_snapshot(folder)


def read_state(settings: Settings) -> Database | None:
    """Open everything but the queue for looking, to be closed by the caller; None if there is nothing to be seen.

    Nothing is made or changed. Raises StoreError, SettingsError.
    """
    if (address := shared_address(settings)) is not None:
        return engines().open_state(*address, read_only=True)
    return open_database(database_file(settings.data_dir), read_only=True)


def look_into_state(
    settings: Settings, question: Callable[[Database], Answer], *, otherwise: Otherwise
) -> Answer | Otherwise:
    """Return the answer to ``question`` about everything but the queue, ``otherwise`` if there is nothing to be seen.

    Nothing is made or changed. Raises StoreError, SettingsError.
    """
    database = read_state(settings)
    if database is None:
        return otherwise
    with database:
        return question(database)
