"""Worker processes on one queue, wherever that lies; and queues filled behind their backs."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote, urlencode

import psycopg
import urllib3

from bench.child import SPAWN
from bench.fleet_state import note_edits
from scenesync.queue.distributed import schema
from scenesync.queue.distributed.connections import Server
from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.simulators.postgres import USER
from scenesync.store.postgres import open_shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from bench.address import Address
    from scenesync.queue.port import Queue
    from scenesync.store.database import Database

_POSTGRES: Final = "postgresql://"
_OK: Final = 200
_UNDER_WAY_S: Final = 0.3
# In the form that the queue's own puts give; its triggers tell workers of each row, and there are none to tell.
_FILL: Final = """
    WITH new AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, scheduled_at)
        SELECT %(queue)s, 'scenesync', %(priority)s, 'scenesync:scene_' || n, 'scenesync:scene_' || n,
            now() + make_interval(secs => %(sleep_s)s::float8)
        FROM generate_series(%(first)s::int, %(last)s::int) AS n RETURNING id, lock, scheduled_at)
    INSERT INTO scenesync_jobs (job_id, data, lane, event_at, stored_at, due_at, wakes_at, last_error_type)
    SELECT id, format('{"scene_id": %%s, "job_key": "scene_%%s"}', substr(lock, 17), substr(lock, 17)), 10, 0, 0,
        COALESCE(extract(epoch FROM scheduled_at), 0), scheduled_at, %(error)s
    FROM new"""
_AWAKE: Final = {"queue": "scenesync.bulk", "priority": -10, "sleep_s": None, "error": None}
_ASLEEP: Final = {"queue": "scenesync.asleep", "priority": -1000, "sleep_s": 600.0, "error": "PlexNotFound"}
_FIRST: Final = 10_000_000
_SCENES_OF_EACH: Final = 1_000_000
_SERVES: Final = f"postgres: {USER} ".encode()
# In /proc/PID/stat behind the name: field 4, and 14 and 15 (man 5 proc).
_PARENT: Final = 1
_SPENT: Final = slice(11, 13)


@dataclass(frozen=True, slots=True)
class Task:
    """Work on the queue at ``where``, claiming ``at_once`` jobs; with ``plex`` an edit for each.

    That ends with ``jobs`` of them, or, if there are none, with ``seconds``. Without ``where`` there is no queue, and
    the edits alone are sent.
    """

    where: str
    at_once: int
    jobs: int = 0
    seconds: float = 0.0
    plex: Address | None = None


@dataclass(frozen=True, slots=True)
class Noting:
    """Note the edits of ``at_once`` scenes at a time for ``seconds``, in the state in the database at ``where``."""

    where: str
    seconds: float
    at_once: int


class Workers:
    """``count`` processes that wait to be told what to do, between ``with`` and its end."""

    def __init__(self, count: int) -> None:
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = SPAWN.Pipe()
            process = SPAWN.Process(target=_serve, args=(theirs,), name="bench-worker", daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()

    def rate(self, task: Task | Noting, count: int) -> float:
        """Let ``count`` of them do ``task`` at the same time; return how many jobs or scenes that is in a second.

        Each counts from the common beginning to the end of its own last job, so that none is counted in part.
        """
        pipes = self._pipes[:count]
        for pipe in pipes:
            pipe.send(task)
        for pipe in pipes:
            pipe.recv()  # the queue is open
        begin = time.monotonic() + _UNDER_WAY_S
        for pipe in pipes:
            pipe.send(begin)
        return sum(map(_answer, pipes))


def open_queue(where: str) -> Queue:
    """Open the queue in this folder, or in this database."""
    return DistributedQueue(where) if where.startswith(_POSTGRES) else EmbeddedQueue(where)


def prepare(url: str) -> str:
    """Make an empty database ready to be a queue; return its address."""
    server = Server(url, timeout_s=10)
    schema.prepare(server)
    server.close()
    return url


def fill(url: str, count: int, *, asleep: bool) -> None:
    """Put ``count`` jobs into the queue in a database, due or asleep, behind its back."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        what = {**(_ASLEEP if asleep else _AWAKE), "first": _FIRST + 1, "last": _FIRST + count}
        connection.execute(_FILL.encode(), what)
        connection.execute("ANALYZE procrastinate_jobs, scenesync_jobs")


def spent_s(postgres_pid: int) -> float:
    """Return the processor time of those of PostgreSQL's processes that serve clients, in seconds; Linux only.

    What others do on a busy machine hardly changes it, nor does what PostgreSQL tidies meanwhile.
    """
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            numbers = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(numbers[_PARENT]) == postgres_pid and (folder / "cmdline").read_bytes().startswith(_SERVES):
                ticks += sum(map(int, numbers[_SPENT]))
    return ticks / os.sysconf("SC_CLK_TCK")


def work(queue: Queue, at_once: int, goes_on: Callable[[int], bool], each: Callable[[int], None] | None = None) -> int:
    """Claim and complete jobs, with ``each`` for a scene between, while ``goes_on`` with how many; return that."""
    done = 0
    while goes_on(done):
        claims = queue.claim(at_once)
        if not claims:
            break
        for claimed in claims:
            if not goes_on(done):
                queue.release(claimed)
                continue
            if each is not None:
                each(claimed.scene_id)
            queue.complete(claimed)
            done += 1
    return done


def _answer(pipe: Connection) -> float:
    rate, error = pipe.recv()
    if error:
        raise RuntimeError(f"A worker could not work: {error}")
    return float(rate)


def _serve(pipe: Connection) -> None:
    with pipe, contextlib.suppress(EOFError):
        while True:
            task: Task | Noting = pipe.recv()
            if isinstance(task, Noting):
                with open_shared(task.where) as state:
                    pipe.send(_note(task, state, _begin(pipe)))
                continue
            with contextlib.ExitStack() as stack:
                queue = stack.enter_context(contextlib.closing(open_queue(task.where))) if task.where else None
                if queue is not None:
                    queue.wait_for_change(0, threading.Event())  # known as a worker from now on
                each = stack.enter_context(_editing(task.plex)) if task.plex else None
                pipe.send(_do(task, queue, each, _begin(pipe)))


def _begin(pipe: Connection) -> float:
    """Say that we are ready, and return once it is the common beginning."""
    pipe.send("ready")
    begin: float = pipe.recv()
    time.sleep(max(0.0, begin - time.monotonic()))
    return begin


def _note(task: Noting, state: Database, begin: float) -> tuple[float, str]:
    first = os.getpid() % 1000 * _SCENES_OF_EACH  # the scenes of each process are its own
    try:
        done = note_edits(state, task.at_once, first, lambda: time.monotonic() < begin + task.seconds)
    except Exception as error:  # noqa: BLE001 - raised again by who asked
        return 0, f"{type(error).__name__}: {error}"
    return done / (time.monotonic() - begin), ""


def _do(task: Task, queue: Queue | None, each: Callable[[int], None] | None, begin: float) -> tuple[float, str]:
    """Return how many jobs were done in a second, or why they could not be."""

    def goes_on(done: int) -> bool:
        return done < task.jobs if task.jobs else time.monotonic() < begin + task.seconds

    try:
        done = _send(goes_on, each) if queue is None else work(queue, task.at_once, goes_on, each)
    except Exception as error:  # noqa: BLE001 - raised again by who asked
        return 0, f"{type(error).__name__}: {error}"
    if done < task.jobs:
        return 0, f"Of {task.jobs} jobs {done} were found."
    return done / (time.monotonic() - begin), ""


def _send(goes_on: Callable[[int], bool], each: Callable[[int], None] | None) -> int:
    """Do ``each`` as if there were jobs without end."""
    done = 0
    while each is not None and goes_on(done):
        each(done)
        done += 1
    return done


@contextlib.contextmanager
def _editing(plex: Address) -> Iterator[_Editor]:
    with urllib3.connection_from_url(plex.url, maxsize=1) as pool:
        yield _Editor(plex, pool)


class _Editor:
    """Sends for each scene what the product sends: an edit of one item."""

    def __init__(self, plex: Address, pool: urllib3.HTTPConnectionPool) -> None:
        self._keys = plex.rating_keys
        self._pool = pool
        self._headers = {"Accept": "application/json", "X-Plex-Token": plex.token}

    def __call__(self, scene_id: int) -> None:
        title = f"Harbour concert {scene_id}"
        key = self._keys[scene_id % len(self._keys)]
        fields = {"type": "1", "id": key, "title.value": title, "title.locked": "1", "summary.value": title * 4}
        target = f"/library/sections/1/all?{urlencode(fields, quote_via=quote)}"
        answer = self._pool.urlopen("PUT", target, headers=self._headers, retries=False)
        if answer.status != _OK:
            raise RuntimeError(f"Plex answered {answer.status}")
