import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scenesync.queue.embedded import EmbeddedQueue

Job = dict[str, Any]


@pytest.fixture
def queue_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a queue that is not there yet, with a temporary folder of its own."""
    temporary = tmp_path / "system-tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return tmp_path / "data" / "queue"


@pytest.fixture
def open_queue(queue_path: Path) -> Iterator[Callable[..., EmbeddedQueue]]:
    """Opens queues on the same folder; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_one(**options: object) -> EmbeddedQueue:
            queue = EmbeddedQueue(queue_path, **options)  # type: ignore[arg-type]
            stack.callback(queue.close)
            return queue

        yield open_one


@pytest.fixture
def queue(open_queue: Callable[..., EmbeddedQueue]) -> EmbeddedQueue:
    return open_queue()


@pytest.fixture
def make_job() -> Callable[..., Job]:
    def make(scene_id: int = 1, **fields: object) -> Job:
        return {
            "scene_id": scene_id,
            "update_type": "metadata",
            "data": {"title": f"Harbour {scene_id}"},
            "enqueued_at": time.time(),
            "job_key": f"scene_{scene_id}",
            **fields,
        }

    return make


@pytest.fixture
def sql(queue_path: Path) -> Callable[..., list[Any]]:
    """Runs a statement on the queue's file from outside, in a connection of its own."""

    def run(statement: str, *values: object) -> list[Any]:
        with contextlib.closing(sqlite3.connect(queue_path / "data.db", isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    return run
