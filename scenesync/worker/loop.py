"""The loop that feeds the worker: claim what is due, fetch the scenes in one request, sync them in parallel."""

from __future__ import annotations

import logging
import queue as handoff
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import (
    LeaseLost,
    LibraryNotFound,
    PermanentError,
    SceneGone,
    StashRefused,
    StashUnauthorized,
    StashUnavailable,
    TransientError,
)
from scenesync.domain.job import DESTROY, METADATA
from scenesync.plex.exceptions import PlexNotFound, PlexServerDown, PlexUnauthorized
from scenesync.worker.attempts import Running, describe
from scenesync.worker.circuit_breaker import CircuitBreaker, CircuitState
from scenesync.worker.error_rules import rule_for
from scenesync.worker.health import HealthListener
from scenesync.worker.plex_connection import NeedsPerson, PlexConnection, PlexSession
from scenesync.worker.proof import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.domain.job import ClaimedJob
    from scenesync.domain.outcome import Attempt
    from scenesync.domain.ports import SceneSource
    from scenesync.domain.scene import Scene
    from scenesync.worker.processor import SyncWorker

log = logging.getLogger(__name__)

IDLE_WAIT_S: Final = 1.0
STASH_RETRY_AFTER_S: Final = 1.0
JOBS_AHEAD_PER_WORKER: Final = 4
"""Few enough that a scene which a person saves overtakes a bulk, enough to fetch scenes from Stash in batches."""


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """How a run behaves: ``workers`` side by side; times in seconds, None is for ever.

    A run that does not wait for a person raises NeedsPerson at once, and raises PlexServerDown or StashUnavailable
    after ``unreachable_for_s``. With ``until_idle`` it ends when nothing is due, or after ``deadline_s``.
    """

    workers: int = 4
    until_idle: bool = False
    deadline_s: float | None = None
    unreachable_for_s: float | None = None
    retry_refused_every_s: float = 300.0
    refresh_index_every_s: float = 30.0
    hand_back_after_s: float = 5.0


class WorkLoop:
    """Runs a worker until it is told to stop.

    ``observers`` are told of every attempt, from the thread that made it. ``on_pause`` hears once when only a person
    can help.
    """

    def __init__(
        self,
        worker: SyncWorker,
        source: SceneSource,
        connection: PlexConnection,
        *,
        limits: LoopLimits,
        observers: Sequence[Callable[[Attempt], None]] = (),
        health: HealthListener | None = None,
    ) -> None:
        self._worker = worker
        self._source = source
        self._connection = connection
        self._limits = limits
        self._observers = tuple(observers)
        self._health = health or HealthListener()
        self._stash_breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=STASH_RETRY_AFTER_S)
        self._work: handoff.SimpleQueue[Running | None] = handoff.SimpleQueue()
        self._held: dict[int, ClaimedJob] = {}
        self._held_lock = threading.Lock()
        self._stop = threading.Event()
        self._refused: NeedsPerson | None = None
        self._refused_at = 0.0
        self._stash_seen = False
        self._stash_down_since: float | None = None
        self._stash_error: StashUnavailable | None = None
        self._index_refreshed_at = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, or until idle or the deadline if the limits say so.

        Jobs in hand are finished or given back before this returns. Raises what the limits say.
        """
        self._stop = stop
        threads = [
            threading.Thread(target=self._work_off, name=f"sync-{number}", daemon=True)
            for number in range(self._limits.workers)
        ]
        prover_done = threading.Event()
        threads.append(threading.Thread(target=self._prove, args=(prover_done,), name="prove", daemon=True))
        for thread in threads:
            thread.start()
        try:
            self._feed(stop)
        finally:
            self._wind_down(prover_done)

    def resume(self) -> None:
        """Try again what was refused: the settings changed."""
        self._refused = None
        self._connection.disconnect()

    # -- feeding ---------------------------------------------------------------------------------------------------

    def _feed(self, stop: threading.Event) -> None:
        started = time.monotonic()
        while not stop.is_set():
            if self._limits.deadline_s is not None and time.monotonic() - started >= self._limits.deadline_s:
                return
            session = self._usable_session()
            if session is None:
                self._give_up_if_unreachable()
                stop.wait(self._pause_s())
                continue
            self._refresh_index_if_due(session)
            fed = self._claim_and_fetch(session)
            if fed == 0 and self._is_idle():
                if self._limits.until_idle and self._nothing_due():
                    return
                self._worker.jobs.wait_for_change(self._idle_wait_s(), stop)
            elif fed == 0:
                stop.wait(0.01)

    def _usable_session(self) -> PlexSession | None:
        """Return the session if both sides can be worked with."""
        if self._refused is not None:
            if self._limits.unreachable_for_s is not None:
                raise self._refused
            if time.monotonic() - self._refused_at < self._limits.retry_refused_every_s:
                return None
            self._refused = None
        if not self._stash_breaker.can_execute():
            return None
        try:
            return self._connection.ready()
        except NeedsPerson as refused:
            self._refuse(refused)
            return None

    def _refuse(self, refused: NeedsPerson) -> None:
        """Stop giving out work until somebody acts; a run that cannot wait for that ends here."""
        if self._limits.unreachable_for_s is not None:
            raise refused
        if self._refused is None:
            log.error("paused until the settings change: %s", refused)
        self._refused, self._refused_at = refused, time.monotonic()

    def _give_up_if_unreachable(self) -> None:
        limit = self._limits.unreachable_for_s
        if limit is None:
            return
        if self._connection.last_error is not None and self._connection.down_for_s() >= limit:
            raise PlexServerDown(
                f"Plex was not reachable for {limit:.0f} s; all jobs are kept. {self._connection.last_error}"
            )
        if self._stash_down_since is not None and time.monotonic() - self._stash_down_since >= limit:
            raise StashUnavailable(f"Stash was not reachable for {limit:.0f} s; all jobs are kept. {self._stash_error}")

    def _pause_s(self) -> float:
        if self._refused is not None:
            return IDLE_WAIT_S
        return min(IDLE_WAIT_S, max(0.02, self._connection.next_probe_in_s()))

    def _refresh_index_if_due(self, session: PlexSession) -> None:
        if time.monotonic() - self._index_refreshed_at < self._limits.refresh_index_every_s:
            return
        self._index_refreshed_at = time.monotonic()
        try:
            session.index.refresh()
        except (PlexUnauthorized, LibraryNotFound) as error:
            self._refuse(NeedsPerson(error))
        except TransientError as error:
            self._note_for_breaker(error)

    def _claim_and_fetch(self, session: PlexSession) -> int:
        """Claim as many jobs as there is room for, fetch their scenes and hand them out; return how many."""
        with self._held_lock:
            room = self._limits.workers * JOBS_AHEAD_PER_WORKER - len(self._held)
        # Refill in batches: one request to Stash for several scenes.
        if room < self._limits.workers:
            return 0
        claims = self._worker.jobs.claim(room)
        if not claims:
            return 0
        with self._held_lock:
            self._held.update({claim.row_id: claim for claim in claims})
        for running in self._fetch(claims, session):
            self._work.put(running)
        return len(claims)

    def _fetch(self, claims: Sequence[ClaimedJob], session: PlexSession) -> list[Running]:
        """Return the jobs with their scenes; those that need no work or cannot have any now are settled here."""
        running = [Running(claim, session=session) for claim in claims]
        sound = [job for job in running if self._is_sound(job)]
        if not sound:
            return []
        try:
            scenes = self._source.scenes([job.claim.scene_id for job in sound])
        except Exception as error:  # noqa: BLE001 - whatever it is, each job must be settled by the table
            if isinstance(error, StashRefused) and not isinstance(error, StashUnauthorized) and len(sound) > 1:
                # One scene that Stash cannot answer for must not take the others with it.
                return [fetched for job in sound for fetched in self._fetch([job.claim], session)]
            for job in sound:
                self._settle(job, error)
            return []
        self._stash_answered()
        return [job for job in sound if self._has_scene(job, scenes)]

    def _is_sound(self, job: Running) -> bool:
        scene_id, update_type = job.claim.job.get("scene_id"), job.claim.job.get("update_type", METADATA)
        if isinstance(scene_id, int) and scene_id > 0 and update_type in {METADATA, DESTROY}:
            return True
        self._settle(job, PermanentError(f"This is no job that SceneSync knows: {scene_id=} {update_type=}."))
        return False

    def _has_scene(self, job: Running, scenes: Mapping[int, Scene]) -> bool:
        job.scene = scenes.get(job.claim.scene_id)
        if job.scene is None:
            self._settle(job, SceneGone(f"Scene {job.claim.scene_id} no longer exists in Stash."))
        return job.scene is not None

    def _nothing_due(self) -> bool:
        due_at = self._worker.jobs.next_due_at()
        return due_at is None or due_at > time.time()

    def _is_idle(self) -> bool:
        with self._held_lock:
            return not self._held

    def _idle_wait_s(self) -> float:
        due_at = self._worker.jobs.next_due_at()
        return IDLE_WAIT_S if due_at is None else min(IDLE_WAIT_S, max(0.02, due_at - time.time()))

    # -- working ---------------------------------------------------------------------------------------------------

    def _work_off(self) -> None:
        while (job := self._work.get()) is not None:
            if self._stop.is_set() or self._worker.circuit_breaker.state is not CircuitState.CLOSED:
                self._hand_back(job)
                continue
            self._attempt(job)

    def _attempt(self, job: Running) -> None:
        job.begin(self._worker.circuit_breaker.try_acquire())
        assert job.scene is not None  # noqa: S101 - jobs without a scene are settled before they get here
        try:
            job.result = job.session.scene_sync.sync(job.scene, lambda: self._worker.jobs.confirm_owned(job.claim))
        except Exception as error:  # noqa: BLE001 - one job's failure, whatever it is, goes to the table
            self._settle(job, error)
            return
        if job.result.written:
            job.session.proofs.add(Claim(job.claim.scene_id, job.result, lambda error: self._settle(job, error)))
        else:
            self._settle(job, None)

    def _prove(self, done: threading.Event) -> None:
        """Read edits back in batches until the loop has ended and nothing waits any more."""
        while True:
            session = self._connection.session
            due_in_s = session.proofs.due_in_s() if session else None
            if session is not None and due_in_s is not None and (due_in_s <= 0 or self._stop.is_set()):
                session.proofs.check(self._stop)
            elif done.wait(0.05 if due_in_s is None else min(0.05, due_in_s)):
                return

    def _settle(self, job: Running, error: Exception | None) -> None:
        """Carry out what follows, tell the breakers and the observers."""
        try:
            self._remember_hint(job, error)
            decision = self._worker.settle(job.claim, error)
        except LeaseLost:
            log.warning("job was taken over by another process scene=%s", job.claim.job.get("scene_id"))
            return
        finally:
            with self._held_lock:
                self._held.pop(job.claim.row_id, None)
        self._note_for_breaker(error, job)
        attempt = describe(job, decision, error)
        for observer in self._observers:
            observer(attempt)

    def _remember_hint(self, job: Running, error: Exception | None) -> None:
        """Keep the path with a job whose file Plex lacks, so that it can be woken when the file appears."""
        if isinstance(error, PlexNotFound) and job.scene is not None and job.scene.files:
            job.claim.job.setdefault("data", {})["path"] = job.scene.files[0].path

    def _note_for_breaker(self, error: Exception | None, job: Running | None = None) -> None:
        permit = job.permit if job else None
        if error is None:
            self._worker.circuit_breaker.record_success(permit)
        elif isinstance(error, (PlexUnauthorized, LibraryNotFound, StashUnauthorized)):
            self._pause_from_thread(error)
        elif isinstance(error, StashUnavailable):
            self._stash_failed(error)
        elif rule_for(error).opens_breaker:
            self._worker.circuit_breaker.record_failure(permit)

    def _pause_from_thread(self, error: Exception) -> None:
        # Only noted here: the feeding thread raises it when the run does not wait for a person.
        if self._refused is None:
            log.error("paused until the settings change: %s", error)
            self._refused, self._refused_at = NeedsPerson(error), time.monotonic()

    def _stash_failed(self, error: StashUnavailable) -> None:
        if self._stash_down_since is None:
            self._stash_down_since = time.monotonic()
            log.warning("stash is not available, jobs wait message=%s", error)
            self._health.stash_down(str(error))
        self._stash_error = error
        self._stash_breaker.record_failure()

    def _stash_answered(self) -> None:
        self._stash_breaker.record_success()
        if self._stash_down_since is not None or not self._stash_seen:
            log.info("stash answers")
            self._stash_seen = True
            self._stash_down_since = None
            self._health.stash_up()

    # -- stopping --------------------------------------------------------------------------------------------------

    def _wind_down(self, prover_done: threading.Event) -> None:
        """Let jobs in hand finish for a while, then give the rest back."""
        for _ in range(self._limits.workers):
            self._work.put(None)
        deadline = time.monotonic() + self._limits.hand_back_after_s
        while not self._is_idle() and time.monotonic() < deadline:
            time.sleep(0.01)
        prover_done.set()
        with self._held_lock:
            left = list(self._held.values())
            self._held.clear()
        for claim in left:
            try:
                self._worker.jobs.release(claim)
            except LeaseLost:
                log.debug("job ended on its own scene=%s", claim.job.get("scene_id"))

    def _hand_back(self, job: Running) -> None:
        with self._held_lock:
            held = self._held.pop(job.claim.row_id, None)
        if held is not None:
            try:
                self._worker.jobs.release(held)
            except LeaseLost:
                log.debug("job was taken over scene=%s", held.job.get("scene_id"))
