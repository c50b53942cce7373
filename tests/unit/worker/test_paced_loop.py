"""A loop that may not begin yet: it neither spins on an event in the spool nor takes it for the end, nor gives up."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from scenesync.domain.item import ServerIdentity
from scenesync.domain.job import scene_job
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.plex.exceptions import PlexServerDown
from scenesync.queue import spool
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.worker.availability.gate import Gate
from scenesync.worker.loop import SHORT_WAIT_S, LoopLimits, WorkLoop
from scenesync.worker.processor import SyncWorker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scenesync.domain.scene import Scene
    from scenesync.worker.availability.plex_connection import PlexSession


# The session of a Plex where no item shows a scene that is gone, and no collection is SceneSync's.
NOTHING_TO_PART_WITH = SimpleNamespace(
    departures=SimpleNamespace(part_with=lambda *_: None),
    collections=SimpleNamespace(tidy_if_due=lambda *_: None),
    index=SimpleNamespace(is_there=lambda: True),
    identity=ServerIdentity("plex-one", "1.43.2"),
)


class HeldBackGate(Gate):
    """Lets nothing begin the first ``refusals`` times that it is asked; counts how often that is."""

    def __init__(self, refusals: float) -> None:
        self.asked = 0
        self._refusals = refusals

    def session(self) -> PlexSession | None:
        return cast("PlexSession", NOTHING_TO_PART_WITH)

    def may_begin(self, wanted: int) -> int:
        self.asked += 1
        return 0 if self.asked <= self._refusals else wanted

    def begun(self, jobs: int) -> None: ...

    def note(self, *_: object, **__: object) -> None: ...

    def stash_answered(self) -> None: ...


class NoScenes:
    """A Stash without scenes: every job ends at once, as one whose scene is gone."""

    def scenes(self, ids: Sequence[int]) -> Mapping[int, Scene]:
        del ids
        return {}

    def scene_ids_after(self, after: int, limit: int) -> Sequence[int]:
        del after, limit
        return []


@pytest.fixture
def queue_with_a_spooled_event(tmp_path: Path) -> Iterator[EmbeddedQueue]:
    queue = EmbeddedQueue(tmp_path / "queue")
    spool.write_event(queue.folder, json.dumps(scene_job(7, time.time())).encode())
    yield queue
    queue.close()


def test_an_event_in_the_spool_does_not_keep_a_paced_loop_busy(queue_with_a_spooled_event: EmbeddedQueue) -> None:
    gate, stop = HeldBackGate(float("inf")), threading.Event()
    loop = WorkLoop(SyncWorker(queue_with_a_spooled_event, None, None), NoScenes(), gate, limits=LoopLimits(workers=1))
    thread = threading.Thread(target=loop.run, args=(stop,))
    begun = time.monotonic()
    thread.start()
    time.sleep(10 * SHORT_WAIT_S)
    stop.set()
    thread.join()

    assert 1 <= gate.asked <= (time.monotonic() - begun) / SHORT_WAIT_S + 1


def test_a_run_until_idle_does_not_end_before_an_event_in_the_spool(queue_with_a_spooled_event: EmbeddedQueue) -> None:
    attempts: list[Attempt] = []
    worker = SyncWorker(queue_with_a_spooled_event, None, None)
    limits = LoopLimits(workers=1, until_idle=True)
    WorkLoop(worker, NoScenes(), HeldBackGate(3), limits=limits, observers=[attempts.append]).run(threading.Event())

    assert [(attempt.scene_id, attempt.outcome) for attempt in attempts] == [(7, Outcome.SKIPPED)]


class LateIndex:
    """The index of a follower: somebody else reads it, and Plex goes away meanwhile."""

    def __init__(self) -> None:
        self.asked = 0

    def is_there(self) -> bool:
        return self.asked > 2

    def refresh_unless_under_way(self) -> None:
        self.asked += 1
        raise PlexServerDown("GET /library/sections: refused")


def test_a_plex_that_goes_away_before_there_is_an_index_is_waited_for(
    queue_with_a_spooled_event: EmbeddedQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NOTHING_TO_PART_WITH, "index", LateIndex())
    attempts: list[Attempt] = []
    worker = SyncWorker(queue_with_a_spooled_event, None, None)
    limits = LoopLimits(workers=1, until_idle=True)
    WorkLoop(worker, NoScenes(), HeldBackGate(0), limits=limits, observers=[attempts.append]).run(threading.Event())

    assert [attempt.scene_id for attempt in attempts] == [7]
