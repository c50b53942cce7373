"""One attempt while it runs, and the record that is left of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenesync.domain.desired import shown_title
from scenesync.domain.errors import SceneGone, SceneSkipped, told
from scenesync.domain.job import FANOUT, PRIORITY_PERSON
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.worker.decision import Ack, Dead, Decision, Retry, Wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.domain.job import ClaimedJob
    from scenesync.domain.scene import Scene
    from scenesync.worker.availability.plex_connection import PlexSession
    from scenesync.worker.circuit_breaker import Permit
    from scenesync.worker.sync_plan import Decided, SyncResult


@dataclass(slots=True)
class Running:
    """A claimed job on its way: it gains its scene, its permit and its result as it goes."""

    claim: ClaimedJob
    session: PlexSession
    scene: Scene | None = None
    decided: Decided | None = None
    """What is to be done, if that was decided together with other scenes: ``batch_size`` are to be written."""
    batch_size: int = 0
    is_last_of_batch: bool = False
    is_known: bool = False
    """Nothing is to be done for the scene, which was known without a question to Plex."""
    companions: Sequence[Running] = ()
    """Others whose edit is equal, so that one request carries them all; they are handed out with this one."""
    permit: Permit | None = None
    result: SyncResult | None = None
    started_at: float = 0.0
    started_monotonic: float = field(default=0.0)

    @property
    def is_fan_out(self) -> bool:
        """Whether the job looks for scenes, instead of being about one."""
        return self.claim.job.get("update_type") == FANOUT

    @property
    def is_urgent(self) -> bool:
        """Whether a person waits for it."""
        return self.claim.priority <= PRIORITY_PERSON

    def begin(self, permit: Permit | None) -> None:
        """Start the clock: time spent waiting for a free worker is not part of the attempt."""
        self.permit = permit
        self.started_at = time.time()
        self.started_monotonic = time.monotonic()


def describe(job: Running, decision: Decision, error: Exception | None) -> Attempt:
    """Return the record of an attempt."""
    result = job.result
    return Attempt(
        scene_id=scene_id if isinstance(scene_id := job.claim.job.get("scene_id"), int) else 0,
        outcome=outcome_of(decision, error, changed=bool(result and result.written)),
        started_at=job.started_at,
        duration_s=time.monotonic() - job.started_monotonic,
        error_type=type(error).__name__ if error else "",
        message=told(error) if error else "",
        rule=result.match.rule.value if result else "",
        rating_keys=result.match.rating_keys if result else (),
        changed_fields=result.changed_fields if result else (),
        retry_at=decision.at if isinstance(decision, Retry) else None,
        title=shown_title(job.scene) if job.scene is not None else "",
        path=job.scene.files[0].path if job.scene is not None and job.scene.files else "",
        server_id=job.session.identity.machine_identifier,
    )


def outcome_of(decision: Decision, error: Exception | None, *, changed: bool) -> Outcome:
    """Name what became of an attempt."""
    match decision:
        case Ack():
            if isinstance(error, (SceneSkipped, SceneGone)):
                return Outcome.SKIPPED
            return Outcome.SYNCED if changed else Outcome.UNCHANGED
        case Retry():
            return Outcome.RETRY
        case Dead():
            return Outcome.DEAD
        case Wait():
            return Outcome.DEFERRED
