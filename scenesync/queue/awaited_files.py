"""Which jobs wait for which file, found by an index whatever else waits.

A job whose file Plex did not know keeps the file's name in ``file_key``, in the form in which names are compared.
SQLite cannot compute that form, so a trigger empties the column when the job changes, and it is filled in here: when
the worker puts a job back, and for rows that others wrote when somebody asks.
"""

# ruff: noqa: S608 (statements here are put together from names of this module, never from a value)

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from scenesync.domain.batches import batched
from scenesync.domain.paths import name_key
from scenesync.queue.schema import PAUSE_S

Access = Callable[[], AbstractContextManager[sqlite3.Connection]]

BATCH_ROWS: Final = 500
_NOT_SAID: Final = ""  # what it waits for the job does not say: its time will come

_WAITS_FOR_A_FILE: Final = "status < 2 AND last_error_type = 'PlexNotFound'"
UNNOTED: Final = f"""
    SELECT _id,
        CASE WHEN json_type(CAST(data AS TEXT), '$.data.path') = 'text'
             THEN json_extract(CAST(data AS TEXT), '$.data.path') END
    FROM ack_queue_default WHERE {_WAITS_FOR_A_FILE} AND file_key IS NULL LIMIT {BATCH_ROWS}"""
_NOTE: Final = "UPDATE ack_queue_default SET file_key = ? WHERE _id = ?"
ASLEEP: Final = f"""
    SELECT _id FROM ack_queue_default
    WHERE {_WAITS_FOR_A_FILE} AND file_key = ? AND due_at > ?"""
# The time goes in as JSON text: json_set would cut a float to 15 digits, which may lie after `now`.
WAKE: Final = f"""
    UPDATE ack_queue_default
    SET data = CAST(json_set(CAST(data AS TEXT), '$.next_retry_at', json(:now_json)) AS BLOB)
    WHERE _id = :row_id AND {_WAITS_FOR_A_FILE} AND due_at > :now"""


def note(connection: sqlite3.Connection, row_id: int, job: Mapping[str, Any]) -> None:
    """Keep with a row which file its job waits for, if it does."""
    if job.get("last_error_type") == "PlexNotFound":
        data = job.get("data")
        path = data.get("path") if isinstance(data, dict) else None
        connection.execute(_NOTE, (_key_of(path), row_id))


def wake_all(reading: Access, working: Access, file_keys: Iterable[str]) -> int:
    """Make due at once the jobs that wait for a file of one of these names; return how many.

    ``working`` gives a connection inside a transaction, ``reading`` one to read from. Transactions are short.
    """
    _note_what_others_wrote(reading, working)
    now = time.time()
    asleep: list[int] = []
    for keys in batched(file_keys, BATCH_ROWS):
        with reading() as connection:
            asleep += _asleep(connection, keys, now)
    woken = 0
    for row_ids in batched(asleep, BATCH_ROWS):
        with working() as connection:
            woken += sum(connection.execute(WAKE, _values(row_id, now)).rowcount for row_id in row_ids)
        if len(row_ids) == BATCH_ROWS:
            time.sleep(PAUSE_S)
    return woken


def _note_what_others_wrote(reading: Access, working: Access) -> None:
    while True:
        with reading() as connection:
            if connection.execute(UNNOTED).fetchone() is None:
                return
        with working() as connection:  # looked at again: by now the job may be another
            rows = connection.execute(UNNOTED).fetchall()
            connection.executemany(_NOTE, [(_key_of(path), row_id) for row_id, path in rows])
        if len(rows) == BATCH_ROWS:
            time.sleep(PAUSE_S)


def _asleep(connection: sqlite3.Connection, file_keys: Sequence[str], now: float) -> list[int]:
    return [row_id for key in file_keys if key for (row_id,) in connection.execute(ASLEEP, (key, now)).fetchall()]


def _values(row_id: int, now: float) -> dict[str, object]:
    return {"row_id": row_id, "now": now, "now_json": repr(now)}


def _key_of(path: object) -> str:
    return name_key(path) if isinstance(path, str) else _NOT_SAID
