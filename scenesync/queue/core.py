import contextlib
import itertools
import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from scenesync.queue import (
    awaited_files,
    dead_letters,
    history,
    listing,
    merging,
    owner_lock,
    salvage,
    suspicion,
    transitions,
)
from scenesync.queue.batch_size import BatchSize
from scenesync.queue.errors import LeaseLost, QueueError, QueueUnwritable, translated
from scenesync.queue.lease import LEASE_S, LeaseOwner
from scenesync.queue.open_file import OpenFile, Reading
from scenesync.queue.port import Ours
from scenesync.queue.records import (
    PRIORITY_BULK,
    PRIORITY_PERSON,
    BulkResult,
    ClaimedJob,
    EnqueueResult,
    FoundJobs,
    PendingJob,
)
from scenesync.queue.schema import COMPLETED, FAILED, PAUSE_S, Journal, transaction
from scenesync.queue.signals import ChangeSignal
from scenesync.queue.spool_intake import SpoolIntake

_log = logging.getLogger(__name__)

Liveness = Literal["lock", "lease"]

SPOOL_LOOK_EVERY_S: Final = 0.05  # while there is work; who finds none looks at once
TAKE_OVER_EVERY_S: Final = 1.0
_MAINTENANCE_EVERY: Final = 512  # finished jobs: some 10 MB of log
_BATCH_ROWS: Final = 500  # as in the statement below

_CLAIMED_ROWS: Final = """
    SELECT _id, data, owner, claim_no, deliveries FROM ack_queue_default
    WHERE claimed_at IS NOT NULL AND status = 2 ORDER BY _id"""
_DROP: Final = """
    DELETE FROM ack_queue_default WHERE _id IN (
        SELECT _id FROM ack_queue_default
        WHERE status < 2 AND _id <= :last_id AND (:job_key IS NULL OR job_key = :job_key)
          AND (:older_than IS NULL OR timestamp < :older_than)
        LIMIT 500)"""


class QueueCore(Ours):
    """The operations of the queue; each is one transaction, and any thread may call any of them.

    There are two connections. What is acknowledged to somebody outside (puts, replays) is on disk before the call
    returns. Claims and completions are not synced one by one: a power cut can only undo them, and then the job runs
    once more, which is harmless.
    """

    _is_open = False

    def __init__(
        self,
        folder: str,
        *,
        journal: Journal,
        timeout_s: float,
        keep_finished: int,
        takes_over: bool,
        liveness: Liveness = "lock",
        lease_s: float = LEASE_S,
        repairs: bool = True,
    ) -> None:
        self.folder = folder
        self._keep_finished = keep_finished
        self._takes_over = takes_over
        self._claim_numbers = itertools.count(1)
        self._held: dict[int, int] = {}
        self._log_pages = 0
        self._finished_since_maintenance = 0
        self._file = OpenFile(folder, journal, timeout_s, repairs=repairs)
        self._lock = self._file.lock
        self._take_connections()
        owners = str(Path(folder) / salvage.OWNERS_FOLDER)
        self._owner = (
            owner_lock.Owner(owners)
            if liveness == "lock"
            else LeaseOwner(owners, self.reading, self._file.working, lease_s)
        )
        self._spool = SpoolIntake(folder)
        self._spool_seen_at = float("-inf")
        self._took_over_at = time.monotonic()
        self._signal = ChangeSignal(self._file.data_version, self._spool.has_arrivals)
        self._is_open = True

    # -- in

    def put_job(self, job: Mapping[str, Any], priority: int = PRIORITY_PERSON) -> EnqueueResult:
        """Store an event durably: as a new job, or merged into the one that waits under the same ``job_key``."""
        event = transitions.Event.of(job, time.time())
        with self.writing() as connection:
            # When it arrived is asked under the write lock: by that time events of several processes are put in order.
            return transitions.enqueue(connection, event, priority=priority, now=time.time())

    def put_many(
        self, jobs: Iterable[Mapping[str, Any]], priority: int = PRIORITY_BULK, batch_rows: int = 500
    ) -> BulkResult:
        """Store any number of jobs in bounded memory and short transactions, so that others get their turn.

        ``batch_rows`` is how many there are in one at most; fewer if the disk or the machine is slow.
        """
        total = BulkResult()
        size = BatchSize(batch_rows)
        ended_at: float | None = None
        waiting = iter(jobs)
        while batch := list(itertools.islice(waiting, size.rows)):
            # Encoded while nobody is kept waiting, which is most of the pause that others need to get their turn.
            now = time.time()
            events = [transitions.Event.of(job, now) for job in batch]
            if ended_at is not None:
                time.sleep(max(0.0, PAUSE_S - (time.monotonic() - ended_at)))
            with self.writing() as connection:
                began_at = time.monotonic()
                total += transitions.enqueue_batch(connection, events, priority=priority, now=time.time())
            ended_at = time.monotonic()
            size.lock_was_held(ended_at - began_at)
        return total

    def take_in_spool(self) -> int:
        """Take in what hooks had to leave beside the queue; return how many events."""
        self._spool_seen_at = time.monotonic()
        if not self._spool.has_arrivals():
            return 0
        with self._lock, translated(self.folder):
            taken = self._spool.take_in(self._puts, self._file.look)
        if taken:
            self._signal.notify()
        return taken

    # -- out

    def claim(self, limit: int = 1) -> list[ClaimedJob]:
        """Take up to ``limit`` jobs that are due: lanes in order, then by due time, then by age.

        Never one whose key is being processed. What is not a job object is moved to ``foreign_rows``.
        """
        self._prove_alive()
        if time.monotonic() - self._spool_seen_at >= SPOOL_LOOK_EVERY_S:
            self.take_in_spool()
        return self._claim_up_to(limit) or self._claim_after_a_closer_look(limit)

    def claim_urgent(self, limit: int = 1) -> list[ClaimedJob]:
        """Take up to ``limit`` jobs that a person waits for, and no others; costs one look if there are none."""
        self._prove_alive()
        with self._file.reading as connection:
            if not transitions.is_due_in_lane(connection, PRIORITY_PERSON, time.time()):
                return []
            with transaction(connection):
                claims = iter(lambda: self._claim_next(PRIORITY_PERSON), None)
                return list(itertools.islice(claims, limit))

    def _claim_up_to(self, limit: int) -> list[ClaimedJob]:
        with self._file.reading as connection:
            if limit == 1:
                claimed = self._claim_next()
                return [] if claimed is None else [claimed]
            with transaction(connection):
                return list(itertools.islice(iter(self._claim_next, None), limit))

    def _claim_after_a_closer_look(self, limit: int) -> list[ClaimedJob]:
        """Look where a claim that finds something need not look: into the spool, and after the dead."""
        self.take_in_spool()
        if self._takes_over and time.monotonic() - self._took_over_at >= TAKE_OVER_EVERY_S:
            self.take_over_dead_owners()
        state = self._signal.current()
        jobs = self._claim_up_to(limit)
        if not jobs:
            self._signal.nothing_found_at(state)
            if self._finished_since_maintenance:
                self.maintain()
        return jobs

    def complete(self, claimed: ClaimedJob) -> None:
        """End a job that is done. Raises LeaseLost."""
        self._finish(claimed.row_id, claimed.claim_no, COMPLETED)

    def complete_all(self, claims: Sequence[ClaimedJob]) -> Sequence[ClaimedJob]:
        """End jobs that are done, in one step; return those that are not held any more, which stay as they are."""
        keys = [(claim.row_id, claim.claim_no) for claim in claims]
        with self._file.working() as connection:
            ended = transitions.finish_all(connection, keys, self._owner.name, COMPLETED)
        for row_id, _ in ended:
            self._forget(row_id)
        self._count_finished(len(ended))
        return [claim for claim, key in zip(claims, keys, strict=True) if key not in ended]

    def requeue(self, claimed: ClaimedJob, job: Mapping[str, Any]) -> None:
        """Let the job wait again with new content (retry state), in one step. Raises LeaseLost.

        A newer event that waits under the same key takes its place, unchanged and due at once.
        """
        self._give_back(claimed.row_id, claimed.claim_no, job)

    def release(self, claimed: ClaimedJob) -> None:
        """Give the job back as it was: the attempt did not count (outage, shutdown). Raises LeaseLost."""
        self._give_back(claimed.row_id, claimed.claim_no, None)

    def bury(self, claimed: ClaimedJob, letter: dead_letters.DeadLetter) -> int:
        """End the job and keep ``letter``, in one step; return the letter's id. Raises LeaseLost."""
        with self._working() as connection:
            transitions.finish(connection, claimed.row_id, self._owner.name, claimed.claim_no, FAILED)
            letter_id = dead_letters.insert(connection, letter, claimed.row_id)
        self._forget(claimed.row_id)
        self._count_finished()
        return letter_id

    def held(self, job: Mapping[str, Any]) -> ClaimedJob | None:
        """Return the claim under which this process holds ``job`` (by its ``pqid``), None if it does not."""
        row_id = job.get("pqid")
        claim_no = self._held.get(row_id) if isinstance(row_id, int) else None
        return None if claim_no is None else ClaimedJob(int(job["pqid"]), dict(job), claim_no=claim_no)

    def confirm_owned(self, claimed: ClaimedJob) -> bool:
        """Return whether the job is still ours: to be asked right before a write to Plex, which knows no fences."""
        with self._file.looking as connection:  # it must not wait for claims and completions
            return not transitions.is_lost(connection, claimed.row_id, self._owner.name, claimed.claim_no)

    def take_over_dead_owners(self) -> int:
        """Let the jobs of processes that died wait again; return how many.

        Dead is who no longer holds its kernel lock. Rows without an owner were claimed by a stock reader, which leaves
        no sign of life. A job that is taken for the cause (``suspicion``) becomes a dead letter instead.
        """
        self._took_over_at = time.monotonic()
        self._owner.sweep()
        with self.reading() as connection:
            rows = connection.execute(_CLAIMED_ROWS).fetchall()
        in_hand = Counter(row[2] for row in rows)
        dead = {owner for owner in in_hand if not self._is_alive(owner)}
        taken = 0
        for row_id, data, owner, claim_no, deliveries in rows:
            if owner not in dead:
                continue
            with contextlib.suppress(LeaseLost), self._working() as connection:
                if suspicion.is_the_cause(deliveries, in_hand[owner]):
                    transitions.finish(connection, row_id, owner, claim_no, FAILED)
                    dead_letters.insert(connection, dead_letters.of_crash(data, deliveries), row_id)
                else:
                    apart = suspicion.set_apart(data, row_id, deliveries, time.time())
                    transitions.give_back(connection, row_id, owner, claim_no, job=apart, keep_deliveries=True)
                taken += 1
        return taken

    # -- looking and waiting

    def wake_for_files(self, file_keys: Iterable[str]) -> int:
        """Make due at once the jobs that wait for a file of one of these names (``paths.name_key``); return how many.

        A job without a path does not say what it waits for (others may put jobs too): its time will come.
        """
        return awaited_files.wake_all(self.reading, self._working, file_keys)

    def next_due_at(self) -> float | None:
        """Return when the next job can run: 0 for at once, epoch seconds for later, None for none."""
        with self.reading() as connection:
            return transitions.next_due_at(connection, time.time())

    def wait_for_change(self, timeout_s: float, stop: threading.Event | None = None) -> bool:
        """Wait until the queue changed since the last vain claim; return False after ``timeout_s`` or on ``stop``.

        A change by this process is seen at once, one by another process or a hook within 50 ms.
        """
        return self._signal.wait(timeout_s, stop)

    def list_pending(self, limit: int = 100, after: int = 0) -> tuple[PendingJob, ...]:
        """Return waiting jobs in the order of their rows, those after row ``after``."""
        with self.reading() as connection:
            return listing.pending(connection, limit, after)

    def find(self, job_key: str) -> FoundJobs:
        """Return what waits and what is in hand under ``job_key``, whatever else there is."""
        with self.reading() as connection:
            return listing.find(connection, job_key)

    def drop_pending(self, *, job_key: str | None = None, older_than: float | None = None) -> int:
        """Delete waiting jobs (spooled ones too), all or those that match; return how many. Jobs in hand go on."""
        while self.take_in_spool():
            pass
        with self.reading() as connection:
            last_id = connection.execute("SELECT MAX(_id) FROM ack_queue_default").fetchone()[0] or 0
        values = {"last_id": last_id, "job_key": job_key, "older_than": older_than}
        dropped = 0
        while True:
            with self.writing() as connection:
                count = connection.execute(_DROP, values).rowcount
            dropped += count
            if count < _BATCH_ROWS:
                return dropped

    def totals(self) -> tuple[int, int]:
        """Return how many jobs were ever completed, and how many ever failed for good."""
        with self.reading() as connection:
            return history.totals(connection)

    def maintain(self) -> None:
        """Prune finished rows and checkpoint the write-ahead log; the worker's task, done by itself now and then."""
        self._finished_since_maintenance = 0
        with self._file.reading as connection:
            with transaction(connection):
                pruned = history.prune(connection, self._keep_finished)
            self._log_pages = history.checkpoint(self._claims, self._log_pages)
        if pruned == history.PASS_ROWS:  # there is more, for the next moment in which nothing else is to do
            self._finished_since_maintenance = 1

    def recover(self) -> salvage.DamageReport | None:
        """Replace a file that turned out damaged while open; what can be read is saved. Jobs in hand are lost to us.

        If somebody else replaced it, or deleted it, the one that is there now is opened, or made, and None returned.
        Raises QueueDamaged while others work with the file.
        """
        self._owner.retire()
        with self._lock:
            self._held.clear()
            self._file.recover("found while in use")
            self._take_connections()
            return self.damage

    def close(self) -> None:
        """Close the file. Jobs still in hand can be taken over by others from now on."""
        if not self._is_open:  # also called by __del__ for a queue that could not be opened
            return
        with self._lock:
            self._is_open = False
        self._owner.retire()
        self._file.close()

    # -- for the dead letters and other tables in the same file

    def reading(self) -> Reading:
        """Give a connection to read from, as a context. Raises the errors of QueueError."""
        return self._file.reading

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a transaction that is on disk when the block has ended. Raises QueueError."""
        with self._file.writing() as connection:
            yield connection
        self._signal.notify()

    @contextlib.contextmanager
    def _working(self) -> Iterator[sqlite3.Connection]:
        with self._file.working() as connection:
            yield connection
        self._signal.notify()

    # -- parts

    def _take_connections(self) -> None:
        self.damage = self._file.damage
        self._puts, self._claims = self._file.puts, self._file.claims

    def _claim_next(self, lane: int | None = None) -> ClaimedJob | None:
        while (row := self._claim_row(lane=lane)) is not None:
            row_id, data, timestamp, deliveries, priority, claim_no = row
            try:
                job = merging.decode_job(data)
            except ValueError as error:
                self._move_aside(row_id, str(error))
                continue
            job["pqid"] = row_id
            self._remember(row_id, claim_no, job)
            return ClaimedJob(row_id, job, deliveries, timestamp, claim_no, priority)
        return None

    def _claim_row(
        self, *, after: int | None = None, row_id: int | None = None, lane: int | None = None
    ) -> tuple[Any, ...] | None:
        claim_no = next(self._claim_numbers)
        row = transitions.claim(
            self._claims,
            owner=self._owner.name,
            claim_no=claim_no,
            now=time.time(),
            after=after,
            row_id=row_id,
            lane=lane,
        )
        return None if row is None else (*row, claim_no)

    def _move_aside(self, row_id: int, reason: str) -> None:
        _log.warning("row is no job of ours, moved to foreign_rows: row=%d reason=%s", row_id, reason)
        outer = contextlib.nullcontext() if self._claims.in_transaction else transaction(self._claims)
        with outer:
            transitions.move_aside(self._claims, row_id, reason=reason, now=time.time())

    def _finish(self, row_id: int, claim_no: int, status: int) -> None:
        with self._file.reading as connection:
            transitions.finish(connection, row_id, self._owner.name, claim_no, status)
        self._forget(row_id)
        self._count_finished()

    def _give_back(self, row_id: int, claim_no: int, job: Mapping[str, Any] | None) -> None:
        with self._working() as connection:
            transitions.give_back(connection, row_id, self._owner.name, claim_no, job=job)
        self._forget(row_id)

    def _count_finished(self, jobs: int = 1) -> None:
        self._signal.notify()  # an event that came meanwhile under the same key can run now
        self._finished_since_maintenance += jobs
        if self._finished_since_maintenance >= _MAINTENANCE_EVERY:
            try:
                self.maintain()
            except QueueError as error:  # the job itself is ended, and stays so
                _log.warning("the queue was not tidied up, trying again later: %s", error)

    def _remember(self, row_id: int, claim_no: int, item: object) -> None:
        del item
        self._held[row_id] = claim_no

    def _forget(self, row_id: int) -> None:
        self._held.pop(row_id, None)

    def _prove_alive(self) -> None:
        try:
            self._owner.prove_alive()
        except OSError as error:
            raise QueueUnwritable(self.folder, f"no lock file possible: {error.strerror or error}") from error

    def _is_alive(self, owner: str | None) -> bool:
        if owner is None:
            return False
        if owner == self._owner.name:
            return True
        try:
            return self._owner.is_alive(owner)
        except OSError as error:
            _log.warning("cannot tell whether a worker lives, its jobs stay: owner=%s reason=%s", owner, error)
            return True
