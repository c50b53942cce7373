"""Scenes that are gone from Stash without a hook: parted with as their hooks would have it, unless they are too many.

A Stash whose database was lost, or is the wrong one, says of every scene that there is none. Such a run is stopped
before its first write, like any other that nobody asked for; deletions that are found while it waits join it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from scenesync.domain.blast_radius import FEW_GONE, why_too_many_gone
from scenesync.domain.job import PRIORITY_BULK, PRIORITY_PERSON, scene_job
from scenesync.reconciliation import plan_file
from scenesync.reconciliation.automatic_run import GONE, plan_path
from scenesync.reconciliation.planning import Totals
from scenesync.store.errors import from_os

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scenesync.domain.blast_radius import BlastLimits
    from scenesync.reconciliation.automatic_run import Queue
    from scenesync.store.automatic_runs import AutomaticRunStore

log = logging.getLogger(__name__)

NO_SERVER: Final = ""
"""Nothing was compared with a Plex server."""


def gather(runs: AutomaticRunStore, scene_ids: Sequence[int]) -> None:
    """Keep scenes that are gone until ``part_with`` is called. Raises StoreError."""
    if scene_ids:
        runs.gather(GONE, GONE, scene_ids, at=time.time())


def part_with(
    runs: AutomaticRunStore, queue: Queue, *, known: int, lately: int, limits: BlastLimits, plans: Path
) -> bool:
    """Enqueue all that were gathered, or stop them all; say whether they go on. Calling it again is harmless.

    ``known`` and ``lately`` are those of ``why_too_many_gone``. Raises what the queue and the store raise; what was not
    enqueued is then still gathered.
    """
    run = runs.gathering(GONE)
    if run is None:
        return True
    size = runs.size(run)
    reason = why_too_many_gone(size, known, limits, lately=lately)
    if reason:
        _keep_empty_plan(plan_path(plans, run))
        runs.stop(run, reason, {**Totals().as_document(), "gone": size})
        log.warning(
            "stopped, nothing is changed in Plex: %s `scenesync stopped continue %d` parts with them all the same, "
            "`stopped drop %d` leaves Plex as it is.",
            *(reason, run, run),
        )
        return False
    # As hooks would have it: what a person deleted is no less urgent than what one saved.
    priority = PRIORITY_PERSON if size <= FEW_GONE else PRIORITY_BULK
    queue.put_many((scene_job(scene_id, time.time()) for scene_id in runs.scenes(run)), priority=priority)
    runs.end(run)
    plan_path(plans, run).unlink(missing_ok=True)
    return True


def _keep_empty_plan(path: Path) -> None:
    """Keep a plan without scenes: what is done about each is decided when its turn comes (``on_destroy``)."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with plan_file.writing(path, plan_file.PlanHeader(NO_SERVER, time.time())):
            pass
    except OSError as error:
        raise from_os(error, path, f"The plan {path} cannot be kept") from error
