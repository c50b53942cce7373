import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from persistqueue.exceptions import Empty
from persistqueue.serializers import json as json_serializer
from persistqueue.sqlackqueue import SQLiteAckQueue

from scenesync.domain.job import KeyOf, scene_key
from scenesync.queue import history, listing, merging, transitions
from scenesync.queue.alone import Alone
from scenesync.queue.core import Liveness, QueueCore
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.errors import LeaseLost
from scenesync.queue.forwarding import rows
from scenesync.queue.lease import LEASE_S
from scenesync.queue.records import PRIORITY_BULK, BulkResult, ClaimedJob, OutboxEvent, QueueSnapshot
from scenesync.queue.schema import COMPLETED, FAILED, Journal
from scenesync.queue.snapshot import read_snapshot

_log = logging.getLogger(__name__)

_LONGEST_WAIT_S: Final = 10.0


class EmbeddedQueue(QueueCore, SQLiteAckQueue):
    """persist-queue's ``SQLiteAckQueue``, on the same file and with the same methods, made safe for several processes.

    What differs from the stock class: a claim is atomic; nobody takes over the jobs of a process that lives; whoever
    lost a job can no longer end it (``ack`` and the like then return None); ``get`` passes over jobs that are not due;
    sizes count the file, not this process's own steps; the serialiser is always JSON.

    ``auto_resume`` lets jobs of processes that died wait again, now and whenever a claim finds nothing else. ``damage``
    tells if the file was found damaged and replaced, which is done by who ``repairs``. Raises QueueError.

    For a disk that is a network share there are two options, to be given alike by all who open the queue:
    ``journal="truncate"``, since SQLite's WAL is not safe there, and ``liveness="lease"``, since its locks may not tell
    whether their holder lives. A worker then proves its life by renewing a lease of ``lease_s`` seconds; the jobs of a
    dead one come back when that has run out (see ``lease``), not at once. A worker that was only stopped or cut off for
    so long finds its jobs gone, and whatever it still does to them is refused.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        auto_resume: bool = True,  # noqa: FBT001, FBT002 (the stock class's signature)
        *,
        journal: Journal = "wal",
        timeout_s: float = 10.0,
        keep_finished: int = history.KEEP_FINISHED,
        liveness: Liveness = "lock",
        lease_s: float = LEASE_S,
        repairs: bool = True,
    ) -> None:
        self.fleet = Alone()
        self._getter = self._putter = None  # the stock __del__ looks at them, also when opening fails
        QueueCore.__init__(
            self,
            os.fspath(path),
            journal=journal,
            timeout_s=timeout_s,
            keep_finished=keep_finished,
            takes_over=auto_resume,
            liveness=liveness,
            lease_s=lease_s,
            repairs=repairs,
        )
        SQLiteAckQueue.__init__(
            self,
            self.folder,
            auto_resume=auto_resume,
            multithreading=True,
            timeout=timeout_s,
            serializer=json_serializer,
        )
        if auto_resume:
            self._stay()

    def _take_connections(self) -> None:
        super()._take_connections()
        # The stock class declares None and plain locks.
        self._conn = self._getter = self._claims  # type: ignore[assignment]
        self._putter = self._puts  # type: ignore[assignment]
        self._unack_cache: dict[int, Any] = {}

    def _init(self) -> None:
        self._take_connections()
        self.tran_lock = self.action_lock = self._lock  # type: ignore[assignment]
        self.put_event = threading.Event()

    # -- events of other files, and of this one while it was an outbox

    def taken_from(self, outbox_id: str) -> int:
        """Return up to which number the events of an outbox were taken in, 0 for none."""
        with self.reading() as connection:
            return rows.taken_from(connection, outbox_id)

    def take_in(self, outbox_id: str, events: Sequence[OutboxEvent]) -> BulkResult:
        """Store those of the events of an outbox that were not taken in before, and note which, in one transaction."""
        with self.writing() as connection:
            return rows.take_in(connection, outbox_id, events, time.time())

    def _stay(self) -> None:
        """Take back what was about to be sent elsewhere when this file was an outbox: it is worked off here now."""
        with self.reading() as connection:
            leaving = rows.behind(connection, 0, limit=1)
        if leaving:
            with self.writing() as connection:
                rows.take_back(connection, time.time())

    # -- for who looks

    @property
    def dead_letters(self) -> DeadLetterStore:
        """The jobs that were given up, in the same file."""
        return DeadLetterStore(self)

    def waiting_scenes(self, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> set[int]:
        """Return those of the scenes for which a job waits, due or not."""
        return listing.waiting_scenes(self.reading, scene_ids, key_of)

    def departing_scenes(self, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> set[int]:
        """Return those of the scenes of whose deletion a job tells that waits or is in hand."""
        return listing.departing_scenes(self.reading, scene_ids, key_of)

    def snapshot(self, now: float | None = None) -> QueueSnapshot:
        """Return the queue in figures at ``now`` (epoch seconds), events beside it included."""
        return read_snapshot(self.folder, now)

    # -- persist-queue's methods

    def put(self, item: object) -> int:
        """Store ``item`` as a row of its own, durably, and return its row id; ``put_job`` merges instead."""
        now = time.time()
        happened = merging.event_time(item, now) if isinstance(item, dict) else now
        with self.writing() as connection:
            values = (merging.encode(item), now, PRIORITY_BULK, happened, None, None)
            row_id = connection.execute(transitions.INSERT, values).lastrowid or 0
        self.put_event.set()
        return row_id

    def get(  # type: ignore[override] # the stock classes disagree about it among themselves
        self,
        block: bool = True,  # noqa: FBT001, FBT002 (as in the stock class, here and below)
        timeout: float | None = None,
        id: int | None = None,  # noqa: A002
        next_in_order: bool = False,  # noqa: FBT001, FBT002
        raw: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:  # noqa: ANN401 (whatever JSON was put)
        """Claim and return the next item that is due. Raises ``persistqueue.exceptions.Empty``.

        Unlike the stock class it sees at once what another process put, and wakes when a waiting job becomes due.
        """
        row_id = self._find_item_id(id, search=False)
        if row_id is None and next_in_order:
            raise ValueError("'next_in_order' requires the preceding 'id' be specified.")
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            state = self._signal.current()
            item = self._pop(rowid=row_id, next_in_order=next_in_order, raw=raw)
            if item is not None:
                return item
            remaining_s = _LONGEST_WAIT_S if deadline is None else deadline - time.monotonic()
            if not block or remaining_s <= 0:
                raise Empty
            self._signal.nothing_found_at(state)
            self.wait_for_change(min(remaining_s, self._seconds_until_due()))

    def ack(self, item: object = None, id: int | None = None) -> int | None:  # noqa: A002
        """End a claimed item as done; return its row id, None if it is not held here any more."""
        return self._end_claim(item, id, lambda row_id, claim_no: self._finish(row_id, claim_no, COMPLETED))

    def ack_failed(self, item: object = None, id: int | None = None) -> int | None:  # noqa: A002
        """End a claimed item as failed, without a dead letter (see ``bury``); return its row id or None."""
        return self._end_claim(item, id, lambda row_id, claim_no: self._finish(row_id, claim_no, FAILED))

    def nack(self, item: object = None, id: int | None = None) -> int | None:  # noqa: A002
        """Let a claimed item wait again, as it is stored; return its row id or None."""
        return self._end_claim(item, id, lambda row_id, claim_no: self._give_back(row_id, claim_no, None))

    def resume_unack_tasks(self) -> None:
        """Let jobs of processes that died wait again; those of living ones stay theirs."""
        taken = self.take_over_dead_owners()
        if taken:
            _log.info("jobs of dead workers taken over: count=%d", taken)

    @property
    def total(self) -> int:
        """How many rows wait, due or not, whoever put them."""
        return self._count() if self._getter is not None else 0

    @total.setter
    def total(self, value: int) -> None:
        """Ignore the stock class's own book-keeping, which knows one process only."""

    def close(self) -> None:
        """Close the file. Jobs still in hand can be taken over by others from now on."""
        QueueCore.close(self)

    def held(self, job: Mapping[str, Any]) -> ClaimedJob | None:
        """Return the claim under which this process holds ``job``, also one that the stock ``get`` handed out."""
        found = next((row_id for row_id, item in list(self._unack_cache.items()) if item is job), None)
        return super().held(job if found is None else {**job, "pqid": found})

    def _count(self) -> int:
        with self.reading() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM ack_queue_default WHERE status < 2").fetchone()[0])

    def _pop(  # type: ignore[override] # as for get
        self,
        rowid: int | None = None,
        next_in_order: bool = False,  # noqa: FBT001, FBT002
        raw: bool = False,  # noqa: FBT001, FBT002
    ) -> dict[str, Any] | object | None:
        if rowid is None:
            self.take_in_spool()
        self._prove_alive()
        with self.reading():
            row = self._claim_for_get(rowid, next_in_order=next_in_order)
            if row is None:
                return None
            row_id, item, timestamp = row
        return {"pqid": row_id, "data": item, "timestamp": timestamp} if raw else item

    def _claim_for_get(self, rowid: int | None, *, next_in_order: bool) -> tuple[int, Any, float] | None:
        while True:
            if next_in_order:
                row = self._claim_row(after=rowid) or self._claim_row(
                    after=0
                )  # from the start again, like the stock class
            else:
                row = self._claim_row(row_id=rowid)
            if row is None:
                return None
            row_id, data, timestamp, _, _, claim_no = row
            try:
                item = merging.decode(data)
            except ValueError as error:
                self._move_aside(row_id, str(error))
                continue
            self._remember(row_id, claim_no, item)
            return row_id, item, timestamp

    def _end_claim(self, item: object, id: int | None, end: Callable[[int, int], None]) -> int | None:  # noqa: A002
        wanted, search = self._check_id(item, id)
        row_id = self._find_item_id(wanted, search)
        claim_no = None if row_id is None else self._held.get(row_id)
        if row_id is None or claim_no is None:
            return None
        try:
            end(row_id, claim_no)
        except LeaseLost as error:
            _log.warning("%s", error)
            return None
        return int(row_id)

    def _remember(self, row_id: int, claim_no: int, item: object) -> None:
        self._held[row_id] = claim_no
        self._unack_cache[row_id] = item

    def _forget(self, row_id: int) -> None:
        self._held.pop(row_id, None)
        self._unack_cache.pop(row_id, None)

    def _seconds_until_due(self) -> float:
        due_at = self.next_due_at()
        if due_at is None:
            return _LONGEST_WAIT_S
        return min(max(due_at - time.time(), 0.01), _LONGEST_WAIT_S)
