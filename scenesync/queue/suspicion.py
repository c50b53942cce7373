"""Which job is taken for the cause when workers die: one that was in hand each time, and at last with few others.

A worker has hundreds of jobs in hand, and all of them lose it when it dies. The cause is among them every time, another
one only while it keeps that company. So those to which it happened often are set apart: each waits for a time of its
own, and the next death finds others beside it.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from scenesync.queue import merging

if TYPE_CHECKING:
    from scenesync.queue.records import Job

MAX_DELIVERIES: Final = 5  # a job whose worker died this often, with few others in hand, is taken for the cause
FEW: Final = 8
MOST_DELIVERIES: Final = 2 * MAX_DELIVERIES  # with however many others: it has been set apart five times by then
APART_S: Final = 60.0
_WHOLE: Final = 2**32


def is_the_cause(deliveries: int, in_hand: int) -> bool:
    """Say whether a job is given up that lost its worker so often, the last of which had so many jobs in hand."""
    return deliveries >= (MAX_DELIVERIES if in_hand <= FEW else MOST_DELIVERIES)


def set_apart(data: object, row_id: int, deliveries: int, now: float) -> Job | None:
    """Return the job as it is to wait within APART_S of ``now`` (epoch seconds), None: it waits as it was.

    ``data`` is as it stands in the queue. Neighbours are parted anew each time.
    """
    if deliveries < MAX_DELIVERIES:
        return None
    try:
        job = merging.decode_job(data)
    except ValueError:
        return None
    share = zlib.crc32(f"{row_id} {deliveries}".encode()) / _WHOLE
    return {**job, "next_retry_at": now + APART_S * share}
