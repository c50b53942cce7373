"""Move an installation from its data directory into a database server, or back: state and queue, verified.

What is written is read again in the same transaction and compared with the source, table by table; only then is it
kept. There is nothing to do where both sides hold the same, state and queue, or where the database was filled from
what the data directory still holds and went on since: that is noted in it. Whoever works on either side would change
it meanwhile, so nobody may.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
import uuid
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scenesync.app.data_directory import DATABASE_FILE, database_file, make_data_dir, worker_lock
from scenesync.app.distributed.moved import Moved, MovedTable, MoveRefused
from scenesync.app.opening import embedded_queue_at, embedded_state, journal_of
from scenesync.disk.ownership import hand_over_all
from scenesync.postgres.address import shown_name
from scenesync.queue import moving as queue_moving
from scenesync.queue.distributed import moving as shared_queue
from scenesync.queue.distributed.sign_of_life import living
from scenesync.store import moving
from scenesync.store.database import Database, open_database
from scenesync.store.dialect import take_your_time
from scenesync.store.memory import Memory
from scenesync.store.replacing import replace_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from scenesync.app.settings import Settings
    from scenesync.queue.embedded import EmbeddedQueue
    from scenesync.queue.moving import Marks, QueueContents

log = logging.getLogger(__name__)

SCRATCH: Final = ".scenesync-move-"
_WORKS_HERE: Final = (
    "SceneSync works in {0}: end the daemon first (in Stash: the task *Stop the daemon*). Nothing was changed."
)
_WORKS_THERE: Final = "{0} workers are at work with the database {1}: end them first. Nothing was changed."
_NOT_EMPTY: Final = (
    "The database {0} holds another state already, or this one has changed since it was moved there. Nothing was "
    "changed. `--replace` deletes what is there, and moves what is here."
)


def into_database(settings: Settings, url: str, shared: Database, *, replace: bool) -> Moved:
    """Fill ``shared``, whose tables are up to date, from the data directory, whose queue is then empty.

    Raises MoveRefused, StoreError, QueueError, OSError.
    """
    began, name = time.monotonic(), shown_name(url)
    with (
        _nobody_works(settings),
        closing(embedded_queue_at(settings, auto_resume=True, repairs=True)) as queue,
        embedded_state(settings) as state,
    ):
        while queue.take_in_spool():
            pass
        with queue.writing() as file:  # all of one moment: what a hook puts from now on is another event
            moved_at = time.time()
            contents, marks = queue_moving.read_file(file)
        filling = _filling_of(state)
        with state.reading() as source, _filling(shared) as (target, raw):
            _require_nobody(raw, name)
            tables = _sums(source, contents)
            note, changed = _note_in(shared), False
            if note is None or note["state"] != _as_note(tables) or note.get("of") != filling:
                changed = tables != _sums(target, shared_queue.read(raw))
                if changed:
                    _refill_database(target, raw, source, contents, replace=replace, name=name)
                note = _note(tables, marks, moved_at, filling)
                Memory(shared).note(moving.TAKEN_OVER, json.dumps(note))
        # Killed before this last step, a first move may have left what it moved.
        with queue.writing() as file:
            queue_moving.forget_moved(file, queue_moving.Marks(*note["rows"]), note["at"])
    log.info("state and queue moved to=%s changed=%s", name, changed)
    moved = [MovedTable(*each) for each in note["tables"]]
    return Moved(name, moved, changed=changed, seconds=time.monotonic() - began)


def into_directory(settings: Settings, url: str, shared: Database) -> Moved:
    """Make state and queue of the data directory anew from ``shared``, which stays as it is.

    The state store that was there is kept beside it. Raises MoveRefused, StoreError, QueueError, OSError.
    """
    began, name = time.monotonic(), shown_name(url)
    make_data_dir(settings.data_dir)
    with _nobody_works(settings), shared.reading() as source:
        take_your_time(source)
        raw = _driver(source)
        _require_nobody(raw, name)
        contents = shared_queue.read(raw)
        tables = _sums(source, contents)
        if _holds(settings, tables):
            return Moved(str(settings.data_dir), tables, changed=False, seconds=time.monotonic() - began)
        note = {"state": _as_note(tables), "id": uuid.uuid4().hex}
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=settings.data_dir) as scratch:
            staged = Path(scratch) / DATABASE_FILE
            with open_database(staged, journal=journal_of(settings), repair=False) as state:
                with state.transaction() as target:
                    _refill(target, source)
                Memory(state).note(moving.TAKEN_OVER, json.dumps(note))
            with closing(embedded_queue_at(settings, auto_resume=True, repairs=True)) as queue:
                _fill_file(queue, contents)
            kept = replace_database(database_file(settings.data_dir), staged)
        hand_over_all(str(settings.data_dir))
    log.info("state and queue moved from=%s", name)
    return Moved(str(settings.data_dir), tables, changed=True, seconds=time.monotonic() - began, kept=kept)


@contextmanager
def _nobody_works(settings: Settings) -> Iterator[None]:
    make_data_dir(settings.data_dir)
    lock = worker_lock(settings.data_dir)
    if not lock.acquire():
        raise MoveRefused(_WORKS_HERE.format(settings.data_dir))
    try:
        yield
    finally:
        lock.release()


def _require_nobody(raw: Any, name: str) -> None:  # noqa: ANN401 - the driver's connection
    alive = living(raw)
    if alive:
        raise MoveRefused(_WORKS_THERE.format(alive, name))


@contextmanager
def _filling(shared: Database) -> Iterator[tuple[Connection, Any]]:
    """Give a connection, and the driver's under it, in one transaction for state and queue."""
    with shared.transaction() as connection:
        take_your_time(connection)
        yield connection, _driver(connection)


def _driver(connection: Connection) -> Any:  # noqa: ANN401 - the driver's connection
    return connection.connection.driver_connection


def _is_empty(target: Connection, raw: Any) -> bool:  # noqa: ANN401 - the driver's connection
    return moving.is_empty(target) and shared_queue.read(raw).is_empty


def _refill_database(
    target: Connection,
    raw: Any,  # noqa: ANN401 - the driver's connection
    source: Connection,
    contents: QueueContents,
    *,
    replace: bool,
    name: str,
) -> None:
    """Let the database hold this alone. Raises MoveRefused if something else is there, unless ``replace``."""
    if not replace and not _is_empty(target, raw):
        raise MoveRefused(_NOT_EMPTY.format(name))
    _refill(target, source)
    shared_queue.clear(raw)
    shared_queue.write(raw, contents, time.time())
    _verify_queue(contents, shared_queue.read(raw))
    moving.analyse(target)
    shared_queue.analyse(raw)


def _refill(target: Connection, source: Connection) -> None:
    """Copy every table of the state, and read it again. Raises MoveRefused if it is not the same."""
    moving.empty(target)
    for table in moving.moved_tables():
        there = moving.Sum()
        moving.fill(target, table, there.passing(moving.rows_of(source, table)))
        _verify(table.name, there, moving.sum_of(target, table))


def _fill_file(queue: EmbeddedQueue, contents: QueueContents) -> None:
    """Let the file hold what is moved, and what hooks left in it while it was an outbox."""
    while queue.take_in_spool():
        pass
    with queue.writing() as file:
        here, _ = queue_moving.read_file(file)
        wanted = queue_moving.joined(contents, here)
        queue_moving.write_file(file, wanted)
        _verify_queue(wanted, queue_moving.read_file(file)[0])


def _verify_queue(wanted: QueueContents, written: QueueContents) -> None:
    for before, after in zip(_sums_of_queue(wanted), _sums_of_queue(written), strict=True):
        _verify(before.name, before, after)


def _verify(name: str, there: moving.Sum | MovedTable, here: moving.Sum | MovedTable) -> None:
    if (there.rows, there.checksum) != (here.rows, here.checksum):
        raise MoveRefused(
            f"What was written of {name} is not what was read ({there.rows} rows {there.checksum}, then {here.rows} "
            f"rows {here.checksum}); all of it was taken back."
        )


def _sums(state: Connection, queue: QueueContents) -> list[MovedTable]:
    return [*_sums_of_state(state), *_sums_of_queue(queue)]


def _sums_of_state(connection: Connection) -> list[MovedTable]:
    sums = [(table.name, moving.sum_of(connection, table)) for table in moving.moved_tables()]
    return [MovedTable(name, total.rows, total.checksum) for name, total in sums]


def _sums_of_queue(contents: QueueContents) -> list[MovedTable]:
    found = []
    for name, rows in contents.tables():
        total = moving.Sum()
        for row in rows:
            total.add(row)
        found.append(MovedTable(name, total.rows, total.checksum))
    return found


def _note(tables: Sequence[MovedTable], marks: Marks, at: float, filling: str | None) -> dict[str, Any]:
    return {
        "state": _as_note(tables),
        "tables": [[each.name, each.rows, each.checksum] for each in tables],
        "rows": list(marks),
        "at": at,
        "of": filling,
    }


def _filling_of(state: Database) -> str | None:
    """Return which move made this state store, None if none did: what was noted before of its queue tells nothing."""
    filling: str | None = (_note_in(state) or {}).get("id")
    return filling


def _holds(settings: Settings, tables: Sequence[MovedTable]) -> bool:
    """Say whether the data directory holds this and nothing else, state and queue, as both are now."""
    database = open_database(database_file(settings.data_dir), read_only=True)
    if database is None:
        return False
    with (
        database,
        database.reading() as state,
        closing(embedded_queue_at(settings, auto_resume=True, repairs=True)) as queue,
    ):
        while queue.take_in_spool():
            pass
        with queue.writing() as file:
            return _sums(state, queue_moving.read_file(file)[0]) == tables


def _as_note(tables: Sequence[MovedTable]) -> dict[str, list[Any]]:
    return {each.name: [each.rows, each.checksum] for each in tables if not each.name.startswith("queue: ")}


def _note_in(database: Database) -> dict[str, Any] | None:
    text = Memory(database).recall(moving.TAKEN_OVER)
    return json.loads(text) if text else None
