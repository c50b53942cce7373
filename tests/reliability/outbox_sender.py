"""The forwarder of one machine for ``test_outbox_fleet``: sends until it is killed. ``outbox_sender.py URL FOLDER``."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Final

from scenesync.intake.forwarder import Forwarder, Route
from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.errors import QueueUnreachable
from scenesync.queue.forwarding.outbox import Outbox

_A_MOMENT_S: Final = 0.05


def main() -> None:
    url, folder = sys.argv[1:]
    with contextlib.closing(Outbox(folder)) as outbox, contextlib.closing(_queue(url)) as queue:
        route = Route("fleet", queue)
        Forwarder(outbox, [route]).forward(route, threading.Event())


def _queue(url: str) -> DistributedQueue:
    while True:
        try:
            return DistributedQueue(url, takes_over=False, timeout_s=1)
        except QueueUnreachable:
            time.sleep(_A_MOMENT_S)


if __name__ == "__main__":
    main()
