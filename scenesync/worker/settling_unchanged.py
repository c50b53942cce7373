"""End at once the jobs of scenes of which it is known that Plex shows them as wanted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from scenesync.domain.job import may_rely
from scenesync.store.errors import StoreError
from scenesync.worker.sync_plan import SyncResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.domain.matching import Match
    from scenesync.worker.attempts import Running
    from scenesync.worker.availability.plex_connection import PlexSession
    from scenesync.worker.settling import Settling

log = logging.getLogger(__name__)


def settle_unchanged(session: PlexSession, jobs: Sequence[Running], settling: Settling) -> Sequence[Running]:
    """Settle the jobs of scenes that Plex need not be asked about, and return the others."""
    try:
        matches = _unchanged_scenes(session, jobs)
    except StoreError as error:  # those who look at the scenes meet it again, and know what follows
        log.debug("not known which scenes are unchanged: %s", error)
        return jobs
    known = [job for job in jobs if job.claim.scene_id in matches]
    for job in known:
        job.begin(None)
        job.is_known, job.result = True, SyncResult(matches[job.claim.scene_id])
    settling.settle_done(known)
    return [job for job in jobs if not job.is_known]


def _unchanged_scenes(session: PlexSession, jobs: Iterable[Running]) -> Mapping[int, Match]:
    """Return the matches of those scenes of claimed jobs that need no look at Plex. Raises StoreError."""
    relying = [(job.scene, job.claim.job) for job in jobs if job.scene is not None and may_rely(job.claim)]
    times = [at for _, job in relying if isinstance(at := job.get("enqueued_at"), int | float)]
    if not relying or len(times) < len(relying):
        return {}
    return session.scene_sync.unchanged.among([scene for scene, _ in relying], asked_at=max(times))
