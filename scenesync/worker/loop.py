"""The loop that feeds the worker: claim what is due, fetch the scenes in one request, sync them in parallel."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.batches import batched
from scenesync.domain.errors import (
    LeaseLost,
    PermanentError,
    StashRefused,
    StashUnauthorized,
    TransientError,
)
from scenesync.domain.job import DESTROY, METADATA
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError
from scenesync.worker.attempting import Attempting
from scenesync.worker.attempts import Running
from scenesync.worker.circuit_breaker import CircuitState
from scenesync.worker.hand_out import HandOut
from scenesync.worker.holdings import Holdings
from scenesync.worker.interpreter import tuned_for_waiting_threads
from scenesync.worker.preparing import AT_ONCE_FROM, Preparing
from scenesync.worker.settling import Settling
from scenesync.worker.settling_unchanged import settle_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.domain.job import ClaimedJob
    from scenesync.domain.outcome import Attempt
    from scenesync.domain.ports import SceneSource
    from scenesync.worker.availability.gate import Gate
    from scenesync.worker.availability.plex_connection import PlexSession
    from scenesync.worker.fan_out_steps import FanOut, SceneMemory
    from scenesync.worker.preparing import Turn
    from scenesync.worker.processor import SyncWorker

log = logging.getLogger(__name__)

IDLE_WAIT_S: Final = 1.0
SHORT_WAIT_S: Final = 0.05
LOOK_AGAIN_AFTER_S: Final = 0.25
"""After a vain look for jobs, if the queue tells of none before: that one became due it does not tell."""
MAINTAIN_EVERY_S: Final = 60.0
LOOK_FOR_DEAD_EVERY_S: Final = 5.0
ASK_FOR_TIDYING_EVERY_S: Final = 600.0
JOBS_IN_HAND: Final = 400
"""Four full batches: while one is written the next is decided and another fetched from Stash. What a person saves is
claimed beside them and goes first."""
REFILL: Final = 100
"""How many are claimed and fetched at once, in one request to Stash."""
URGENT_PER_WORKER: Final = 4


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """How a run behaves: ``workers`` scenes side by side; times in seconds.

    With ``until_idle`` it ends when nothing is due, or after ``deadline_s`` (None: never). Jobs in hand at a stop are
    given ``hand_back_after_s`` to finish.
    """

    workers: int = 4
    until_idle: bool = False
    deadline_s: float | None = None
    refresh_index_every_s: float = 30.0
    hand_back_after_s: float = 5.0


class WorkLoop:
    """Runs a worker until it is told to stop.

    ``observers`` are told of every attempt at a scene, from the thread that made it. ``memory`` hears of every scene
    before it is synced. Without ``fan_out`` such jobs are none that this loop knows. ``on_turn`` is called again and
    again as long as the loop turns, be it busy, idle or waiting for a server. ``history`` gets attempts that ended
    together in one piece. While ``bulk_waits`` only what a person saved is begun. Collections are tidied by who
    ``keeps_collections``. ``computing`` is what a thread holds
    while it computes for many scenes, shared with who does so elsewhere (None: nobody).
    """

    def __init__(
        self,
        worker: SyncWorker,
        source: SceneSource,
        gate: Gate,
        *,
        limits: LoopLimits,
        observers: Sequence[Callable[[Attempt], None]] = (),
        fan_out: FanOut | None = None,
        memory: SceneMemory | None = None,
        on_turn: Callable[[], None] | None = None,
        history: Callable[[Sequence[Attempt]], None] | None = None,
        bulk_waits: Callable[[], bool] = lambda: False,
        keeps_collections: Callable[[], bool] = lambda: True,
        computing: Turn | None = None,
    ) -> None:
        self._keeps_collections = keeps_collections
        self._bulk_waits = bulk_waits
        self._worker = worker
        self._source = source
        self._gate = gate
        self._fan_out = fan_out
        self._memory = memory
        self._on_turn = on_turn
        self._limits = limits
        # Fetching, deciding and proving compute for a hundred scenes at once. They take turns by this lock: by the
        # interpreter's alone, a writing thread whose answer has come would have to wait for all three of them.
        self._computing: Turn = threading.RLock() if computing is None else computing
        self._work = HandOut()
        self._undecided = HandOut()
        self._fan_outs = HandOut()
        self._in_hand = max(JOBS_IN_HAND, limits.workers * URGENT_PER_WORKER)
        self._holdings = Holdings(wake_at=self._in_hand - REFILL)
        self._settling = Settling(
            worker, gate, self._holdings, observers, until_idle=limits.until_idle, history=history
        )
        self._preparing = Preparing(
            self._settling, worker.circuit_breaker, self._undecided, self._work, self._computing
        )
        self._attempting = Attempting(
            worker, self._settling, self._holdings, self._preparing, self._work, self._computing
        )
        self._stop = threading.Event()
        self._last_edits_in = threading.Event()
        self._index_refreshed_at = time.monotonic()
        self._tidied_at: float | None = None
        self._look_again_at = 0.0
        self._maintained_at = self._looked_for_dead_at = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, or until idle or the deadline if the limits say so.

        Jobs in hand are finished or given back before this returns. Raises what the gate raises.
        """
        self._stop = stop
        self._settling.begin(stop)
        self._attempting.begin(stop)
        proven = threading.Event()
        threads = [
            threading.Thread(target=self._work_off, args=(self._work,), name=f"sync-{number}", daemon=True)
            for number in range(self._limits.workers)
        ]
        # One of their own: a run of thousands is planned for a minute, and scenes must not wait for that.
        threads.append(threading.Thread(target=self._work_off, args=(self._fan_outs,), name="fan-out", daemon=True))
        threads.append(threading.Thread(target=self._prepare, args=(stop,), name="prepare", daemon=True))
        threads.append(threading.Thread(target=self._prove, args=(proven,), name="prove", daemon=True))
        with tuned_for_waiting_threads():
            for thread in threads:
                thread.start()
            try:
                self._feed(stop)
            finally:
                self._wind_down(threads, proven)

    def require_session(self) -> PlexSession:
        """Return what belongs to the Plex server that answered last. Raises PlexServerDown if none ever did."""
        return self._gate.require_session()

    def is_accepted(self) -> bool:
        """Say whether no server refuses us until a person changes something."""
        return not self._gate.is_refused

    # -- feeding ---------------------------------------------------------------------------------------------------

    def _feed(self, stop: threading.Event) -> None:
        started = time.monotonic()
        while not stop.is_set():
            if self._limits.deadline_s is not None and time.monotonic() - started >= self._limits.deadline_s:
                return
            if self._settling.broken is not None:
                raise self._settling.broken
            if self._on_turn is not None:
                self._on_turn()
            try:
                if self._turn(stop):
                    return
            except (QueueError, StoreError) as error:
                self._settling.disk_failed(error)

    def _turn(self, stop: threading.Event) -> bool:
        """Do what there is to do now, or wait for it; say whether the run is at its end."""
        self._settling.pause_if_in_trouble()
        self._settling.settle_the_unsettled()
        self._look_after_the_queue()
        session = self._gate.session()
        if session is None:
            stop.wait(self._gate.pause_s())
            return False
        self._refresh_index_if_due(session)
        if not session.index.is_there():
            self._refresh_index(session)
            stop.wait(SHORT_WAIT_S)
            return False
        self._tidy_collections_if_due(session)
        room = self._room()
        if room and self._may_find_jobs() and self._claim_and_fetch(session, room):
            self._last_edits_in.clear()
        elif not self._holdings.is_empty():
            self._let_persons_go_first(session)
            if self._limits.until_idle and self._holdings.only_proofs_left() and self._nothing_due():
                self._last_edits_in.set()
            self._holdings.wait(SHORT_WAIT_S)
        elif not room:
            # Nobody has looked for work: there may be some in the spool, which neither ends a run nor is news again
            # and again.
            stop.wait(SHORT_WAIT_S)
        elif self._limits.until_idle and self._nothing_due():
            return True
        else:
            self._worker.jobs.wait_for_change(self._idle_wait_s(), stop)
        return False

    def _look_after_the_queue(self) -> None:
        """Take over what dead workers left, however much else is due; keep the queue's files small, idle or not."""
        now = time.monotonic()
        if now - self._looked_for_dead_at >= LOOK_FOR_DEAD_EVERY_S:
            self._looked_for_dead_at = now
            self._worker.jobs.take_over_dead_owners()
        if now - self._maintained_at >= MAINTAIN_EVERY_S:
            self._maintained_at = now
            self._worker.jobs.maintain()

    def _refresh_index_if_due(self, session: PlexSession) -> None:
        if time.monotonic() - self._index_refreshed_at < self._limits.refresh_index_every_s:
            return
        self._index_refreshed_at = time.monotonic()
        self._refresh_index(session)

    def _refresh_index(self, session: PlexSession) -> None:
        try:
            session.index.refresh_unless_under_way()
        except (TransientError, PermanentError) as error:
            log.debug("path index not refreshed: %s", error)
            self._gate.note(error)

    def _tidy_collections_if_due(self, session: PlexSession) -> None:
        if self._tidied_at is not None and time.monotonic() - self._tidied_at < ASK_FOR_TIDYING_EVERY_S:
            return
        self._tidied_at = time.monotonic()
        if not self._keeps_collections():
            return
        try:
            session.collections.tidy_if_due(lambda: not self._stop.is_set())
        except (TransientError, PermanentError) as error:
            log.debug("collections not tidied: %s", error)
            self._gate.note(error)

    def _room(self) -> int:
        """Return how many jobs may begin now; the others stay in the queue, where everybody sees them."""
        room = self._holdings.room(self._in_hand)
        if room < REFILL:  # in batches: one request to Stash and one to Plex for many scenes
            return 0
        return self._gate.may_begin(room - room % REFILL)

    def _may_find_jobs(self) -> bool:
        """Say whether to look for jobs: while some are in hand, not at each turn where there were none a moment ago."""
        return (
            time.monotonic() >= self._look_again_at
            or self._holdings.is_empty()
            or self._worker.jobs.wait_for_change(0, self._stop)
        )

    def _let_persons_go_first(self, session: PlexSession) -> None:
        """Claim what a person saved a moment ago, although there is enough in hand."""
        room = self._holdings.room(self._in_hand + self._limits.workers * URGENT_PER_WORKER)
        if room and (allowed := self._gate.may_begin(room)):
            self._fetch_and_hand_out(session, self._worker.jobs.claim_urgent(allowed))

    def _claim_and_fetch(self, session: PlexSession, room: int) -> bool:
        """Claim up to ``room`` jobs, fetch their scenes and hand them out; False if there were none."""
        claims = self._worker.jobs.claim_urgent(room) if self._bulk_waits() else self._worker.jobs.claim(room)
        self._fetch_and_hand_out(session, claims)
        self._look_again_at = 0.0 if claims else time.monotonic() + LOOK_AGAIN_AFTER_S
        return bool(claims)

    def _fetch_and_hand_out(self, session: PlexSession, claims: Sequence[ClaimedJob]) -> None:
        self._gate.begun(len(claims))
        self._holdings.add(claims)
        jobs = [Running(claim, session) for claim in claims]
        if self._fan_out is not None:
            for job in jobs:
                if job.is_fan_out:
                    self._fan_outs.put(job)
            jobs = [job for job in jobs if not job.is_fan_out]
        for batch in batched(jobs, REFILL):  # the first of them need not wait for the last
            self._hand_out(settle_unchanged(session, self._fetch(batch), self._settling))

    def _hand_out(self, jobs: Sequence[Running]) -> None:
        """Let scenes be decided together, but for a few that a person waits for, and those that Stash has not."""
        there = [job for job in jobs if job.scene is not None]
        few = len(there) < (AT_ONCE_FROM if all(job.is_urgent for job in there) else 2)
        self._work.put_all([job for job in jobs if few or job.scene is None])
        if not few:
            self._undecided.put_all(there)

    def _fetch(self, jobs: Sequence[Running]) -> list[Running]:
        """Return the jobs with their scenes (None: Stash has none); those that cannot be looked up are settled here."""
        sound = [job for job in jobs if self._is_sound(job)]
        if not sound:
            return []
        try:
            scenes = self._source.scenes([job.claim.scene_id for job in sound])
            if self._memory is not None:
                with self._computing:
                    self._memory.note(scenes.values())
        except Exception as error:  # noqa: BLE001 - whatever it is, each job must be settled by the table
            if len(sound) > 1 and isinstance(error, StashRefused) and not isinstance(error, StashUnauthorized):
                # One scene that Stash cannot answer for must not take the others with it.
                return [fetched for job in sound for fetched in self._fetch([job])]
            for job in sound:
                self._settling.settle(job, error)
            return []
        self._gate.stash_answered()
        for job in sound:
            job.scene = scenes.get(job.claim.scene_id)
        return sound

    def _is_sound(self, job: Running) -> bool:
        scene_id, update_type = job.claim.job.get("scene_id"), job.claim.job.get("update_type", METADATA)
        if isinstance(scene_id, int) and scene_id > 0 and update_type in (METADATA, DESTROY):
            return True
        self._settling.settle(job, PermanentError(f"This is no job that SceneSync knows: {scene_id=} {update_type=}."))
        return False

    def _nothing_due(self) -> bool:
        due_at = self._worker.jobs.next_due_at()
        return due_at is None or due_at > time.time()

    def _idle_wait_s(self) -> float:
        due_at = self._worker.jobs.next_due_at()
        until_due_s = IDLE_WAIT_S if due_at is None or self._bulk_waits() else due_at - time.time()
        return min(IDLE_WAIT_S, max(SHORT_WAIT_S, until_due_s))

    # -- working ---------------------------------------------------------------------------------------------------

    def _work_off(self, handed_out: HandOut) -> None:
        while (job := handed_out.get()) is not None:
            try:
                if job.is_fan_out:
                    self._go_one_page_further(job)
                else:
                    self._attempting.attempt(job)
            except Exception as error:  # noqa: BLE001 - a thread that dies in silence leaves a daemon that does nothing
                self._settling.broken = error

    def _go_one_page_further(self, job: Running) -> None:
        """Let a fan-out find its next scenes; between two pages everything else gets its turn."""
        if self._stop.is_set():
            self._settling.hand_back(job)
            return
        job.begin(None)
        assert self._fan_out is not None  # noqa: S101 - without it no such job gets here
        try:
            rest = self._fan_out.step(job.claim.job)
        except Exception as error:  # noqa: BLE001 - as in _attempt
            self._settling.settle(job, error)
            return
        self._gate.stash_answered()
        if rest is None:
            self._settling.settle(job, None)
        else:
            self._settling.go_on_later(job, rest)

    def _prepare(self, stop: threading.Event) -> None:
        """Decide for many until there is nothing left to, and only then let those go who write what was decided."""
        try:
            self._preparing.run(stop)
        finally:
            self._work.close()

    def _prove(self, ended: threading.Event) -> None:
        """Read edits back in batches until the loop has ended."""
        while not ended.wait(SHORT_WAIT_S):
            if not self._stop.is_set() and self._worker.circuit_breaker.state is not CircuitState.CLOSED:
                continue  # while Plex is down nothing but its identity is asked
            try:
                self._attempting.prove(in_a_hurry=self._stop.is_set() or self._last_edits_in.is_set())
            except Exception as error:  # noqa: BLE001 - as in _work_off
                self._settling.broken = error

    # -- stopping --------------------------------------------------------------------------------------------------

    def _wind_down(self, threads: Sequence[threading.Thread], proven: threading.Event) -> None:
        """Let jobs in hand finish for a while, then give the rest back."""
        self._undecided.close()
        self._fan_outs.close()
        deadline = time.monotonic() + self._limits.hand_back_after_s
        while not self._holdings.is_empty() and time.monotonic() < deadline:
            self._holdings.wait(SHORT_WAIT_S)
        self._work.close()
        self._give_the_rest_back()
        proven.set()
        for thread in threads:
            # One that hangs in a request is left behind; it can settle nothing any more.
            thread.join(timeout=max(0.0, deadline - time.monotonic()) + SHORT_WAIT_S)

    def _give_the_rest_back(self) -> None:
        for claim in self._holdings.remove_all():
            try:
                self._worker.jobs.release(claim)
            except LeaseLost:
                log.debug("job had ended on its own scene=%s", claim.job.get("scene_id"))
            except QueueError as error:
                # A locked or failing file: closing it frees them all, and the next worker takes them over.
                log.debug("jobs not given back: %s", error)
                return
