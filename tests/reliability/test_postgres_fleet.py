"""The queue on PostgreSQL with real processes: killed with jobs in hand, and the database crashing under them."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import pytest
from postgres_worker import STALL_S
from private_postgres import NoPostgresHere, PrivatePostgres, private_postgres

from scenesync.domain.job import scene_job
from scenesync.queue.distributed import schema
from scenesync.queue.distributed.connections import Server
from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.records import QueueSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs import Bounds, Figures

WORKER: Final = Path(__file__).with_name("postgres_worker.py")
ROOT: Final = Path(__file__).parents[2]
_WORLD: Final = """
    CREATE TABLE stash (scene_id integer PRIMARY KEY, version integer NOT NULL);
    CREATE TABLE plex (scene_id integer PRIMARY KEY, version integer NOT NULL);
    CREATE TABLE both_at_once (scene_id integer)"""
_CHANGE: Final = """
    INSERT INTO stash VALUES (%s, 1) ON CONFLICT (scene_id) DO UPDATE SET version = stash.version + 1"""
_STALE: Final = """
    SELECT count(*) FROM stash LEFT JOIN plex USING (scene_id) WHERE plex.version IS DISTINCT FROM stash.version"""
_SETTLED: Final = QueueSnapshot()

pytestmark = [pytest.mark.reliability, pytest.mark.integration]


class Fleet:
    """Workers as child processes; each that is killed is followed by another one."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._seeds = iter(range(1, 10**6))
        self._workers = [self._begin() for _ in range(size)]

    def kill_one(self, chance: random.Random) -> None:
        place = chance.randrange(len(self._workers))
        self._end(self._workers[place])
        self._workers[place] = self._begin()

    def end(self) -> None:
        for worker in self._workers:
            self._end(worker)

    def _begin(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, str(WORKER), self._url, str(next(self._seeds))], cwd=ROOT)

    def _end(self, worker: subprocess.Popen[bytes]) -> None:
        assert worker.poll() is None, "no worker ends by itself"
        worker.kill()
        worker.wait()


@pytest.fixture
def postgres() -> Iterator[PrivatePostgres]:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(private_postgres())
        except NoPostgresHere as why:
            pytest.skip(str(why))
        yield server


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    url = postgres.new_database("fleet")
    server = Server(url, timeout_s=10)
    schema.prepare(server)
    server.close()
    with psycopg.connect(url) as world:
        world.execute(_WORLD)
    return url


def announce(url: str, queue: DistributedQueue, scene_id: int) -> None:
    """Change a scene, then put its job, as often as it takes: a hook's event is kept until it is acknowledged."""
    with psycopg.connect(url) as world:
        world.execute(_CHANGE, (scene_id,))
    queue.put_job(scene_job(scene_id, time.time()))


def settle(queue: DistributedQueue, patience_s: float) -> QueueSnapshot:
    """Wait until nothing is left to do; return what is."""
    until = time.monotonic() + patience_s
    while True:
        left = queue.snapshot()
        if left.pending == left.in_progress == 0 or time.monotonic() > until:
            return left
        time.sleep(0.1)


def test_killed_workers_and_a_crashing_database_leave_no_scene_stale_and_none_stuck(
    postgres: PrivatePostgres, url: str, bounds: Bounds, figures: Figures
) -> None:
    chance = random.Random(bounds.first_seed)  # noqa: S311 (the same choices each time)
    scenes, events = bounds.pick(60, 3000), bounds.pick(240, 20_000)
    kills, crashes = bounds.pick(4, 60), bounds.pick(1, 5)
    deaths = {events * number // (kills + 1) for number in range(1, kills + 1)}
    outages = {events * number // (crashes + 1) + 7 for number in range(1, crashes + 1)}
    queue = DistributedQueue(url, takes_over=False)
    fleet = Fleet(url, bounds.pick(2, 4))
    try:
        for number in range(events):
            announce(url, queue, chance.randint(1, scenes))
            if number in deaths:
                fleet.kill_one(chance)
            if number in outages:
                postgres.stop()
                time.sleep(0.3)
                postgres.start()
        left = settle(queue, patience_s=60 + 10 * STALL_S)
    finally:
        fleet.end()
    with psycopg.connect(url) as world:
        [(stale,)] = world.execute(_STALE).fetchall()
        [(both_at_once,)] = world.execute("SELECT count(*) FROM both_at_once").fetchall()
    figures(
        "workers on PostgreSQL",
        f"{kills} kills, {crashes} crashes of the database",
        jobs=left.completed_total,
        lost=stale,
        doubled=both_at_once,
        remarks=f"{events:,} events on {scenes:,} scenes",
    )
    assert (left.pending, left.in_progress) == (0, 0), f"stuck, seed {bounds.first_seed}"
    assert stale == 0, f"stale, seed {bounds.first_seed}"
    assert both_at_once == 0, f"two at a time, seed {bounds.first_seed}"
    assert left.dead_letters == 0
    queue.close()
