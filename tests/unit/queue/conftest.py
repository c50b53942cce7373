import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from private_postgres import PrivatePostgres, database_for_queue
from queue_engines import DISTRIBUTED, EMBEDDED

from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.port import Letters, Queue

Job = dict[str, Any]


@pytest.fixture
def queue_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a queue that is not there yet, with a temporary folder of its own."""
    temporary = tmp_path / "system-tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return tmp_path / "data" / "queue"


@pytest.fixture(scope="session")
def database_url(postgres: PrivatePostgres) -> str:
    """A database that is ready to be a queue, one for all tests of this process."""
    url = database_for_queue(postgres, "queue")
    with psycopg.connect(postgres.url()) as connection:  # what tests look into is where the queue lies
        connection.execute("ALTER DATABASE queue SET search_path = scenesync")
    return url


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    """That database; a test leaves nothing behind."""
    yield database_url
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "TRUNCATE procrastinate_jobs, procrastinate_workers, scenesync_dead_letters, scenesync_outboxes CASCADE"
        )
        connection.execute("UPDATE scenesync_counters SET value = 0")


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """Which engine the queue of this test has."""
    return getattr(request, "param", EMBEDDED)


@pytest.fixture
def open_queue(engine: str, queue_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Queue]]:
    """Opens queues on the same folder, or the same database; all are closed at the end."""
    url = request.getfixturevalue("empty_database") if engine == DISTRIBUTED else ""
    with contextlib.ExitStack() as stack:

        def open_one(*, auto_resume: bool = True, **options: Any) -> Queue:
            queue: Queue
            if engine == DISTRIBUTED:
                queue = DistributedQueue(url, takes_over=auto_resume, **options)
            else:
                queue = EmbeddedQueue(queue_path, auto_resume=auto_resume, **options)
            stack.callback(queue.close)
            return queue

        yield open_one


@pytest.fixture
def queue(open_queue: Callable[..., Queue]) -> Queue:
    return open_queue()


@pytest.fixture
def letters(queue: Queue) -> Letters:
    return queue.dead_letters


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
