"""The events of machines' outboxes, taken in each once: how far is noted in the same transaction."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from scenesync.queue import merging
from scenesync.queue.distributed import steps
from scenesync.queue.distributed.connections import Connection
from scenesync.queue.records import BulkResult, OutboxEvent
from scenesync.queue.transitions import Event

# Locks the row, also one that is new: two who send from one outbox come one after the other.
_HOLD: Final = """
    INSERT INTO scenesync_outboxes (outbox_id, taken_up_to) VALUES (%(outbox)s, 0)
    ON CONFLICT (outbox_id) DO UPDATE SET noted_at = now() RETURNING taken_up_to"""
_NOTE: Final = "UPDATE scenesync_outboxes SET taken_up_to = %(up_to)s WHERE outbox_id = %(outbox)s"


def taken_from(connection: Connection, outbox_id: str) -> int:
    """Return up to which number the events of an outbox were taken in, 0 for none.

    Waits for a transaction that takes some in at this moment: its answer may have been lost, and its sender asks here.
    """
    row = connection.execute(_HOLD, {"outbox": outbox_id}).fetchone()
    return int(row[0]) if row else 0


def take_in(connection: Connection, outbox_id: str, events: Sequence[OutboxEvent], now: float) -> BulkResult:
    """Add those of the events that were not taken in before, and note that they were."""
    known = taken_from(connection, outbox_id)
    new = [each for each in events if each.number > known]
    if not new:
        return BulkResult()
    steps.hold_keys(connection, [each.job for each in new])
    total = BulkResult()
    for lane, together in groupby(new, key=attrgetter("lane")):
        batch = [Event(each.job, merging.encode(each.job), each.happened_at) for each in together]
        total += steps.enqueue_batch(connection, batch, lane=lane, now=now, newest=False)
    connection.execute(_NOTE, {"outbox": outbox_id, "up_to": new[-1].number})
    if total.merged:  # of new rows Procrastinate tells itself
        steps.say(connection)
    return total
