"""A worker of ``test_postgres_fleet``: works until it is killed. ``postgres_worker.py URL WORLD SEED SKEW``.

What a scene is lies in the table ``stash``, what Plex shows in ``plex``, in the database at WORLD, which can always be
reached; every write to ``plex`` is noted in ``writes``. As the product does, it reads, asks whether the job is still
its own, and writes what differs, which takes its time. Who writes holds a lock of PostgreSQL's that dies with the
process, so that two at a time are found out: one that is cut off may have a scene in hand that is another's by now.
SKEW is by how many seconds the clock of its machine is wrong.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from typing import TYPE_CHECKING

import psycopg

from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.errors import LeaseLost, QueueLocked, QueueUnreachable

if TYPE_CHECKING:
    from scenesync.queue.records import ClaimedJob

    World = psycopg.Connection[tuple[bool]]

HEARTBEAT_S, STALL_S = 0.3, 2.0
AT_ONCE = 4
_A_MOMENT_S = 0.05
_STASH_SAYS = "SELECT version FROM stash WHERE scene_id = %s"
_PLEX_SHOWS = "SELECT version FROM plex WHERE scene_id = %s"
_WRITE = """
    WITH written AS (
        INSERT INTO plex VALUES (%s, %s) ON CONFLICT (scene_id) DO UPDATE SET version = EXCLUDED.version
        RETURNING scene_id, version)
    INSERT INTO writes (scene_id, version) SELECT scene_id, version FROM written"""


def main() -> None:
    url, world_url, seed, skew_s = sys.argv[1:]
    _be_wrong_by(float(skew_s))
    chance = random.Random(int(seed))  # noqa: S311 (the same choices each time)
    while True:
        try:
            queue = DistributedQueue(url, heartbeat_s=HEARTBEAT_S, stall_s=STALL_S, timeout_s=1)
            with contextlib.closing(queue):  # who stays alive keeps what it had in hand
                _work(queue, world_url, chance)
        except (QueueUnreachable, QueueLocked, psycopg.OperationalError):
            time.sleep(_A_MOMENT_S)


def _be_wrong_by(skew_s: float) -> None:
    """Set this process's clock; whatever is kept is looked up on it at the moment of the call."""
    right = time.time
    time.time = lambda: right() + skew_s


def _work(queue: DistributedQueue, world_url: str, chance: random.Random) -> None:
    looked_for_dead_at = 0.0
    with psycopg.connect(world_url, autocommit=True) as world:
        while True:
            if time.monotonic() - looked_for_dead_at >= STALL_S / 4:
                looked_for_dead_at = time.monotonic()
                queue.take_over_dead_owners()
            claims = queue.claim(AT_ONCE)
            for one in claims:
                try:
                    _attempt(queue, one, world, chance)
                except LeaseLost:
                    continue
            if not claims:
                queue.wait_for_change(0.5)


def _attempt(queue: DistributedQueue, one: ClaimedJob, world: World, chance: random.Random) -> None:
    if not queue.confirm_owned(one):
        return
    _sync(queue, one, world, chance)
    luck = chance.random()
    if luck < 0.2:
        state = {"retry_count": 1, "next_retry_at": time.time() + 0.1, "last_error_type": "PlexBusy"}
        queue.requeue(one, {**one.job, **state})
    elif luck < 0.25:
        queue.release(one)
    else:
        queue.complete(one)


def _sync(queue: DistributedQueue, one: ClaimedJob, world: World, chance: random.Random) -> None:
    wanted = world.execute(_STASH_SAYS, (one.scene_id,)).fetchone()
    shown = world.execute(_PLEX_SHOWS, (one.scene_id,)).fetchone()
    if wanted is None or wanted == shown or not queue.confirm_owned(one):
        return
    if world.execute("SELECT pg_try_advisory_lock(77, %s)", (one.scene_id,)).fetchone() != (True,):
        world.execute("INSERT INTO both_at_once VALUES (%s)", (one.scene_id,))
    time.sleep(chance.random() * 0.01)
    world.execute(_WRITE, (one.scene_id, wanted[0]))
    world.execute("SELECT pg_advisory_unlock(77, %s)", (one.scene_id,))


if __name__ == "__main__":
    main()
