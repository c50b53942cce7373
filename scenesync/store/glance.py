"""A quick look at the state store with the standard library alone: Stash's own Python, which has no other, looks too.

It reads what the other modules here write, a few rows at a time, and changes nothing. A file of an older version that
lacks a table is an error.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scenesync.disk import reading

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TIMEOUT_S: Final = 2.0
LATEST_SHOWN: Final = 10

# Where a scene was last found to stand, with whichever server that was.
STANDING: Final = """
    SELECT server_id, state, at, detail, rating_keys FROM scene_state WHERE scene_id = ? ORDER BY at DESC LIMIT 1"""

# The items that were written for a scene.
ITEMS: Final = "SELECT DISTINCT rating_key FROM baseline WHERE server_id = ? AND scene_id = ? ORDER BY rating_key"

# When something was last written for a scene.
WRITTEN_AT: Final = "SELECT MAX(started_at + duration_s) FROM attempt WHERE scene_id = ? AND outcome = 'synced'"

# Since when a scene is held, because it was undone.
HELD_SINCE: Final = "SELECT since FROM hold WHERE server_id = ? AND scene_id = ?"

# Which servers can be reached.
REACHABILITY: Final = "SELECT service, reachability FROM service_state WHERE service IN ('plex', 'stash')"

# Why work waits for a person.
PAUSED_BY: Final = "SELECT message FROM pause ORDER BY since LIMIT 1"

# How many runs were stopped for a person.
STOPPED_RUNS: Final = "SELECT COUNT(*) FROM automatic_run WHERE reason <> ''"

# The server that scenes were last held against.
LATEST_SERVER: Final = "SELECT server_id FROM scene_state ORDER BY at DESC LIMIT 1"

# How many scenes stand where with a server.
COUNTS: Final = "SELECT state, COUNT(*) FROM scene_state WHERE server_id = ? GROUP BY state"

# What was done last, with what the scenes are called.
LATEST: Final = """
    SELECT attempt.scene_id, attempt.outcome, attempt.started_at, attempt.message, COALESCE(scene_state.title, '')
    FROM attempt LEFT JOIN scene_state
        ON scene_state.server_id = ? AND scene_state.scene_id = attempt.scene_id
    WHERE attempt.scene_id > 0 ORDER BY attempt.id DESC LIMIT ?"""


@dataclass(frozen=True)
class SceneGlance:
    """Where a scene stands; times in epoch seconds. ``written_at`` is None if nothing is known to have been written."""

    server_id: str
    state: str
    at: float
    detail: str
    rating_keys: tuple[str, ...]
    written_at: float | None
    held_since: float | None


@dataclass(frozen=True)
class DoneLately:
    """One of the latest attempts; ``at`` is when it began (epoch seconds)."""

    scene_id: int
    outcome: str
    at: float
    message: str
    title: str


@dataclass(frozen=True)
class StoreGlance:
    """How things stand, as far as the store knows; ``paused`` is why work waits for a person, "" if it does not."""

    reachability: Mapping[str, str]
    paused: str
    stopped_runs: int
    counts: Mapping[str, int]
    latest: tuple[DoneLately, ...]


NOTHING: Final = StoreGlance({}, "", 0, {}, ())


def glance_at_scene(file: Path, scene_id: int) -> SceneGlance | None:
    """Return where the scene stands, None if nothing is known of it. Raises sqlite3.Error, OSError."""
    with _looking(file) as connection:
        row = None if connection is None else connection.execute(STANDING, (scene_id,)).fetchone()
        if connection is None or row is None:
            return None
        server_id, state, at, detail, keys = row
        written = tuple(str(key) for (key,) in connection.execute(ITEMS, (server_id, scene_id)))
        return SceneGlance(
            server_id=server_id,
            state=state,
            at=at,
            detail=detail,
            rating_keys=written or tuple(json.loads(keys)),
            written_at=_first(connection, WRITTEN_AT, scene_id),
            held_since=_first(connection, HELD_SINCE, server_id, scene_id),
        )


def glance_at_store(file: Path) -> StoreGlance:
    """Return how things stand; nothing where there is no store yet. Raises sqlite3.Error, OSError."""
    with _looking(file) as connection:
        if connection is None:
            return NOTHING
        server_id = _first(connection, LATEST_SERVER)
        return StoreGlance(
            reachability=dict(connection.execute(REACHABILITY).fetchall()),
            paused=_first(connection, PAUSED_BY) or "",
            stopped_runs=_first(connection, STOPPED_RUNS) or 0,
            counts=dict(connection.execute(COUNTS, (server_id,)).fetchall()),
            latest=tuple(DoneLately(*row) for row in connection.execute(LATEST, (server_id, LATEST_SHOWN))),
        )


@contextlib.contextmanager
def _looking(file: Path) -> Iterator[sqlite3.Connection | None]:
    """Give a connection that sees one moment, None where there is no file, or an empty one."""
    try:
        is_there = file.stat().st_size > 0
    except FileNotFoundError:
        is_there = False
    if not is_there:
        yield None
        return
    with contextlib.closing(reading.connect(file, timeout_s=_TIMEOUT_S)) as connection:
        reading.begin(connection)
        yield connection


def _first(connection: sqlite3.Connection, statement: str, *values: object) -> Any:  # noqa: ANN401 - whatever the column holds
    """Return the first column of the first row, None if there is none."""
    row = connection.execute(statement, values).fetchone()
    return None if row is None else row[0]
