"""Liveness by a lease, for disks whose locks cannot be relied on (network shares).

An owner is taken for dead when its lease ran out by the clock *and* has not been renewed for a while before our own
eyes. So neither a clock that jumps nor two machines whose clocks differ take a job from a living owner; after a jump a
dead one's jobs come back at most two leases late.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from scenesync.queue import owner_lock
from scenesync.queue.errors import QueueError

_log = logging.getLogger(__name__)

LEASE_S: Final = 120.0
_RENEWALS_PER_LEASE: Final = 8
_WATCHED_PER_LEASE: Final = 3  # an owner whom we saw for a third of a lease should have renewed it twice

_BEGIN: Final = "INSERT OR REPLACE INTO leases (owner, beat, renewed_at) VALUES (:owner, 1, :now)"
_RENEW: Final = "UPDATE leases SET beat = beat + 1, renewed_at = :now WHERE owner = :owner"
_READ: Final = "SELECT beat, renewed_at FROM leases WHERE owner = ?"
_END: Final = "DELETE FROM leases WHERE owner = ?"

Access = Callable[[], AbstractContextManager[sqlite3.Connection]]


class LeaseOwner(owner_lock.Owner):
    """The identity under which one queue object claims jobs, alive as long as it renews its lease.

    ``working`` gives a connection inside a transaction, ``reading`` one to read from. A thread of its own renews the
    lease, so that work which takes long, or waits for a server, does not let it run out.
    """

    def __init__(self, folder: str, reading: Access, working: Access, lease_s: float = LEASE_S) -> None:
        super().__init__(folder)
        self._reading, self._working = reading, working
        self._lease_s = lease_s
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewed_at = 0.0
        self._seen: dict[str, tuple[int, float]] = {}

    def prove_alive(self) -> None:
        """Hold a lease; must precede each claim. Raises QueueError if that is impossible.

        Whose lease ran out (this machine slept) passes for dead, and its jobs are others': it goes on as somebody new.
        """
        if self._thread is not None:
            if time.monotonic() - self._renewed_at > self._lease_s / _WATCHED_PER_LEASE:
                self._renew()
            return
        with self._working() as connection:
            connection.execute(_BEGIN, {"owner": self.name, "now": time.time()})
        self._renewed_at = time.monotonic()
        self._ended.clear()
        self._thread = threading.Thread(target=self._keep_alive, name="queue-lease", daemon=True)
        self._thread.start()

    def retire(self) -> None:
        """Stop being alive: whatever is still claimed under this name can be taken over."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        with contextlib.suppress(QueueError), self._working() as connection:  # else it runs out by itself
            connection.execute(_END, (self.name,))

    def is_alive(self, owner: str) -> bool:
        """Return whether ``owner`` still lives, as far as can be told by now; a dead one is known after a lease."""
        with self._reading() as connection:
            row = connection.execute(_READ, (owner,)).fetchone()
        if row is None:  # it retired, or shows its life by a lock
            return owner_lock.is_alive(self.folder, owner)
        beat, renewed_at = row
        last_beat, seen_at = self._seen.get(owner, (None, 0.0))
        if last_beat != beat:
            self._seen[owner] = (beat, time.monotonic())
            return True
        # A lease from the future is one of a clock that was set back since.
        ran_out = abs(time.time() - renewed_at) > self._lease_s
        return not (ran_out and time.monotonic() - seen_at > self._lease_s / _WATCHED_PER_LEASE)

    def sweep(self) -> None:
        """Delete what the dead left behind."""
        with self._reading() as connection:
            owners = [owner for (owner,) in connection.execute("SELECT owner FROM leases") if owner != self.name]
        dead = [owner for owner in owners if not self.is_alive(owner)]
        if dead:
            with self._working() as connection:
                connection.executemany(_END, [(owner,) for owner in dead])

    def _keep_alive(self) -> None:
        while not self._ended.wait(self._lease_s / _RENEWALS_PER_LEASE):
            try:
                self._renew()
            except QueueError as error:  # if this lasts, others take the jobs; the fences hold then
                _log.warning("the lease on the queue could not be renewed: %s", error)

    def _renew(self) -> None:
        with self._working() as connection:
            now = time.time()
            if connection.execute(_RENEW, {"owner": self.name, "now": now}).rowcount == 0:  # swept by the others
                self._take_name()
                connection.execute(_BEGIN, {"owner": self.name, "now": now})
        self._renewed_at = time.monotonic()
