"""Read the data folder of Stash2Plex, another tool of this kind: what waits, what was given up, when it synced what.

It keeps jobs in ``queue/data.db`` (a table of persist-queue with pickled rows), dead letters in ``dlq.db`` (pickled
too) and times in ``sync_timestamps.json``. Everything is opened for reading alone, and no pickle is ever run.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from scenesync.disk import reading
from scenesync.intake.plain_pickle import NotPlain, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

QUEUE_FILE: Final = "data.db"
LETTERS_FILE: Final = "dlq.db"
TIMES_FILE: Final = "sync_timestamps.json"
LARGEST_TIMES_BYTES: Final = 256 * 1024 * 1024
LONGEST_TEXT: Final = 20_000
LATEST_S: Final = 4_102_444_800.0
"""The year 2100 in epoch seconds: a later time of a sync is damage, or milliseconds."""
_TIMEOUT_S: Final = 5.0

# Jobs that wait (0, 1) or were in hand when the tool last ended (2); done and failed ones have higher numbers.
_JOBS: Final = "SELECT _id, data FROM ack_queue_default WHERE status < 3 ORDER BY _id"
_LETTERS: Final = """
    SELECT id, scene_id, job_data, error_type, error_message, stack_trace, retry_count, failed_at
    FROM dead_letters ORDER BY id"""
_HAS_TABLE: Final = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
_TOKEN: Final = re.compile(r"(?i)(x-plex-token[\"']?\s*[=:]\s*[\"']?|apikey[\"']?\s*[=:]\s*[\"']?)[\w.\-]+")


class FolderUnusable(ValueError):
    """A folder is not the data folder of that tool, or a file in it cannot be read; the text says what to do."""


@dataclass(frozen=True, slots=True)
class WaitingScene:
    """A scene for which a job waits; ``hint`` is what the job knew of it (title, path)."""

    row_id: int
    scene_id: int
    hint: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A dead letter; ``failed_at`` in epoch seconds."""

    row_id: int
    scene_id: int
    error_type: str
    message: str
    traceback: str
    attempts: int
    failed_at: float
    hint: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LeftThere:
    """An entry that is not taken over, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class OtherTool:
    """What the folder holds. ``synced_at`` has the epoch seconds of the last sync by scene."""

    folder: Path
    waiting: tuple[WaitingScene, ...]
    given_up: tuple[GivenUp, ...]
    synced_at: Mapping[int, float]
    left_there: tuple[LeftThere, ...]


def read_folder(folder: Path) -> OtherTool:
    """Return what the tool left in ``folder``: its data folder, or the plugin's folder around it.

    Raises FolderUnusable.
    """
    data = _data_folder(folder)
    left: list[LeftThere] = []
    waiting = tuple(_waiting(data / "queue" / QUEUE_FILE, left))
    letters = next((path for path in (data / LETTERS_FILE, data / "queue" / LETTERS_FILE) if path.is_file()), None)
    given_up = tuple(_given_up(letters, left)) if letters is not None else ()
    return OtherTool(data, waiting, given_up, _synced_at(data, left), tuple(left))


def _data_folder(folder: Path) -> Path:
    folder = folder.resolve()
    for candidate in (folder, folder / "data", folder.parent):
        known = (candidate / "queue" / QUEUE_FILE, candidate / LETTERS_FILE, candidate / TIMES_FILE)
        if (candidate != folder.parent or folder.name == "queue") and any(path.is_file() for path in known):
            return candidate
    raise FolderUnusable(
        f"{folder} is no data folder of Stash2Plex: there is no queue/{QUEUE_FILE}, {LETTERS_FILE} or {TIMES_FILE} in "
        f"it. It is mostly plugins/Stash2Plex/data in Stash's own folder."
    )


def _waiting(path: Path, left: list[LeftThere]) -> Iterator[WaitingScene]:
    for row_id, data in _rows(path, "ack_queue_default", _JOBS):
        where = f"queue/{QUEUE_FILE} row {row_id}"
        if _is_undecodable([data], where, left):
            continue
        job = _job(data, where, left)
        if job is None:
            continue
        scene_id = _scene_id(job.get("scene_id"))
        if scene_id is None:
            left.append(LeftThere(where, "it names no scene"))
        else:
            yield WaitingScene(row_id, scene_id, _hint(job))


def _given_up(path: Path, left: list[LeftThere]) -> Iterator[GivenUp]:
    for row_id, scene, data, error_type, message, trace, retries, failed_at in _rows(path, "dead_letters", _LETTERS):
        where = f"{LETTERS_FILE} letter {row_id}"
        if _is_undecodable([scene, data, error_type, message, trace, retries, failed_at], where, left):
            continue
        job = _job(data, where, left)
        if job is None:
            continue
        scene_id = _scene_id(scene) or _scene_id(job.get("scene_id"))
        if scene_id is None:
            left.append(LeftThere(where, "it names no scene"))
            continue
        yield GivenUp(
            row_id=row_id,
            scene_id=scene_id,
            error_type=_text(error_type) or "UnknownError",
            message=_text(message),
            traceback=_text(trace),
            attempts=retries + 1 if isinstance(retries, int) and retries >= 0 else 1,
            failed_at=_moment(failed_at),
            hint=_hint(job),
        )


def _rows(path: Path, table: str, statement: str) -> Iterator[tuple[Any, ...]]:
    if not path.is_file():
        return
    try:
        with closing(reading.connect(path, timeout_s=_TIMEOUT_S)) as connection:
            connection.text_factory = _decoded
            if connection.execute(_HAS_TABLE, (table,)).fetchone() == (1,):
                yield from connection.execute(statement)
    except (sqlite3.Error, OSError) as error:
        raise FolderUnusable(f"{path} cannot be read ({error}). Is the other tool still running? Stop it.") from error


class _Undecodable:
    """Stands for a text that is not UTF-8: SQLite stores whatever it is given."""


def _decoded(text: bytes) -> str | _Undecodable:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return _Undecodable()


def _is_undecodable(values: Sequence[object], where: str, left: list[LeftThere]) -> bool:
    """Say whether a text of an entry cannot be read, and note in ``left`` that it is not taken over."""
    is_damaged = any(isinstance(value, _Undecodable) for value in values)
    if is_damaged:
        left.append(LeftThere(where, "a text in it is no UTF-8"))
    return is_damaged


def _job(data: object, where: str, left: list[LeftThere]) -> Mapping[str, Any] | None:
    """Return a job, from a pickle or (as later versions might) JSON; None for one that was noted in ``left``."""
    try:
        job = json.loads(data) if isinstance(data, str) else read_plain(data) if isinstance(data, bytes) else None
    except (NotPlain, ValueError, RecursionError) as error:
        left.append(LeftThere(where, str(error) if isinstance(error, NotPlain) else "it is damaged"))
        return None
    if not isinstance(job, dict):
        left.append(LeftThere(where, "it is no job"))
        return None
    return job


def _synced_at(data: Path, left: list[LeftThere]) -> Mapping[int, float]:
    path = next((each for each in (data / TIMES_FILE, data / "queue" / TIMES_FILE) if each.is_file()), None)
    if path is None:
        return {}
    try:
        if path.stat().st_size > LARGEST_TIMES_BYTES:
            raise ValueError("too large")  # noqa: TRY301 - told like any other damage
        document = json.loads(path.read_bytes())
        times = {_scene_id(key): at for key, at in document.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        left.append(LeftThere(TIMES_FILE, "it is damaged"))
        return {}
    return {
        scene_id: float(at)
        for scene_id, at in times.items()
        if scene_id is not None and isinstance(at, int | float) and not isinstance(at, bool) and 0 < at < LATEST_S
    }


def _scene_id(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    is_number = text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004 - what SQLite's integers hold
    return int(text) or None if is_number else None


def _hint(job: Mapping[str, Any]) -> Mapping[str, str]:
    data = job.get("data")
    known = data if isinstance(data, dict) else {}
    return {key: text for key in ("path", "title") if (text := _text(known.get(key)))}


def _text(value: object) -> str:
    """Return a text that may be kept and shown: of bounded length, and without tokens that errors like to quote."""
    if not isinstance(value, str):
        return ""
    clean = value[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
    return _TOKEN.sub(r"\1***", clean)


def _moment(value: object) -> float:
    """Return SQLite's CURRENT_TIMESTAMP (UTC) as epoch seconds, 0 if it is none."""
    try:
        return datetime.fromisoformat(str(value)).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
