"""A worker of ``test_postgres_fleet``: works until it is killed. ``python postgres_worker.py URL SEED``.

What a scene is lies in the table ``stash``, what Plex shows in ``plex``, both in the same database as the queue. Who
works on a scene holds a lock of PostgreSQL's that dies with the process, so that two at a time are found out.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from typing import TYPE_CHECKING

import psycopg

from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.errors import LeaseLost, QueueUnreachable

if TYPE_CHECKING:
    from scenesync.queue.records import ClaimedJob

HEARTBEAT_S, STALL_S = 0.3, 2.0
AT_ONCE = 4
_A_MOMENT_S = 0.05


def main() -> None:
    url, seed = sys.argv[1:]
    chance = random.Random(int(seed))  # noqa: S311 (the same choices each time)
    while True:
        try:
            queue = DistributedQueue(url, heartbeat_s=HEARTBEAT_S, stall_s=STALL_S, timeout_s=1)
            with contextlib.closing(queue):  # who stays alive keeps what it had in hand
                _work(queue, url, chance)
        except (QueueUnreachable, psycopg.OperationalError):
            time.sleep(_A_MOMENT_S)


def _work(queue: DistributedQueue, url: str, chance: random.Random) -> None:
    with psycopg.connect(url, autocommit=True) as world:
        while True:
            claims = queue.claim(AT_ONCE)
            for one in claims:
                try:
                    _attempt(queue, one, world, chance)
                except LeaseLost:
                    continue
            if not claims:
                queue.wait_for_change(0.5)


def _attempt(
    queue: DistributedQueue, one: ClaimedJob, world: psycopg.Connection[tuple[bool]], chance: random.Random
) -> None:
    held = world.execute("SELECT pg_try_advisory_lock(77, %s)", (one.scene_id,)).fetchone()
    if held != (True,):
        world.execute("INSERT INTO both_at_once VALUES (%s)", (one.scene_id,))
    world.execute(
        "INSERT INTO plex SELECT * FROM stash WHERE scene_id = %s "
        "ON CONFLICT (scene_id) DO UPDATE SET version = EXCLUDED.version",
        (one.scene_id,),
    )
    time.sleep(chance.random() * 0.01)
    world.execute("SELECT pg_advisory_unlock(77, %s)", (one.scene_id,))
    luck = chance.random()
    if luck < 0.2:
        state = {"retry_count": 1, "next_retry_at": time.time() + 0.1, "last_error_type": "PlexBusy"}
        queue.requeue(one, {**one.job, **state})
    elif luck < 0.25:
        queue.release(one)
    else:
        queue.complete(one)


if __name__ == "__main__":
    main()
