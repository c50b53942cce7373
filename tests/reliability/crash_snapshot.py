"""What a queue holds at one moment, as its files show it: read by statements of its own, not by the queue's."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crash_recorded_queue import token_of

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

_ROWS: Final = "SELECT _id, status, owner, data FROM ack_queue_default WHERE status <= 2"
_COMPLETED: Final = "SELECT _id FROM ack_queue_default WHERE status = 5"
_LETTERS: Final = "SELECT id, error_type, job FROM dead_letters"


@dataclass(frozen=True, slots=True)
class Content:
    """A job somewhere; ``place`` is waiting, claimed, letter or spool."""

    place: str
    key: str
    token: str | None
    row_id: int = 0
    owner: str | None = None
    retry_count: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a queue holds; ``structure`` says what SQLite finds wrong with the file."""

    rows: tuple[Content, ...]
    letters: tuple[Content, ...]
    spooled: tuple[Content, ...]
    completed_rows: frozenset[int]
    structure: tuple[str, ...]

    def by_key(self) -> dict[str, list[Content]]:
        found: defaultdict[str, list[Content]] = defaultdict(list)
        for content in (*self.rows, *self.letters, *self.spooled):
            found[content.key].append(content)
        return found

    def claimed_by_others_than(self, process_ids: set[int]) -> list[Content]:
        """Return the jobs in the hands of processes that do not live."""
        return [
            row for row in self.rows if row.place == "claimed" and int(str(row.owner).split("-")[0]) not in process_ids
        ]


def look(connection: sqlite3.Connection, spool_folders: tuple[Path, ...]) -> Snapshot:
    """Return what the queue holds now.

    The spool is read first: an event leaves it only once its row is committed, so it is seen in one of the two.
    """
    spooled = [content for folder in spool_folders for content in _spooled(folder)]
    connection.execute("BEGIN")
    try:
        rows = connection.execute(_ROWS).fetchall()
        completed = frozenset(row_id for (row_id,) in connection.execute(_COMPLETED))
        letters = connection.execute(_LETTERS).fetchall()
        structure = [str(text) for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
    finally:
        connection.execute("ROLLBACK")
    return Snapshot(
        tuple(_content("claimed" if row[1] == 2 else "waiting", row[3], row_id=row[0], owner=row[2]) for row in rows),
        tuple(_content("letter", job, row_id=letter_id, error=error) for letter_id, error, job in letters),
        tuple(spooled),
        completed,
        tuple(structure),
    )


def _spooled(folder: Path) -> list[Content]:
    found = []
    for path in sorted(folder.glob("*.event")) if folder.is_dir() else ():
        try:
            found.append(_content("spool", path.read_bytes()))
        except FileNotFoundError:  # taken in since it was listed, so its row is seen below
            continue
    return found


def _content(place: str, data: bytes, **facts: Any) -> Content:
    job = json.loads(data)
    return Content(place, job["job_key"], token_of(job), retry_count=job.get("retry_count", 0), **facts)
