"""Attempts: what a writing thread does with a job that it is given, and what becomes of it when its edit is proven."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenesync.domain.errors import PermanentError, SceneGone
from scenesync.plex.exceptions import PlexNotFound
from scenesync.store.errors import StoreError
from scenesync.worker.circuit_breaker import CircuitState
from scenesync.worker.proof import Unproven

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.domain.job import ClaimedJob
    from scenesync.domain.scene import Scene
    from scenesync.worker.attempts import Running
    from scenesync.worker.circuit_breaker import Permit
    from scenesync.worker.hand_out import HandOut
    from scenesync.worker.holdings import Holdings
    from scenesync.worker.preparing import Preparing, Turn
    from scenesync.worker.processor import SyncWorker
    from scenesync.worker.proof import ProofDesk
    from scenesync.worker.settling import Settling
    from scenesync.worker.sync_plan import SyncResult

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, kw_only=True)
class UnprovenJob(Unproven):
    """An attempt at a job that waits for its proof."""

    job: Running


class Attempting:
    """Attempts jobs about scenes, in whichever thread; edits wait for their proof at the desks of their sessions."""

    def __init__(
        self,
        worker: SyncWorker,
        settling: Settling,
        holdings: Holdings,
        preparing: Preparing,
        work: HandOut,
        computing: Turn,
    ) -> None:
        self._computing = computing
        self._desks: list[ProofDesk] = []
        self._desks_lock = threading.Lock()
        self._worker = worker
        self._settling = settling
        self._holdings = holdings
        self._preparing = preparing
        self._work = work
        self._stop = threading.Event()

    def begin(self, stop: threading.Event) -> None:
        """Attempt nothing more once ``stop`` is set."""
        self._stop = stop

    def attempt(self, job: Running) -> None:
        """Attempt a job, and those whose edit is equal: the edit goes out in one request, all else one by one."""
        companions, job.companions = job.companions, ()
        if not companions:
            self._attempt_if_allowed(job)
            return
        together = [job, *companions]
        if self._may_begin() and not self._send_together(together):
            return
        if job.decided is not None and job.decided.has_pictures:
            self._work.put_all(companions)  # other threads see to the pictures of the others
            companions = ()
        for each in (job, *companions):
            self._attempt_if_allowed(each)

    def prove(self, *, in_a_hurry: bool) -> None:
        """Read edits back, those that waited long enough or, ``in_a_hurry``, all: no others will come to join them."""
        for desk in self._desks_in_use():
            due_in_s = desk.due_in_s()
            if due_in_s is not None and (due_in_s <= 0 or in_a_hurry):
                only_whole = desk.has_whole_batch() and not in_a_hurry
                desk.check(self._stop, self._proven_together, only_whole_batches=only_whole)

    def _may_begin(self) -> bool:
        return not self._stop.is_set() and self._worker.circuit_breaker.state is CircuitState.CLOSED

    def _attempt_if_allowed(self, job: Running) -> None:
        # In half-open the connection's own probe decides, not a job.
        permit = None if self._stop.is_set() else self._worker.circuit_breaker.permit_if_closed()
        if permit is None:
            self._settling.hand_back(job)
        else:
            self._attempt(job, permit)

    def _attempt(self, job: Running, permit: Permit) -> None:
        job.begin(permit)
        self._preparing.begins(job)
        try:
            job.result = result = self._sync(job)
        except Exception as error:  # noqa: BLE001 - one job's failure, whatever it is, goes to the table
            self._settling.settle(job, error)
            return
        if result.is_done:
            self._settling.settle(job, result.picture_error)
            return
        self._holdings.wait_for_proof(job.claim)
        unproven = UnprovenJob(
            job.claim.scene_id,
            result,
            on_settled=lambda error: self._proven(job, error or result.picture_error),
            still_ours=lambda: self._still_ours(job.claim),
            job=job,
        )
        self._hand_in(job.session.proofs, unproven)

    def _hand_in(self, desk: ProofDesk, unproven: UnprovenJob) -> None:
        with self._desks_lock:
            if desk not in self._desks:
                self._desks.append(desk)
            desk.add(unproven)

    def _desks_in_use(self) -> Sequence[ProofDesk]:
        """Return the desks where something waits; those of sessions that are over have had their last."""
        with self._desks_lock:
            self._desks = [desk for desk in self._desks if desk.due_in_s() is not None]
            return list(self._desks)

    def _sync(self, job: Running) -> SyncResult:
        """Make Plex show the scene, or part with it; raises SceneGone where that leaves nothing to be proven."""

        def still_ours() -> bool:
            return self._still_ours(job.claim)

        if job.decided is not None:
            return job.session.scene_sync.carry_out(job.decided, still_ours)
        if job.scene is not None:
            return job.session.scene_sync.sync(job.scene, still_ours)
        parted = job.session.departures.part_with(job.claim.scene_id, job.claim.job, still_ours)
        if parted is None:
            raise SceneGone(f"Scene {job.claim.scene_id} no longer exists in Stash.")
        return parted

    def _send_together(self, jobs: Sequence[Running]) -> bool:
        """Send the edit of all these jobs; say whether their attempts go on."""
        by_scene = {job.claim.scene_id: job for job in jobs}

        def still_ours(scene: Scene) -> bool:
            return self._still_ours(by_scene[scene.id].claim)

        try:
            decided = [job.decided for job in jobs if job.decided is not None]
            sent = jobs[0].session.scene_sync.send_together(decided, still_ours)
        except (PermanentError, PlexNotFound) as error:  # it may concern any of the items
            log.debug("equal edits not sent as one scenes=%d: %s", len(jobs), error)
            return True
        except Exception as error:  # noqa: BLE001 - whatever it is, each job must be settled by the table
            for job in jobs:
                job.begin(None)
                self._settling.settle(job, error)
            return False
        for each in sent:
            by_scene[each.scene.id].decided = each
        return True

    def _proven(self, job: Running, error: Exception | None) -> None:
        if error is None and job.scene is None and job.result is not None:
            try:
                job.session.departures.conclude(job.claim.scene_id, job.result)
            except StoreError as failure:
                error = failure  # to be done again, which then finds nothing to write
        self._settling.settle(job, error)

    def _proven_together(self, proven: Sequence[Unproven]) -> None:
        """End jobs in one step; those that are about more than what is proven end by themselves."""
        plain: list[Running] = []
        for claim in proven:
            if isinstance(claim, UnprovenJob) and claim.job.scene is not None and claim.result.picture_error is None:
                plain.append(claim.job)
            else:
                claim.settle(None)
        with self._computing:
            self._settling.settle_done(plain)

    def _still_ours(self, claim: ClaimedJob) -> bool:
        return self._holdings.has(claim) and self._worker.jobs.confirm_owned(claim)
