"""``scenesync run`` for ``test_fleet_chaos``, on a machine whose clock is wrong: ``fleet_node.py SECONDS``.

It is the whole product, but that the dead are known to be dead ten times as soon.
"""

from __future__ import annotations

import sys
import time

from scenesync.app.cli import main
from scenesync.queue.distributed.queue import DistributedQueue

HEARTBEAT_S, STALL_S = 1.0, 3.0


def run() -> int:
    right, skew_s = time.time, float(sys.argv[1])
    time.time = lambda: right() + skew_s
    defaults = DistributedQueue.__init__.__kwdefaults__
    assert {"heartbeat_s", "stall_s"} <= defaults.keys()
    defaults.update(heartbeat_s=HEARTBEAT_S, stall_s=STALL_S)
    return main(["run"])


if __name__ == "__main__":
    sys.exit(run())
