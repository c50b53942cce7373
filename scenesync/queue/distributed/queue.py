"""The queue in PostgreSQL, kept by Procrastinate, that any number of workers on any number of machines share."""

import contextlib
import logging
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from psycopg import errors

from scenesync.domain.batches import batched
from scenesync.domain.job import KeyOf, scene_key
from scenesync.postgres.address import SCHEMA
from scenesync.postgres.schema import lock_key
from scenesync.queue.core import TAKE_OVER_EVERY_S
from scenesync.queue.dead_letters import DeadLetter
from scenesync.queue.distributed import letters, looking, outboxes, schema, sign_of_life, steps, taking_over
from scenesync.queue.distributed.connections import Server
from scenesync.queue.distributed.fleet import DistributedFleet
from scenesync.queue.distributed.letters import DistributedLetters
from scenesync.queue.distributed.steps import Claim
from scenesync.queue.errors import LeaseLost
from scenesync.queue.port import Ours
from scenesync.queue.records import (
    PRIORITY_BULK,
    PRIORITY_PERSON,
    BulkResult,
    ClaimedJob,
    EnqueueResult,
    FoundJobs,
    OutboxEvent,
    PendingJob,
    QueueSnapshot,
)
from scenesync.queue.signals import ChangeSignal
from scenesync.queue.transitions import Event

_log = logging.getLogger(__name__)

KEEP_FINISHED: Final = 1000
_BATCH: Final = 500
_ATTEMPTS: Final = 3
_LOOK_FOR_URGENT_S: Final = 1.0  # of those that sleep and have become due nobody tells
_MANY: Final = 50_000
_COUNTED_STANDS: Final = 20  # times as long as the counting took: a twentieth of the time at most goes into it
_ANALYSE_FROM: Final = 5000  # rows of one bulk after which the planner's figures are all wrong
_ANALYSE: Final = "ANALYZE procrastinate_jobs, scenesync_jobs"
_TIDY_ALONE: Final = f"SELECT pg_try_advisory_xact_lock({lock_key('tidying')})"
_PRUNE: Final = """
    WITH old AS (
        SELECT job_id, ended FROM scenesync_jobs WHERE ended IS NOT NULL
        ORDER BY job_id DESC OFFSET %(keep)s LIMIT %(limit)s),
    gone AS (DELETE FROM procrastinate_jobs USING old WHERE id = old.job_id RETURNING old.ended)
    UPDATE scenesync_counters SET value = value + (SELECT count(*) FROM gone WHERE ended = name)
    RETURNING (SELECT count(*) FROM gone)"""
_PRUNED_AT_ONCE: Final = 1000
_PRUNED_AT_MOST: Final = 50  # times as many in one round: what ends in between is fewer on any fleet
_DROP: Final = """
    DELETE FROM procrastinate_jobs WHERE id IN (
        SELECT jobs.id FROM procrastinate_jobs AS jobs JOIN scenesync_jobs AS ours ON ours.job_id = jobs.id
        WHERE jobs.status = 'todo' AND jobs.id <= %(last_id)s
          AND (%(lock)s::text IS NULL OR jobs.queueing_lock = %(lock)s::text)
          AND (%(older_than)s::float8 IS NULL OR ours.stored_at < %(older_than)s::float8)
        LIMIT 500 FOR UPDATE OF jobs SKIP LOCKED)"""
_LAST_ROW: Final = "SELECT COALESCE(max(id), 0) FROM procrastinate_jobs"


class DistributedQueue(Ours):
    """A queue in a schema of the PostgreSQL database at ``url`` (see ``port.Queue``); ``prepare`` makes what it needs.

    ``takes_over`` lets jobs of workers that died wait again, now and whenever a claim finds nothing else. A worker
    shows every ``heartbeat_s`` that it lives, and is dead for the others after ``stall_s`` without; both are the same
    for all. Raises QueueError.
    """

    def __init__(
        self,
        url: str,
        *,
        schema_name: str = SCHEMA,
        takes_over: bool = True,
        timeout_s: float = 10.0,
        keep_finished: int = KEEP_FINISHED,
        heartbeat_s: float = sign_of_life.HEARTBEAT_S,
        stall_s: float = sign_of_life.STALL_S,
    ) -> None:
        self._keep_finished = keep_finished
        self._takes_over = takes_over
        self._held: dict[int, ClaimedJob] = {}
        self._claiming = threading.Lock()
        self._in_doubt = threading.Event()
        self._news = 0
        self._signal = ChangeSignal(lambda: self._news, lambda: False)
        self._server = Server(url, timeout_s=timeout_s, schema=schema_name)
        self._life = sign_of_life.SignOfLife(self._server, self._hear, self._in_doubt.set, heartbeat_s, stall_s)
        self.fleet = DistributedFleet(self._server, self._life)
        self._watch = sign_of_life.Watch(stall_s)
        self._took_over_at = time.monotonic()
        self._nothing_urgent_at: tuple[int, int] | None = None
        self._look_for_urgent_at = 0.0
        self._counted = QueueSnapshot()
        self._counted_stands_until = 0.0
        try:
            with self._server.transaction() as connection:
                schema.require_current(connection, self._server.name)
            if takes_over:
                self.take_over_dead_owners()
        except BaseException:
            self._server.close()
            raise

    @property
    def dead_letters(self) -> DistributedLetters:
        """The jobs that were given up, in the same database."""
        return DistributedLetters(self._server)

    # -- in

    def put_job(self, job: Mapping[str, Any], priority: int = PRIORITY_PERSON) -> EnqueueResult:
        """Store an event durably: as a new job, or merged into the one that waits under the same ``job_key``."""
        event = Event.of(job, time.time())
        with self._server.pipelined() as connection:
            steps.hold_keys(connection, [job])
            result = steps.enqueue(connection, event, lane=priority, now=time.time())
            if result.merged:  # of a new row Procrastinate tells itself
                steps.say(connection)
        self._signal.notify()
        return result

    def put_many(self, jobs: Iterable[Mapping[str, Any]], priority: int = PRIORITY_BULK) -> BulkResult:
        """Store any number of jobs in bounded memory and short transactions."""
        total = BulkResult()
        for batch in batched(jobs, _BATCH):
            now = time.time()
            events = [Event.of(job, now) for job in batch]
            with self._server.transaction() as connection:
                steps.hold_keys(connection, batch)
                result = steps.enqueue_batch(connection, events, lane=priority, now=time.time())
                if result.merged:
                    steps.say(connection)
            total += result
            self._signal.notify()
        if total.created >= _ANALYSE_FROM:
            with self._server.transaction() as connection:
                connection.execute(_ANALYSE)
        return total

    def taken_from(self, outbox_id: str) -> int:
        """Return up to which number the events of an outbox were taken in, 0 for none."""
        with self._server.transaction() as connection:
            return outboxes.taken_from(connection, outbox_id)

    def take_in(self, outbox_id: str, events: Sequence[OutboxEvent]) -> BulkResult:
        """Store those of the events of an outbox that were not taken in before, and note which, in one transaction."""
        with self._server.pipelined() as connection:
            result = outboxes.take_in(connection, outbox_id, events, time.time())
        self._signal.notify()
        return result

    # -- out

    def claim(self, limit: int = 1) -> list[ClaimedJob]:
        """Take up to ``limit`` jobs that are due: lanes in order, in each the fresh before the retried, then by age.

        Never one whose key is being processed, on whatever machine.
        """
        state = self._signal.current()
        claimed = self._claim(steps.ALL_QUEUES, limit)
        if not claimed and self._takes_over and time.monotonic() - self._took_over_at >= TAKE_OVER_EVERY_S:
            self.take_over_dead_owners()
            state = self._signal.current()
            claimed = self._claim(steps.ALL_QUEUES, limit)
        if not claimed:
            self._signal.nothing_found_at(state)
        return claimed

    def claim_urgent(self, limit: int = 1) -> list[ClaimedJob]:
        """Take up to ``limit`` jobs that a person waits for, and no others.

        The loop asks at each turn. Where there were none a moment ago, and nothing was heard of since, there are none.
        """
        state, now = self._signal.current(), time.monotonic()
        if state == self._nothing_urgent_at and now < self._look_for_urgent_at:
            return []
        claimed = self._claim(steps.URGENT, limit)
        self._nothing_urgent_at = None if claimed else state
        self._look_for_urgent_at = now + _LOOK_FOR_URGENT_S
        return claimed

    def complete(self, claimed: ClaimedJob) -> None:
        """End a job that is done. Raises LeaseLost."""
        claim = self._claim_of(claimed)
        with self._server.statement() as connection:
            steps.finish(connection, claim, steps.SUCCEEDED)
        self._let_go(claimed)

    def complete_all(self, claims: Sequence[ClaimedJob]) -> Sequence[ClaimedJob]:
        """End jobs that are done, in one step; return those that are not held any more, which stay as they are."""
        ours = [each for each in claims if self._is_ours(each)]
        worker = self._life.worker() if ours else None
        with self._server.statement() as connection:
            ended = steps.finish_all(connection, ours, worker, steps.SUCCEEDED) if ours else set()
        lost = [each for each in claims if each.row_id not in ended or not self._is_ours(each)]
        for each in ours:
            if each.row_id in ended:
                self._let_go(each)
        return lost

    def requeue(self, claimed: ClaimedJob, job: Mapping[str, Any]) -> None:
        """Let the job wait again with new content (retry state), in one step. Raises LeaseLost.

        A newer event that waits under the same key takes its place, unchanged and due at once.
        """
        claim = self._claim_of(claimed)
        with self._server.pipelined() as connection:
            steps.give_back(connection, claim, now=time.time(), job=job)
        self._let_go(claimed)

    def release(self, claimed: ClaimedJob) -> None:
        """Give the job back as it was: the attempt did not count (outage, shutdown). Raises LeaseLost."""
        claim = self._claim_of(claimed)
        with self._server.pipelined() as connection:
            steps.give_back(connection, claim, now=time.time())
        self._let_go(claimed)

    def bury(self, claimed: ClaimedJob, letter: DeadLetter) -> int:
        """End the job and keep ``letter``, in one step; return the letter's id. Raises LeaseLost."""
        claim = self._claim_of(claimed)
        with self._server.pipelined() as connection:
            steps.finish(connection, claim, steps.FAILED)
            letter_id = letters.insert(connection, letter, claimed.row_id)
        self._let_go(claimed)
        return letter_id

    def held(self, job: Mapping[str, Any]) -> ClaimedJob | None:
        """Return the claim under which this process holds ``job`` (by its ``pqid``), None if it does not."""
        row_id = job.get("pqid")
        claimed = self._held.get(row_id) if isinstance(row_id, int) else None
        return None if claimed is None else ClaimedJob(claimed.row_id, dict(job), claim_no=claimed.claim_no)

    def confirm_owned(self, claimed: ClaimedJob) -> bool:
        """Return whether the job is still ours: to be asked right before a write to Plex, which knows no fences.

        Raises QueueUnreachable also where a yes would be worth nothing any more.
        """
        if not self._is_ours(claimed):
            return False
        worker = self._life.worker()
        with self._server.statement() as connection:
            is_held = claimed.row_id in steps.held(connection, [claimed], worker)
        if is_held:
            self._life.require_fresh()
        return is_held

    def take_over_dead_owners(self) -> int:
        """Let the jobs of workers that died wait again, unless another one does so already; return how many.

        Dead is who gave no sign of life for ``stall_s``, or said that it ends. A job that is taken for the cause
        (``suspicion``) becomes a dead letter instead.
        """
        self._took_over_at = time.monotonic()
        with self._server.transaction() as connection:
            self._watch.bury_the_dead(connection)
        taken = taking_over.take_over(self._server)
        if taken:
            self._signal.notify()
        return taken

    # -- looking and waiting

    def wake_for_files(self, file_keys: Iterable[str]) -> int:
        """Make due at once the jobs that wait for a file of such a name (``paths.name_key``); return how many."""
        woken = 0
        for keys in batched((key for key in file_keys if key), _BATCH):
            count = _BATCH
            while count == _BATCH:
                with self._server.transaction() as connection:
                    count = steps.wake(connection, keys, time.time(), _BATCH)
                    steps.say(connection)
                woken += count
        if woken:
            self._signal.notify()
        return woken

    def next_due_at(self) -> float | None:
        """Return when the next job can run: 0 for at once, epoch seconds for later, None for none."""
        with self._server.transaction() as connection:
            return looking.next_due_at(connection, time.time())

    def wait_for_change(self, timeout_s: float, stop: threading.Event | None = None) -> bool:
        """Wait until the queue changed since the last vain claim; return False after ``timeout_s`` or on ``stop``."""
        self._life.listen()
        return self._signal.wait(timeout_s, stop)

    def find(self, job_key: str) -> FoundJobs:
        """Return what waits and what is in hand under ``job_key``."""
        with self._server.transaction() as connection:
            return looking.find(connection, job_key)

    def list_pending(self, limit: int = 100, after: int = 0) -> tuple[PendingJob, ...]:
        """Return waiting jobs in the order of their rows, those after row ``after``."""
        with self._server.transaction() as connection:
            return looking.pending(connection, limit, after)

    def waiting_scenes(self, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> set[int]:
        """Return those of the scenes for which a job waits, due or not."""
        with self._server.transaction() as connection:
            return looking.waiting_scenes(connection, scene_ids, key_of)

    def departing_scenes(self, scene_ids: Iterable[int], key_of: KeyOf = scene_key) -> set[int]:
        """Return those of the scenes of whose deletion a job tells that waits or is in hand."""
        with self._server.transaction() as connection:
            return looking.departing_scenes(connection, scene_ids, key_of)

    def drop_pending(self, *, job_key: str | None = None, older_than: float | None = None) -> int:
        """Delete waiting jobs, all or those that match; return how many. Jobs in hand go on."""
        with self._server.transaction() as connection:
            row = connection.execute(_LAST_ROW).fetchone()
        lock = None if job_key is None else steps.lock_of({"job_key": job_key})
        values = {"last_id": row[0] if row else 0, "lock": lock, "older_than": older_than}
        dropped, count = 0, _BATCH
        while count == _BATCH:
            with self._server.transaction() as connection:
                count = connection.execute(_DROP, values).rowcount
            dropped += count
        return dropped

    @property
    def total(self) -> int:
        """How many jobs wait, due or not; see ``snapshot``."""
        return self.snapshot().pending

    def totals(self) -> tuple[int, int]:
        """Return how many jobs were ever completed, and how many ever failed for good."""
        with self._server.transaction() as connection:
            return looking.totals(connection)

    def snapshot(self, now: float | None = None) -> QueueSnapshot:
        """Return the queue in figures at ``now`` (epoch seconds).

        To count a million rows takes a second: where many wait the figures stand for a while, so that whoever watches
        the queue costs it little.
        """
        began = time.monotonic()
        if began >= self._counted_stands_until:
            with self._server.transaction() as connection:
                self._counted = looking.snapshot(connection, time.time() if now is None else now)
            ended = time.monotonic()
            stands_s = (ended - began) * _COUNTED_STANDS if self._counted.pending >= _MANY else 0.0
            self._counted_stands_until = ended + stands_s
        return self._counted

    def maintain(self) -> None:
        """Prune finished rows; whoever comes while another one does leaves it to that one."""
        for _ in range(_PRUNED_AT_MOST):
            if self._prune() < _PRUNED_AT_ONCE:
                return

    def recover(self) -> None:
        """Do nothing: whoever keeps the database keeps it whole."""

    def close(self) -> None:
        """Let go of the queue; jobs still in hand can be taken over by others from now on."""
        self._life.end()
        self._held.clear()
        self._server.close()

    # -- parts

    def _prune(self) -> int:
        with self._server.transaction() as connection:
            row = connection.execute(_TIDY_ALONE).fetchone()
            if row is None or not row[0]:
                return 0
            values = {"keep": self._keep_finished, "limit": _PRUNED_AT_ONCE}
            row = connection.execute(_PRUNE, values).fetchone()
            return int(row[0]) if row else 0

    def _claim(self, queues: Collection[str], limit: int) -> list[ClaimedJob]:
        with self._claiming:
            return self._claim_alone(queues, limit)

    def _claim_alone(self, queues: Collection[str], limit: int) -> list[ClaimedJob]:
        for _ in range(_ATTEMPTS):
            worker = self._life.worker()
            if self._in_doubt.is_set():
                self._give_back_unknown(worker)
            try:
                with self._server.pipelined() as connection:
                    answer = steps.claim(connection, worker, queues, limit)
            except errors.UniqueViolation:  # in that very moment another worker took a job of the same key
                continue
            except errors.ForeignKeyViolation:  # we passed for dead
                self._life.begin_anew(worker)
                continue
            except BaseException:
                self._in_doubt.set()
                raise
            claimed = steps.claimed(answer)
            self._held.update((each.row_id, each) for each in claimed)
            return claimed
        return []

    def _give_back_unknown(self, worker: int) -> None:
        """Give back what we hold and do not know of: nobody else would, while we live.

        A connection was lost: a claim may have been made whose answer never came; or the server itself was, and with
        it the end of a job that was not on its disk, or not on that of the standby that follows it.
        """
        self._in_doubt.clear()
        try:
            with self._server.transaction() as connection:
                found = steps.held_by(connection, worker)
            for claim in found:
                held = self._held.get(claim.row_id)
                if held is None or held.claim_no != claim.claim_no:
                    with contextlib.suppress(LeaseLost), self._server.transaction() as connection:
                        steps.give_back(connection, claim, now=time.time())
        except BaseException:
            self._in_doubt.set()
            raise

    def _claim_of(self, claimed: ClaimedJob) -> Claim:
        if not self._is_ours(claimed):
            raise LeaseLost(claimed.row_id)
        return Claim(claimed.row_id, claimed.claim_no, self._life.worker())

    def _is_ours(self, claimed: ClaimedJob) -> bool:
        held = self._held.get(claimed.row_id)
        return held is not None and held.claim_no == claimed.claim_no

    def _let_go(self, claimed: ClaimedJob) -> None:
        self._held.pop(claimed.row_id, None)
        self._signal.notify()  # an event that came meanwhile under the same key can run now

    def _hear(self) -> None:
        self._news += 1
        self._signal.notify()
