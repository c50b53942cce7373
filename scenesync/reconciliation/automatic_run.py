"""Runs that nobody asked for, such as a fan-out: gathered first, judged as a whole, and only then let into the queue.

One that would reach too far (``domain.blast_radius``) is stopped before its first write. Its plan is kept until a
person lets it go on or drops it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.batches import batched
from scenesync.domain.blast_radius import may_exceed, why_too_far
from scenesync.domain.job import PRIORITY_BULK, scene_job
from scenesync.reconciliation import plan_file
from scenesync.reconciliation.planning import Totals, plan_scenes
from scenesync.store.errors import from_os

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scenesync.domain.blast_radius import BlastLimits
    from scenesync.domain.job import Job
    from scenesync.domain.scene import Scene
    from scenesync.reconciliation.planning import Syncing

log = logging.getLogger(__name__)

SCENES_AT_ONCE: Final = 100
GONE: Final = "scenes gone from Stash"
"""The key of the run of scenes that Stash no longer has (``gone_run``); all others are about edits."""


class Runs(Protocol):
    """Where runs and their scenes are kept (``store.automatic_runs``)."""

    def gather(self, run_key: str, cause: str, scene_ids: Iterable[int], *, at: float) -> None:
        """Add scenes to the run of this key."""
        ...

    def gathering(self, run_key: str) -> int | None:
        """Return the run of this key that is being gathered."""
        ...

    def key(self, run: int) -> str | None:
        """Return the key under which a run was gathered, None if it is forgotten."""
        ...

    def size(self, run: int) -> int:
        """Return how many scenes a run has."""
        ...

    def scenes(self, run: int) -> Iterator[int]:
        """Yield the run's scenes."""
        ...

    def stop(self, run: int, reason: str, totals: Mapping[str, object]) -> None:
        """Keep a run until somebody decides."""
        ...

    def end(self, run: int, *, only_if_stopped: bool = False) -> bool:
        """Forget a run, or do so unless it is gathered; say whether it is forgotten."""
        ...


class Scenes(Protocol):
    """Where scenes come from."""

    def scenes(self, ids: Sequence[int]) -> Mapping[int, Scene]:
        """Return those that exist."""
        ...


class Queue(Protocol):
    """Where the jobs go."""

    def put_many(self, jobs: Iterable[Job], priority: int = PRIORITY_BULK) -> object:
        """Enqueue in short transactions, merging with what waits."""
        ...


def plan_path(folder: Path, run: int) -> Path:
    """Return where the plan of a stopped run is kept."""
    return folder / f"run-{run}.plan"


def let_go_stopped(runs: Runs, queue: Queue, run: int, folder: Path) -> None:
    """Enqueue the scenes of a run that waits for a person, and forget it unless it is being gathered again by now.

    All of them are looked at in Plex, as whatever a person decides. Only who lets a run of scenes go on that are gone
    was asked about deletions: a scene of another run that is gone by its turn counts as any other.
    """
    _enqueue(runs, queue, run, look=True, decided=runs.key(run) == GONE)
    forget_stopped(runs, run, folder)


def forget_stopped(runs: Runs, run: int, folder: Path) -> bool:
    """Forget a run that waits for a person, with its plan; False if it does not wait (any more).

    A further change may have opened it again in this very moment: what was gathered since is nobody's to forget.
    """
    is_forgotten = runs.end(run, only_if_stopped=True)
    if is_forgotten:
        plan_path(folder, run).unlink(missing_ok=True)
    return is_forgotten


def _enqueue(runs: Runs, queue: Queue, run: int, *, look: bool, decided: bool = False) -> None:
    """Enqueue the scenes of a run; what was enqueued before a crash merges. The marks are those of ``scene_job``."""
    jobs = (scene_job(scene_id, time.time(), look=look, decided=decided) for scene_id in runs.scenes(run))
    queue.put_many(jobs, priority=PRIORITY_BULK)


class Judge:
    """Decides about gathered runs of one Plex server. ``all_items`` counts the items that it has."""

    def __init__(
        self,
        runs: Runs,
        syncing: Syncing,
        source: Scenes,
        queue: Queue,
        *,
        limits: BlastLimits,
        fields: int,
        all_items: Callable[[], int],
        plans: Path,
        server_id: str,
    ) -> None:
        self._runs = runs
        self._syncing = syncing
        self._source = source
        self._queue = queue
        self._limits = limits
        self._fields = fields
        self._all_items = all_items
        self._plans = plans
        self._server_id = server_id

    def gather(self, run_key: str, cause: str, scene_ids: Iterable[int]) -> None:
        """Add scenes to a run; nothing comes of them before ``conclude``. Raises StoreError."""
        self._runs.gather(run_key, cause, scene_ids, at=time.time())

    def conclude(self, run_key: str, cause: str, *, look: bool = False) -> bool:
        """Let the gathered run into the queue, or stop it; say whether it goes on. Calling it again is harmless.

        With ``look`` all of them are looked at in Plex, whatever is known. Raises what the queue, the store and the
        requests to Plex and Stash raise; the run is then still gathered.
        """
        run = self._runs.gathering(run_key)
        if run is None:
            return True
        if may_exceed(self._runs.size(run), self._fields, self._limits):
            totals = self._plan(run, look=look)
            reason = why_too_far(totals.reach, self._limits, all_items=self._all_items())
            if reason:
                self._runs.stop(run, reason, totals.as_document())
                log.warning(
                    "stopped before its first write: %s: %s. `scenesync stopped show %d` has the plan, `stopped "
                    "continue %d` lets it go on, `stopped drop %d` forgets it.",
                    *(cause, reason, run, run, run),
                )
                return False
        _enqueue(self._runs, self._queue, run, look=look)
        self._runs.end(run)
        plan_path(self._plans, run).unlink(missing_ok=True)
        return True

    def _plan(self, run: int, *, look: bool) -> Totals:
        path = plan_path(self._plans, run)
        try:
            return self._write_plan(run, path, None if look else time.time())
        except OSError as error:  # a disk in trouble is no reason to give the run up
            raise from_os(error, path, f"The plan {path} cannot be kept") from error

    def _write_plan(self, run: int, path: Path, relying_since: float | None) -> Totals:
        totals = Totals()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        header = plan_file.PlanHeader(self._server_id, time.time())
        with plan_file.writing(path, header) as writer:
            for planned in plan_scenes(
                self._syncing, self._scenes(run), with_pictures=False, relying_since=relying_since
            ):
                totals.count(planned)
                writer.add(planned)
        return totals

    def _scenes(self, run: int) -> Iterator[Scene]:
        for page in batched(self._runs.scenes(run), SCENES_AT_ONCE):
            found = self._source.scenes(page)
            yield from (found[scene_id] for scene_id in page if scene_id in found)
