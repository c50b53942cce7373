"""How a worker shows that it lives, and hears of changes: one thread with one connection of its own.

Times are the database's, the only clock that all machines share. A worker is taken for dead when its last sign is
older than ``stall_s`` by that clock *and* we ourselves have watched it give none for a while: so neither a clock that
jumps nor a database that was away for long takes a job from the living.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg import sql

from scenesync.queue.distributed import steps
from scenesync.queue.distributed.connections import Connection, Server
from scenesync.queue.errors import QueueUnreachable

_log = logging.getLogger(__name__)

HEARTBEAT_S: Final = 10.0
STALL_S: Final = 30.0
_WATCHED_PER_STALL: Final = 3
_TRUSTED_OF_STALL: Final = 2 / 3  # what is left of it is for the write that was allowed
_PATIENCE_S: Final = 8
_CONNECT_AGAIN_S: Final = 1.0
_ASK_EVERY_S: Final = 0.5  # so long a wait for news goes on before it is asked whether it is the end
_GOODBYE_S: Final = 2.0
# Procrastinate's own channel tells of rows that were put, ours of everything else.
_CHANNELS: Final = (steps.CHANNEL, "procrastinate_any_queue_v1")
_REGISTER: Final = "SELECT worker_id FROM procrastinate_register_worker_v1()"
_BEAT: Final = "SELECT procrastinate_update_heartbeat_v1(%s)"
_IS_LISTED: Final = "SELECT 1 FROM procrastinate_workers WHERE id = %s"
_LIVING: Final = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat >= now() - make_interval(secs => %s)"
_UNREGISTER: Final = "SELECT procrastinate_unregister_worker_v1(%s)"
_WORKERS: Final = (
    "SELECT id, last_heartbeat, last_heartbeat < now() - make_interval(secs => %s) FROM procrastinate_workers"
)
# Fenced: whoever gave a sign meanwhile stays.
_BURY: Final = "DELETE FROM procrastinate_workers WHERE id = %s AND last_heartbeat = %s"


def living(connection: Connection, stall_s: float = STALL_S) -> int:
    """Return how many workers gave a sign within ``stall_s``."""
    row = connection.execute(_LIVING, (stall_s,)).fetchone()
    return int(row[0]) if row else 0


def is_listed(connection: Connection, worker: int) -> bool:
    """Say whether a worker is on the list, from which the dead are taken."""
    return connection.execute(_IS_LISTED, (worker,)).fetchone() is not None


class SignOfLife:
    """One worker's registration with Procrastinate, kept fresh, and its ear for changes, told to ``on_change``.

    ``on_return`` is called when the database can be talked to again: nobody knows what became of it meanwhile.
    """

    def __init__(
        self,
        server: Server,
        on_change: Callable[[], None],
        on_return: Callable[[], None],
        heartbeat_s: float = HEARTBEAT_S,
        stall_s: float = STALL_S,
    ) -> None:
        self.living = 1
        """How many workers gave a sign of late, this one included, at the last one of its own."""
        self._stall_s = stall_s
        self._server = server
        self._on_change = on_change
        self._on_return = on_return
        self._heartbeat_s = heartbeat_s
        self._begin = threading.Lock()
        self._ended = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._worker = 0
        self._shown_at = 0.0

    def worker(self) -> int:
        """Return the number under which jobs are claimed, registered on the first call. Raises QueueError."""
        self.listen()
        return self._worker

    def listen(self) -> None:
        """Begin to hear of changes, and to show life. Raises QueueError."""
        with self._begin:
            if self._thread is not None:
                return
            if self._is_over:  # a thread that was left behind at the end must not begin a new life
                raise QueueUnreachable(self._server.name, "it was closed")
            with self._server.translated():
                connection = self._connect()
                self._register(connection)
            self._thread = threading.Thread(target=self._run, args=(connection,), name="queue-life", daemon=True)
            self._thread.start()

    def begin_anew(self, lost: int) -> None:
        """Go on under another number: ``lost`` was taken for dead, and its jobs are others'. Raises QueueError."""
        with self._begin, self._server.translated(), self._server.transaction() as connection:
            if self._worker == lost:
                self._register(connection)

    def require_fresh(self) -> None:
        """Raise QueueUnreachable if no sign arrived for so long that others may soon take this worker for dead.

        An answer may have been long on its way, or come over a connection that works while this one's does not: a yes
        in it says what was. Sent is what counts, by this process's own clock.
        """
        silent_s = time.monotonic() - self._shown_at
        if silent_s > self._stall_s * _TRUSTED_OF_STALL:
            raise QueueUnreachable(self._server.name, f"no sign of life has reached it for {silent_s:.0f} s")

    def end(self) -> None:
        """Stop being alive: whatever is still claimed can be taken over at once, if the database can be told."""
        with self._begin:
            self._is_over = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._ended.set()
            thread.join(_GOODBYE_S)  # one that hangs in a request is left behind, and taken for dead later

    def _run(self, connection: Connection | None) -> None:
        while not self._ended.is_set():
            try:
                if connection is None:
                    connection = self._connect()
                    self._on_return()
                    self._on_change()  # what happened meanwhile nobody told us
                self._beat(connection)
                self._hear(connection)
            except psycopg.Error as error:  # if this lasts, others take the jobs; the fences hold then
                if connection is not None:  # said once, not at each vain try
                    _log.warning("no sign of life can be given to %s: %s", self._server.name, type(error).__name__)
                    connection.close()
                    connection = None
                self._ended.wait(_CONNECT_AGAIN_S)
        if connection is not None:
            with contextlib.suppress(psycopg.Error), connection:
                connection.execute(_UNREGISTER, (self._worker,))
                steps.say(connection)

    def _hear(self, connection: Connection) -> None:
        """Pass on what happens until the next sign is due."""
        until = time.monotonic() + self._heartbeat_s
        while not self._ended.is_set() and (left_s := until - time.monotonic()) > 0:
            for _ in connection.notifies(timeout=min(left_s, _ASK_EVERY_S), stop_after=1):
                self._on_change()

    def _beat(self, connection: Connection) -> None:
        worker, sent_at = self._worker, time.monotonic()
        connection.execute(_BEAT, (worker,))
        if is_listed(connection, worker):
            self._shown_at = sent_at
        else:
            with self._begin:  # a claim may have found out too
                if self._worker == worker and not self._ended.is_set():
                    _log.warning("this worker was taken for dead by another one, and goes on as a new one")
                    self._register(connection)
        self.living = living(connection, self._stall_s)

    def _register(self, connection: Connection) -> None:
        sent_at = time.monotonic()
        row = connection.execute(_REGISTER).fetchone()
        assert row is not None  # noqa: S101 - the function returns one row
        self._worker, self._shown_at = int(row[0]), sent_at

    def _connect(self) -> Connection:
        connection = self._server.connect(_PATIENCE_S)
        for channel in _CHANNELS:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        return connection


class Watch:
    """Finds the workers that are dead, and takes them off the list."""

    def __init__(self, stall_s: float = STALL_S) -> None:
        self._stall_s = stall_s
        self._seen: dict[int, tuple[object, float]] = {}

    def bury_the_dead(self, connection: Connection) -> int:
        """Take off the list whoever is known to be dead by now; return how many. Their jobs have no worker then."""
        dead, seen = [], {}
        now = time.monotonic()
        for worker, beat, is_late in connection.execute(_WORKERS, (self._stall_s,)).fetchall():
            last_beat, since = self._seen.get(worker, (None, now))
            seen[worker] = (beat, since if last_beat == beat else now)
            if is_late and now - seen[worker][1] >= self._stall_s / _WATCHED_PER_STALL:
                dead.append((worker, beat))
        self._seen = seen
        return sum(connection.execute(_BURY, each).rowcount for each in dead)
