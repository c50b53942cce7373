"""One of all is elected: who holds a session's advisory lock, which PostgreSQL takes back when that session is over.

Who is elected looks after its connection every second, and stops being so at the first look that fails: within
``_DOUBT_S`` where packets get lost, long before the server gives up the session and lets somebody else have the lock.

Who is not fit (Plex refuses its token, say) gives the lock back, and tries seldom; who is fit tries every second, and
so has it soon. Where nobody is, one of them leads all the same, for a term: somebody has to tell people what is wrong.
"""

# ruff: noqa: S608 (statements here are put together from names of this package, never from a value)

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import psycopg

from scenesync.postgres.schema import lock_key
from scenesync.queue.distributed.connections import Connection, Server

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
_DOUBT_S: Final = 3
_LOCK: Final = lock_key("leader")
_TRY: Final = f"SELECT pg_try_advisory_lock({_LOCK})"
_STILL: Final = "SELECT 1"
_GIVE_BACK: Final = f"SELECT pg_advisory_unlock({_LOCK})"
_UNFIT_TRIES_EVERY_S: Final = 15.0
_TERM_OF_UNFIT_S: Final = 300.0
# The two halves of a lock's number stand apart there.
_LEADER: Final = f"""
    SELECT activity.application_name
    FROM (SELECT {_LOCK} AS number) AS leader
    JOIN pg_locks AS locks ON locks.locktype = 'advisory' AND locks.objsubid = 1 AND locks.granted
        AND locks.classid = (leader.number >> 32)::int::oid AND locks.objid = (leader.number & 4294967295)::oid
    JOIN pg_database AS here ON here.oid = locks.database AND here.datname = current_database()
    JOIN pg_stat_activity AS activity USING (pid)"""


def leader_of(connection: Connection) -> str | None:
    """Return the name of who is elected, None if nobody is."""
    row = connection.execute(_LEADER.encode()).fetchone()
    return None if row is None else str(row[0])


class Election:
    """The lock of one schema, and this process's try for it; ``name`` is by which people know it."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._name = name
        self._confirmed_at: float | None = None
        self._is_told = False
        self._tries_at = 0.0
        self._leads_unfit_until = 0.0

    @property
    def is_elected(self) -> bool:
        """Whether the lock is held, as was seen a moment ago: a look that hangs is no yes."""
        confirmed_at = self._confirmed_at
        return confirmed_at is not None and time.monotonic() - confirmed_at < _DOUBT_S

    def stand(self, end: threading.Event, fit: Callable[[], bool] = lambda: True) -> None:
        """Take the lock whenever it is free and keep it, over one connection after the other, until ``end``."""
        while not end.is_set():
            try:
                with self._server.connect(_DOUBT_S) as connection:
                    self._introduce(connection)
                    self._is_told = False
                    self._hold(connection, end, fit)
            except psycopg.Error as error:
                if not self._is_told:  # once, however long it lasts
                    _log.warning("not elected while %s is away: %s", self._server.name, type(error).__name__)
                self._is_told = True
            finally:
                self._step_down()
            end.wait(LOOK_EVERY_S)

    def _introduce(self, connection: Connection) -> None:
        connection.execute("SELECT set_config('application_name', %s, false)", (self._name,))

    def _hold(self, connection: Connection, end: threading.Event, fit: Callable[[], bool]) -> None:
        while not end.is_set():
            asked_at, is_fit = time.monotonic(), fit()
            if self._confirmed_at is None:
                if self._may_try(asked_at, is_fit=is_fit):
                    self._try(connection, asked_at, is_fit=is_fit)
            elif is_fit or asked_at < self._leads_unfit_until:
                connection.execute(_STILL)
                self._confirmed_at = asked_at
            else:
                self._step_down()  # first: whoever is elected next must not find us still in office
                connection.execute(_GIVE_BACK.encode())
                self._tries_at = asked_at + _UNFIT_TRIES_EVERY_S
            end.wait(LOOK_EVERY_S)

    def _may_try(self, now: float, *, is_fit: bool) -> bool:
        if is_fit:
            self._tries_at = now + _UNFIT_TRIES_EVERY_S  # so long it waits from the moment on that it is not
            return True
        if now < self._tries_at:
            return False
        self._tries_at = now + _UNFIT_TRIES_EVERY_S
        return True

    def _try(self, connection: Connection, now: float, *, is_fit: bool) -> None:
        row = connection.execute(_TRY.encode()).fetchone()
        if row is None or not row[0]:
            return
        self._leads_unfit_until = now if is_fit else now + _TERM_OF_UNFIT_S
        self._confirmed_at = now
        _log.info("this node is elected: it looks at Stash, reconciles and keeps the index from now on")

    def _step_down(self) -> None:
        if self._confirmed_at is None:
            return
        self._confirmed_at = None
        _log.info("this node is elected no longer")
