"""A data folder as Stash2Plex leaves it, made with the very library that it uses, and content of our own."""

from __future__ import annotations

import json
import pickle
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from persistqueue import SQLiteAckQueue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LETTERS = """
    CREATE TABLE IF NOT EXISTS dead_letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT, job_id INTEGER, scene_id INTEGER, job_data BLOB, error_type TEXT,
        error_message TEXT, stack_trace TEXT, retry_count INTEGER, failed_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"""


class OtherTool:
    """The tool, as far as it writes files. ``folder`` is its data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def enqueue(self, *scene_ids: object, **data: object) -> None:
        """Put jobs into its queue."""
        for scene_id in scene_ids:
            self.put({"pqid": 1, "scene_id": scene_id, "update_type": "metadata", "data": data, "enqueued_at": 1.7e9})

    def put(self, job: object) -> None:
        queue = SQLiteAckQueue(str(self.folder / "queue"), auto_resume=False, multithreading=True)
        queue.put(job)
        queue.close()

    def finish_first(self) -> None:
        """Work off one job, and take the next one in hand."""
        queue = SQLiteAckQueue(str(self.folder / "queue"), auto_resume=False, multithreading=True)
        queue.ack(queue.get())
        queue.get()
        queue.close()

    def give_up(self, scene_id: int, message: str, *, error: str = "PlexNotFound", job: object = None) -> None:
        """Write a dead letter."""
        data = pickle.dumps({"job_id": 1, "scene_id": scene_id, "data": {}} if job is None else job)
        with closing(sqlite3.connect(self.folder / "dlq.db")) as connection:
            connection.execute(_LETTERS)
            values = (1, scene_id, data, error, message, "Traceback: invented", 4)
            connection.execute(
                "INSERT INTO dead_letters (job_id, scene_id, job_data, error_type, error_message, stack_trace, "
                "retry_count, failed_at) VALUES (?, ?, ?, ?, ?, ?, ?, '2026-02-03 04:05:06')",
                values,
            )
            connection.commit()

    def synced(self, times: Mapping[Any, Any]) -> None:
        """Write down when scenes were synced."""
        (self.folder / "sync_timestamps.json").write_text(json.dumps(times), encoding="utf-8")

    def content(self) -> dict[str, bytes]:
        """Return every file, to see that none is changed."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }
