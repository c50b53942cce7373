"""The queue on PostgreSQL under a whole fleet: workers and senders killed, the database crashing and out of reach.

Two machines have hooks, whose events wait in an outbox each; every worker has its own way to the database and a clock
of its own, which is wrong.
"""

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
from cutting_proxy import CuttingProxy
from hook_events import leave_event
from postgres_worker import STALL_S
from private_postgres import database_for_queue

from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.forwarding.outbox import Outbox, read_outbox
from scenesync.queue.suspicion import APART_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from private_postgres import PrivatePostgres
    from proofs import Bounds, Figures

    from scenesync.queue.records import QueueSnapshot

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
SKEWS_S: Final = (0.0, 3600.0, -86_400.0, 40.0)
_WORLD: Final = """
    CREATE TABLE stash (scene_id integer PRIMARY KEY, version integer NOT NULL);
    CREATE TABLE plex (scene_id integer PRIMARY KEY, version integer NOT NULL);
    CREATE TABLE writes (scene_id integer, version integer);
    CREATE TABLE both_at_once (scene_id integer)"""
_CHANGE: Final = """
    INSERT INTO stash VALUES (%s, 1) ON CONFLICT (scene_id) DO UPDATE SET version = stash.version + 1"""
_STALE: Final = """
    SELECT count(*) FROM stash LEFT JOIN plex USING (scene_id) WHERE plex.version IS DISTINCT FROM stash.version"""
_DOUBLED: Final = "SELECT count(*) - count(DISTINCT (scene_id, version)) FROM writes"

pytestmark = [pytest.mark.reliability, pytest.mark.integration]


class Children:
    """Processes of one kind; each that is killed is followed by another one."""

    def __init__(self, program: str, arguments: Sequence[Callable[[], tuple[object, ...]]]) -> None:
        self._program = str(HERE / program)
        self._arguments = arguments
        self._running = [self._begin(place) for place in range(len(arguments))]

    def kill(self, place: int) -> None:
        self._end(place)
        self._running[place] = self._begin(place)

    def end(self) -> None:
        for place in range(len(self._running)):
            self._end(place)

    def _begin(self, place: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, self._program, *map(str, self._arguments[place]())], cwd=ROOT)

    def _end(self, place: int) -> None:
        child = self._running[place]
        assert child.poll() is None, "none ends by itself"
        child.kill()
        child.wait()


class Network:
    """The ways to the database, one for each worker and each sender."""

    def __init__(self, server: PrivatePostgres, stack: contextlib.ExitStack, ways: int) -> None:
        self._server = server
        self._proxies = [stack.enter_context(CuttingProxy(server.port)) for _ in range(ways)]

    def url(self, way: int) -> str:
        return self._server.url("fleet", port=self._proxies[way].port)

    def happen(self, what: str, way: int) -> None:
        """Let one thing go wrong, and right again."""
        if what == "the database crashes":
            self._server.stop()
            time.sleep(0.3)
            self._server.start()
        elif what == "nobody reaches the database":
            for proxy in self._proxies:
                proxy.cut()
            time.sleep(0.5)
            for proxy in self._proxies:
                proxy.heal()
        else:  # one of them is taken for dead, and is alive
            self._proxies[way].fall_silent()
            time.sleep(STALL_S * 1.5)
            self._proxies[way].heal()


HAPPENINGS: Final = ("the database crashes", "nobody reaches the database", "one falls silent")


@pytest.fixture
def direct(postgres: PrivatePostgres) -> str:
    """The way to the database that is always open."""
    url = database_for_queue(postgres, "fleet")
    with psycopg.connect(url) as world:
        world.execute(_WORLD)
    return url


class Stash:
    """Changes scenes, and does what the hook does on the machine with a data directory."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._world = psycopg.connect(url, autocommit=True)

    def save(self, data_dir: Path, scene_id: int) -> None:
        try:
            self._world.execute(_CHANGE, (scene_id,))
        except psycopg.OperationalError:  # it has crashed since the last time
            self.close()
            self._world = psycopg.connect(self._url, autocommit=True)
            self._world.execute(_CHANGE, (scene_id,))
        leave_event(data_dir, scene_id)

    def close(self) -> None:
        self._world.close()


def settle(queue: DistributedQueue, outboxes: Sequence[Path], patience_s: float) -> tuple[QueueSnapshot, int]:
    """Wait until nothing is left to do, or nothing was done for a while; return what is left: there, and unsent."""
    done, until = -1, 0.0
    while True:
        unsent = sum(read_outbox(outbox).waiting for outbox in outboxes)
        left = queue.snapshot()
        if left.completed_total != done:
            done, until = left.completed_total, time.monotonic() + patience_s
        if left.pending == left.in_progress == unsent == 0 or time.monotonic() > until:
            return left, unsent
        time.sleep(0.1)


def moments(events: int, count: int) -> list[int]:
    """Return ``count`` numbers of events, evenly between the first and the last."""
    return [events * number // (count + 1) for number in range(1, count + 1)]


def test_whatever_dies_or_is_cut_off_no_scene_is_stale_none_is_stuck_and_nothing_is_written_twice(
    postgres: PrivatePostgres, direct: str, tmp_path: Path, bounds: Bounds, figures: Figures
) -> None:
    chance = random.Random(bounds.first_seed)  # noqa: S311 (the same choices each time)
    scenes, events, size = bounds.pick(60, 3000), bounds.pick(240, 20_000), len(SKEWS_S)
    deaths = moments(events, bounds.pick(4, 60))
    sender_deaths = moments(events, bounds.pick(2, 20))
    troubles = dict(zip(moments(events, bounds.pick(3, 15)), HAPPENINGS * events, strict=False))
    machines = [tmp_path / "first", tmp_path / "second"]
    outboxes = [machine / "queue" for machine in machines]
    for outbox in outboxes:
        Outbox(outbox).close()
    seeds = iter(range(1, 10**6))
    with contextlib.ExitStack() as stack:
        network = Network(postgres, stack, size + len(machines))
        workers = Children(
            "postgres_worker.py",
            [lambda way=way: (network.url(way), direct, next(seeds), SKEWS_S[way]) for way in range(size)],
        )
        stack.callback(workers.end)
        senders = Children(
            "outbox_sender.py",
            [lambda way=way: (network.url(size + way), outboxes[way]) for way in range(len(machines))],
        )
        stack.callback(senders.end)
        queue = stack.enter_context(contextlib.closing(DistributedQueue(direct, takes_over=False)))
        stash = stack.enter_context(contextlib.closing(Stash(direct)))
        for number in range(events):
            stash.save(machines[number % 2], chance.randint(1, scenes))
            if number in deaths:
                workers.kill(chance.randrange(size))
            if number in sender_deaths:
                senders.kill(chance.randrange(len(machines)))
            if number in troubles:
                network.happen(troubles[number], chance.randrange(size))
        left, unsent = settle(queue, outboxes, patience_s=APART_S + 10 + 10 * STALL_S)
    with psycopg.connect(direct) as world:
        [(stale,)] = world.execute(_STALE).fetchall()
        [(both_at_once,)] = world.execute("SELECT count(*) FROM both_at_once").fetchall()
        [(doubled,)] = world.execute(_DOUBLED).fetchall()
    figures(
        "workers on PostgreSQL",
        f"{len(deaths)} workers and {len(sender_deaths)} senders killed, {len(troubles)} times the database or the way "
        "to it",
        jobs=left.completed_total,
        lost=stale,
        doubled=doubled,
        remarks=f"{events:,} events of two machines on {scenes:,} scenes, {size} workers, clocks wrong by up to a day",
    )
    assert (left.pending, left.in_progress, unsent) == (0, 0, 0), f"stuck, seed {bounds.first_seed}"
    assert stale == 0, f"stale, seed {bounds.first_seed}"
    assert both_at_once == 0, f"two at a time, seed {bounds.first_seed}"
    assert doubled == 0, f"written twice, seed {bounds.first_seed}"
    assert left.dead_letters == 0
