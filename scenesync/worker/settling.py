"""End attempts: carry out what the decision table says, tell who has to know, survive a disk in trouble."""

from __future__ import annotations

import logging
import queue as handoff
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import AttemptCut, LeaseLost
from scenesync.domain.matching import Match
from scenesync.domain.outcome import Outcome
from scenesync.domain.paths import name_key
from scenesync.plex.exceptions import PlexNotFound
from scenesync.queue.errors import QueueDamaged, QueueError
from scenesync.store.errors import StoreDamaged, StoreError
from scenesync.worker.attempts import Running, describe, outcome_of
from scenesync.worker.availability.disk_trouble import DiskTrouble
from scenesync.worker.decision import Ack, Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.domain.job import Job
    from scenesync.domain.outcome import Attempt
    from scenesync.worker.availability.gate import Gate
    from scenesync.worker.decision import Decision
    from scenesync.worker.holdings import Holdings
    from scenesync.worker.processor import SyncWorker

log = logging.getLogger(__name__)

DISK_PAUSE_S: Final = 1.0


class Settling:
    """Settles jobs, from whichever thread attempted them.

    ``broken`` is what ends the run: a damaged file, a bug in a thread or, with ``until_idle``, a disk that cannot be
    used. A job that the queue could not take stays in hand and is settled later. ``history`` gets the attempts that
    ended together in one piece, each of ``observers`` one by one.
    """

    def __init__(
        self,
        worker: SyncWorker,
        gate: Gate,
        holdings: Holdings,
        observers: Sequence[Callable[[Attempt], None]],
        *,
        until_idle: bool,
        history: Callable[[Sequence[Attempt]], None] | None = None,
    ) -> None:
        self.broken: Exception | None = None
        self._worker = worker
        self._gate = gate
        self._holdings = holdings
        self._observers = tuple(observers)
        self._history = history or _forget
        self._until_idle = until_idle
        self._stop = threading.Event()
        self._pause_wanted = threading.Event()
        self._unsettled: handoff.SimpleQueue[tuple[Running, Exception | None]] = handoff.SimpleQueue()
        self._queue_trouble = DiskTrouble("queue")
        self._state_trouble = DiskTrouble("state store")

    def begin(self, stop: threading.Event) -> None:
        """Let pauses end when ``stop`` is set."""
        self._stop = stop

    def settle(self, job: Running, error: Exception | None) -> None:
        """End an attempt that ended with ``error`` (None: it worked)."""
        if not self._holdings.has(job.claim):
            return  # given back at a stop: whoever has it now settles it
        if isinstance(error, PlexNotFound):
            _note_file(job)
        if isinstance(error, (QueueError, StoreError)) and not isinstance(error, LeaseLost):
            self._met_in_an_attempt(error)
        try:
            decision = self._worker.settle(job.claim, error)
        except LeaseLost:
            log.warning("job was taken over by another process scene=%s", job.claim.job.get("scene_id"))
            self._holdings.remove(job.claim)
        except QueueError as failure:
            self._queue_trouble.met(failure)
            self._unsettled.put((job, error))
            if self._until_idle or isinstance(failure, QueueDamaged):
                self.broken = failure  # the job goes back at the end
        else:
            self._queue_trouble.over()
            self._settled(job, decision, error)

    def _settled(self, job: Running, decision: Decision, error: Exception | None) -> None:
        """Let go of a job that the queue has again, or has no more, and tell who has to know."""
        # One that went well and asked Plex for nothing says nothing about Plex.
        if error is not None or not (job.is_fan_out or job.is_known):
            self._gate.note(error, job.permit, began_at=job.started_monotonic or None)
        self._holdings.remove(job.claim)
        if isinstance(error, PlexNotFound) and isinstance(decision, Retry):
            self._wake_if_found_meanwhile(job, error)
        if job.is_fan_out:
            _log_fan_out(job, decision, error)
        else:
            self._tell([describe(job, decision, error)])

    def _wake_if_found_meanwhile(self, job: Running, error: PlexNotFound) -> None:
        """Wake a job whose file came after the attempt looked for it and before the job waited to be woken."""
        # Where Plex took back what the index had answered, the index might answer the same again, and again.
        if job.scene is None or not job.scene.files or error.facts.get("rule", "") is not None:
            return
        try:
            if isinstance(job.session.scene_sync.match(job.scene), Match):
                self._worker.jobs.wake_for_files([name_key(job.scene.files[0].path)])
        except (QueueError, StoreError) as failure:
            log.debug("job not woken, its time will come scene=%s: %s", job.scene.id, failure)

    def settle_done(self, jobs: Sequence[Running]) -> None:
        """End attempts at scenes that worked, all in one step."""
        jobs = [job for job in jobs if self._holdings.has(job.claim)]
        if not jobs:
            return
        try:
            lost = self._worker.settle_done([job.claim for job in jobs])
        except QueueError as failure:
            self._queue_trouble.met(failure)
            for job in jobs:
                self._unsettled.put((job, None))
            if self._until_idle or isinstance(failure, QueueDamaged):
                self.broken = failure
            return
        self._queue_trouble.over()
        for claim in lost:
            log.warning("job was taken over by another process scene=%s", claim.job.get("scene_id"))
        done = [job for job in jobs if job.claim not in lost]
        for job in done:
            if not job.is_known:
                self._gate.note(None, job.permit, began_at=job.started_monotonic or None)
        self._holdings.remove_all_of([job.claim for job in jobs])
        self._tell([describe(job, Ack(), None) for job in done])

    def _met_in_an_attempt(self, error: QueueError | StoreError) -> None:
        """Let the job go back, but the loop pause before it claims again; or end the run."""
        (self._queue_trouble if isinstance(error, QueueError) else self._state_trouble).met(error)
        if self._until_idle or isinstance(error, (QueueDamaged, StoreDamaged)):
            self.broken = error
        else:
            self._pause_wanted.set()

    def go_on_later(self, job: Running, rest: Job) -> None:
        """Let a fan-out that has found some of its scenes wait again, behind everything else that is due."""
        try:
            self._worker.jobs.requeue(job.claim, rest)
        except LeaseLost:
            self._holdings.remove(job.claim)
        except QueueError as failure:
            self._queue_trouble.met(failure)
            # As it was: the page that was found merges with what waits when it is found again.
            self._unsettled.put((job, AttemptCut("The fan-out could not be put back.")))
        else:
            self._queue_trouble.over()
            self._holdings.remove(job.claim)

    def hand_back(self, job: Running) -> None:
        """Let a job that was not begun wait again, as it was."""
        try:
            self._worker.jobs.release(job.claim)
        except LeaseLost:
            self._holdings.remove(job.claim)
        except QueueError as failure:
            # Out of our hands it would stay claimed, by a process that lives, and nobody would ever take it over.
            self._queue_trouble.met(failure)
            job.begin(None)
            self._unsettled.put((job, AttemptCut("The job could not begin.")))
        else:
            self._holdings.remove(job.claim)

    def pause_if_in_trouble(self) -> None:
        """Wait a moment if an attempt met a disk in trouble since the last call: once, however many met it."""
        if self._pause_wanted.is_set():
            self._pause_wanted.clear()
            self._stop.wait(DISK_PAUSE_S)

    def settle_the_unsettled(self) -> None:
        """Try again what the queue could not take, until it refuses again."""
        before = self._unsettled.qsize()
        for left in reversed(range(before)):
            self.settle(*self._unsettled.get())
            if self._unsettled.qsize() > left:
                return

    def disk_failed(self, error: QueueError | StoreError) -> None:
        """Wait for the disk or a lock to come back; raise the error if it is damage, or if the run is to end."""
        if self._until_idle or isinstance(error, (QueueDamaged, StoreDamaged)):
            raise error
        (self._queue_trouble if isinstance(error, QueueError) else self._state_trouble).met(error)
        self._stop.wait(DISK_PAUSE_S)

    def _tell(self, attempts: Sequence[Attempt]) -> None:
        tellings = [partial(self._history, attempts)]
        tellings += [partial(observer, attempt) for observer in self._observers for attempt in attempts]
        noted = True
        for tell in tellings:
            try:
                tell()
            except StoreError as failure:
                self._state_trouble.met(failure)
                noted = False
        if noted:
            self._state_trouble.over()


def _forget(attempts: Sequence[Attempt]) -> None:
    del attempts


def _log_fan_out(job: Running, decision: Decision, error: Exception | None) -> None:
    level = {Outcome.DEAD: logging.ERROR, Outcome.RETRY: logging.WARNING}.get(
        outcome_of(decision, error, changed=False), logging.DEBUG
    )
    log.log(level, "fan-out %s job=%s error=%s", type(decision).__name__.lower(), job.claim.job_key, error or "-")


def _note_file(job: Running) -> None:
    """Keep with the job which file it waits for, so that it can be woken when this file appears."""
    if job.scene is not None and job.scene.files:
        data = job.claim.job.get("data")
        known = data if isinstance(data, dict) else {}
        job.claim.job["data"] = {**known, "path": job.scene.files[0].path}
