"""The jobs of workers that died, taken over by one node at a time.

Whoever else looked meanwhile would wait for each of them in turn, to find it taken.
"""

import time
from typing import Final

from scenesync.postgres.schema import lock_key
from scenesync.queue import dead_letters, suspicion
from scenesync.queue.distributed import letters, steps
from scenesync.queue.distributed.connections import Server
from scenesync.queue.distributed.steps import Claim
from scenesync.queue.errors import LeaseLost

_ALONE: Final = f"SELECT pg_try_advisory_xact_lock({lock_key('taking over')})"
_STILL: Final = "SELECT 1"


def take_over(server: Server) -> int:
    """Let the jobs that have no worker any more wait again, or bury them; return how many. Raises QueueError."""
    taken = 0
    with server.transaction() as connection:
        row = connection.execute(_ALONE).fetchone()
        if row is None or not row[0]:
            return 0
        found = steps.orphans(connection)
        for each in found:
            taken += _take_over(server, *each, in_hand=len(found))
            connection.execute(_STILL)  # whose transaction is idle for long is given up by the server
    return taken


def _take_over(server: Server, row_id: int, data: str, claim_no: int, deliveries: int, *, in_hand: int) -> bool:
    """Do so with one of as many as were ``in_hand``; False if it was settled meanwhile."""
    claim = Claim(row_id, claim_no, None)
    try:
        with server.transaction() as connection:
            if suspicion.is_the_cause(deliveries, in_hand):
                steps.finish(connection, claim, steps.FAILED)
                letters.insert(connection, dead_letters.of_crash(data, deliveries), row_id)
            else:
                apart = suspicion.set_apart(data, row_id, deliveries, time.time())
                steps.give_back(connection, claim, now=time.time(), job=apart, keep_deliveries=True)
    except LeaseLost:
        return False
    return True
