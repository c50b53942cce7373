"""Who works on the queue of one database: told by the signs of life, and by who holds the lock of the elected."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from scenesync.queue.distributed.connections import Server
from scenesync.queue.distributed.election import Election, leader_of
from scenesync.queue.distributed.sign_of_life import SignOfLife, is_listed
from scenesync.queue.errors import QueueError

_log = logging.getLogger(__name__)

_KNOWN_FOR_S: Final = 2.0
_LONGEST_NAME: Final = 63  # PostgreSQL cuts application names there


class DistributedFleet:
    """Implements ``domain.ports.Fleet``. Members are named by their numbers as Procrastinate's workers."""

    def __init__(self, server: Server, life: SignOfLife) -> None:
        self._server = server
        self._life = life
        self._election = Election(server, f"{socket.gethostname()} {os.getpid()}"[:_LONGEST_NAME])
        self._lock = threading.Lock()
        self._led = False
        self._asked_at: float | None = None

    def me(self) -> str:
        """Return the number of this worker, which it may have to ask for; one that is nobody's if it gets none."""
        try:
            return str(self._life.worker())
        except QueueError as error:
            _log.debug("no number as a worker: %s", error)
            return "0"

    def size(self) -> int:
        """Return how many workers live, as the last sign of life found."""
        return max(1, self._life.living)

    def lives(self, name: str) -> bool:
        """Say whether a worker is on the list, from which the dead are taken."""
        if not name.isdecimal():
            return False
        try:
            with self._server.transaction() as connection:
                return is_listed(connection, int(name))
        except QueueError as error:
            _log.debug("cannot tell whether a worker lives: %s", error)
            return True

    @property
    def is_elected(self) -> bool:
        """Whether this process is elected."""
        return self._election.is_elected

    def somebody_else_leads(self) -> bool:
        """Say whether another process is elected, as it was a moment ago."""
        if self._election.is_elected:
            return False
        with self._lock:
            now = time.monotonic()
            if self._asked_at is None or now - self._asked_at >= _KNOWN_FOR_S:
                self._asked_at, self._led = now, self.leader() is not None
            return self._led

    def leader(self) -> str | None:
        """Return who is elected, as its host and process, None if nobody is or it cannot be told."""
        try:
            with self._server.transaction() as connection:
                return leader_of(connection)
        except QueueError as error:
            _log.debug("cannot tell who is elected: %s", error)
            return None

    def stand_for_election(self, end: threading.Event, fit: Callable[[], bool] = lambda: True) -> None:
        """Be elected whenever nobody else is, until ``end``; who is not ``fit`` lets those go first who are."""
        self._election.stand(end, fit)
