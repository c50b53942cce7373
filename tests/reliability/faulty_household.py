"""A household of invented scenes that is synced through a faulty Plex, by the product's own parts over real HTTP."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from scenesync.app.data_directory import queue_folder
from scenesync.domain.job import scene_job
from scenesync.queue.snapshot import read_snapshot
from scenesync.simulators.sample_world import build_world, random_edit
from scenesync.worker import decision
from scenesync.worker.availability import gate
from scenesync.worker.circuit_breaker import CircuitState
from scenesync.worker.loop import LoopLimits, WorkLoop
from tests.e2e.shown_fields import all_differences
from tests.integration.sync_world import PLEX_ROOT, STASH_ROOT, TOKEN, SyncWorld, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    from scenesync.app.installation import Installation
    from scenesync.domain.outcome import Attempt

SCALE: Final = 0.02
"""Retry pauses are this much shorter than in the table, as read time-outs and the pauses of Plex are."""
READ_TIMEOUT_S: Final = 1.5
REFUSED_FOR_S: Final = 0.4
UNAUTHORIZED: Final = 401
STANDSTILL_S: Final = 90.0
MAX_RETRIES: Final = 5
TRIES_OF: Final = {"PlexBusy": 12, "PlexNotFound": 12}
"""After so many failures of this kind, ``MAX_RETRIES`` of any other, a job is given up, by the error table."""


def shorten_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses of the product as much shorter as those of this Plex are."""
    delay = decision.calculate_delay
    monkeypatch.setattr(decision, "calculate_delay", lambda *args: SCALE * delay(*args))
    monkeypatch.setattr(gate, "RETRY_REFUSED_EVERY_S", REFUSED_FOR_S)


@dataclass(frozen=True, slots=True)
class Left:
    """What is left in the queue."""

    waiting: int
    in_progress: int
    dead_letters: int


class Household:
    """Scenes in Stash and the items with their files in Plex, and a running worker between them."""

    def __init__(self, data_dir: Path, scenes: int, seed: int) -> None:
        self.world = SyncWorld(data_dir)
        self.chance = random.Random(seed)  # noqa: S311 - invented edits
        self._scenes = scenes
        self._seed = seed
        self.attempts: list[Attempt] = []
        self.jobs = 0

    def __enter__(self) -> Self:
        world = self.world
        world.__enter__()
        self.content = build_world(
            world.stash, world.plex, self._scenes, seed=self._seed, stash_root=STASH_ROOT, plex_root=PLEX_ROOT
        )
        return self

    def __exit__(self, *_exc: object) -> None:
        self.world.__exit__()

    @contextmanager
    def working(self) -> Iterator[Installation]:
        """Run the worker in a thread while the block runs."""
        times = {"read_timeout": READ_TIMEOUT_S, "connect_timeout": 0.5, "recovery_ramp": 1.0}
        with self.world.installed(**times, sync_collection=True) as installation:
            stop = threading.Event()
            self.installation = installation
            self.loop: WorkLoop = installation.work_loop(
                LoopLimits(refresh_index_every_s=0.5, hand_back_after_s=1.0), [self.attempts.append]
            )
            thread = threading.Thread(target=self.loop.run, args=(stop,))
            thread.start()
            try:
                yield installation
            finally:
                stop.set()
                thread.join()

    def save_all(self) -> None:
        """Put every scene into the queue, as hooks do after a save."""
        self._put(*self.content.scene_ids)

    def save_again(self, scenes: int) -> None:
        """Change so many scenes anew while the worker is busy."""
        for scene_id in self.chance.sample(self.content.scene_ids, scenes):
            random_edit(self.world.stash, scene_id, self.chance)
            self._put(scene_id)

    def _put(self, *scene_ids: int) -> None:
        self.installation.queue.put_many(scene_job(scene_id, time.time()) for scene_id in scene_ids)
        self.jobs += len(scene_ids)

    # -- what Plex goes through as a whole

    def outage(self) -> None:
        """Let Plex restart as clients see it: refused, then start-up in both its forms, then answers."""
        plex = self.world.plex
        plex.down()
        self._wait_for(CircuitState.OPEN)
        plex.starting_up()
        plex.up()
        time.sleep(0.6)
        plex.starting_up(form="still-starting")
        time.sleep(0.3)
        plex.starting_up(on=False)
        self._wait_for(CircuitState.CLOSED)

    def refused_token(self) -> None:
        """Let Plex refuse the token for a while."""
        plex = self.world.plex
        before = len(plex.requests)
        plex.token = "changed-for-a-while"
        eventually(lambda: any(request.status == UNAUTHORIZED for request in plex.requests[before:]))
        time.sleep(REFUSED_FOR_S)
        plex.token = TOKEN

    def _wait_for(self, state: CircuitState) -> None:
        eventually(lambda: self.loop._worker.circuit_breaker.state is state, within_s=30)

    # -- looking

    def left(self) -> Left:
        found = read_snapshot(queue_folder(self.world.data_dir))
        return Left(found.pending, found.in_progress, found.dead_letters)

    def done(self) -> int:
        """Return how many jobs were completed."""
        return read_snapshot(queue_folder(self.world.data_dir)).completed_total

    def work_off(self, jobs: int) -> None:
        """Wait until so many jobs were completed, however long it takes; fail once nothing moves any more."""
        self._while_it_moves(lambda: self.done() >= jobs)

    def settle(self) -> None:
        """Wait until no job waits or is in progress; fail once nothing moves any more."""

        def idle() -> bool:
            left = self.left()
            return left.waiting == left.in_progress == 0

        self._while_it_moves(idle)

    def _while_it_moves(self, condition: Callable[[], bool]) -> None:
        # A busy machine is slow, which is no defect; a worker that stands still is one.
        seen, moved_at = -1, time.monotonic()
        while not condition():
            if self.done() != seen:
                seen, moved_at = self.done(), time.monotonic()
            still_s = time.monotonic() - moved_at
            assert still_s < STANDSTILL_S, f"no job was completed for {still_s:.0f} s: {self.left()}"
            time.sleep(0.05)

    def wrong(self) -> list[str]:
        """Return one line for each field in which Plex does not show what Stash says."""
        stash, plex, rating_keys = self.world.stash, self.world.plex, self.content.rating_key_of
        ids = self.content.scene_ids
        return all_differences(stash, plex, [(stash.scene(each), plex.item(rating_keys[each])) for each in ids])
