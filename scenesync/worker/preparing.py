"""Decide for many scenes at once, ahead of the threads that write.

One request reads the items of up to a hundred scenes, one transaction notes what is about to be written to them. So
what is left for the writing threads is to send. A scene that needs more than its own items to be decided (other scenes
with the same file, collections) is left to them whole.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import nullcontext
from itertools import groupby
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import PermanentError, TransientError
from scenesync.domain.matching import Match
from scenesync.worker.circuit_breaker import CircuitState
from scenesync.worker.sync_plan import Decided, SyncResult
from scenesync.worker.write_limit import STALE_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from contextlib import AbstractContextManager

    from scenesync.domain.scene import Scene
    from scenesync.worker.attempts import Running
    from scenesync.worker.circuit_breaker import CircuitBreaker
    from scenesync.worker.hand_out import HandOut
    from scenesync.worker.scene_sync import SceneSync
    from scenesync.worker.settling import Settling

    Turn = AbstractContextManager[object]
    """Held by the one of several threads that computes for many scenes."""

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 100
FEWEST_AT_ONCE: Final = 2
AT_ONCE_FROM: Final = 8
"""Fewer scenes that a person saved a moment ago do not wait for each other: each is read by whoever writes it."""
SLOW_S: Final = 2.0
QUICK_S: Final = 0.7
"""When a batch takes longer, the next is smaller, and twice as large when it took less: by the time that its last edit
is sent, what it rests on should be two or three seconds old."""
LOOK_AGAIN_S: Final = 0.05
_NOBODY_ELSE: Final = nullcontext()


class BatchSize:
    """How many scenes are decided together: as many as are written within SLOW_S. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scenes = MOST_AT_ONCE

    @property
    def scenes(self) -> int:
        """The number, from FEWEST_AT_ONCE to MOST_AT_ONCE."""
        with self._lock:
            return self._scenes

    def learn(self, age_s: float, of: int, *, is_last: bool) -> None:
        """Hear how old the read was when the turn came of a scene, maybe the last, from a batch of ``of``."""
        with self._lock:
            if age_s > SLOW_S:
                self._scenes = max(FEWEST_AT_ONCE, min(self._scenes, int(of * SLOW_S / age_s)))
            elif is_last and age_s < QUICK_S and of >= self._scenes:
                self._scenes = min(MOST_AT_ONCE, self._scenes * 2)


class Preparing:
    """Takes jobs with their scenes in, and hands them out decided. ``run`` is one thread's whole work."""

    def __init__(
        self, settling: Settling, breaker: CircuitBreaker, waiting: HandOut, decided: HandOut, computing: Turn
    ) -> None:
        self._computing = computing
        self._settling = settling
        self._breaker = breaker
        self._waiting = waiting
        self._decided = decided
        self._size = BatchSize()
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Work until there will be no more jobs; once ``stop`` is set they go back as they are."""
        self._stop = stop
        while jobs := self._next_jobs():
            try:
                self._prepare(jobs)
            except Exception as error:  # noqa: BLE001 - a thread that dies in silence leaves a daemon that does nothing
                self._settling.broken = error

    def _next_jobs(self) -> Sequence[Running]:
        # What a person saved does not wait until enough of the others are written.
        while not self._decided.wait_until_few(self._size.scenes, LOOK_AGAIN_S):
            if self._waiting.has_urgent():
                break
        return self._waiting.get_some(self._size.scenes)

    def _prepare(self, jobs: Sequence[Running]) -> None:
        if self._stop.is_set() or self._breaker.state is not CircuitState.CLOSED:
            for job in jobs:
                self._settling.hand_back(job)
            return
        for _, group in groupby(jobs, key=lambda job: id(job.session)):
            self._decide(list(group))

    def _decide(self, jobs: Sequence[Running]) -> None:
        for job in jobs:
            job.begin(None)
        scenes = [job.scene for job in jobs if job.scene is not None]
        try:
            found = decide_together(jobs[0].session.scene_sync, scenes, self._computing)
        except TransientError as error:
            # Whoever would have read first; the others meet their own errors.
            self._settling.settle(jobs[0], error)
            self._decided.put_all(jobs[1:])
            return
        except PermanentError as error:  # it may concern any of the items
            log.debug("items not read ahead scenes=%d: %s", len(jobs), error)
            self._decided.put_all(jobs)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, each job must be settled by the table
            for job in jobs:
                self._settling.settle(job, error)
            return
        done, left, right = [], [], []
        for job, outcome in zip(jobs, found, strict=True):
            if isinstance(outcome, Exception):
                self._settling.settle(job, outcome)
            elif outcome is not None and outcome.is_right:
                job.result = SyncResult(outcome.match)
                done.append(job)
                right.append(outcome)
            else:
                job.decided = outcome
                left.append(job)
        for place, job in enumerate(left, start=1):
            job.batch_size, job.is_last_of_batch = len(left), place == len(left)
        scene_sync = jobs[0].session.scene_sync
        self._decided.put_all(_with_companions(left) if scene_sync.shares_edits else left)
        scene_sync.unchanged.note(right)
        self._settling.settle_done(done)

    def begins(self, job: Running) -> None:
        """Hear that a thread takes a job, to write it; what was decided too long ago has to be decided again."""
        if job.decided is not None:
            age_s = time.monotonic() - job.decided.read_at
            self._size.learn(age_s, job.batch_size, is_last=job.is_last_of_batch)
            if age_s > STALE_AFTER_S:
                job.decided = None


def _with_companions(jobs: Sequence[Running]) -> Sequence[Running]:
    """Return the jobs to hand out: of those whose edits are equal the first, which takes the others along."""
    handed_out: list[Running] = []
    by_wording: dict[Hashable, list[Running]] = {}
    for job in jobs:
        edit = job.decided.shared_edit if job.decided is not None else None
        if edit is None:
            handed_out.append(job)
        else:
            by_wording.setdefault(edit.wording, []).append(job)
    for first, *others in by_wording.values():
        first.companions = others
        handed_out.append(first)
    return handed_out


def decide_together(
    scene_sync: SceneSync, scenes: Sequence[Scene], computing: Turn = _NOBODY_ELSE
) -> Sequence[Decided | Exception | None]:
    """Return for each scene what is to be done, the error that ends its attempt, or None if it is to be decided alone.

    What is about to be written is on the disk when this returns. ``computing`` is held while no server is waited for.
    Raises what reading the items raises, and StoreError.
    """
    found: list[Decided | Exception | None] = []
    with scene_sync.looking_up():
        with computing:
            looks = scene_sync.look_at_all(scenes)
        items = scene_sync.read_found(scenes, looks)
        taken: set[str] = set()
        for scene, looked in zip(scenes, looks, strict=True):
            keys = set(looked.result.rating_keys) if isinstance(looked.result, Match) else set()
            # Two scenes for one item are looked at in turn: the second must see what was noted for the first.
            if not keys.isdisjoint(taken) or not keys <= items.keys():
                found.append(None)
                continue
            taken |= keys
            try:
                # What the index does not have may be looked for in Plex.
                with computing if keys else _NOBODY_ELSE:
                    found.append(scene_sync.decide_ahead(scene, items, looked))
            except Exception as error:  # noqa: BLE001 - one scene's failure, whatever it is, is settled by the table
                found.append(error)
    to_note = [each for each in found if isinstance(each, Decided) and each.is_simple]
    with computing:
        noted = iter(scene_sync.note_together(to_note))
    return [next(noted) if isinstance(each, Decided) and each.is_simple else each for each in found]
