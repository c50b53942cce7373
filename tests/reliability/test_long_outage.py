"""Plex is away for a day: thousands of jobs wait at no cost, and are worked off in good order when it is back."""

from __future__ import annotations

import gc
import logging
import math
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from scenesync.app.data_directory import queue_folder
from scenesync.domain.job import scene_job
from scenesync.domain.outcome import Outcome
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.worker.availability.pacing import FIRST_RATE, FULL_RATE
from scenesync.worker.loop import LoopLimits
from tests.e2e.live_world import LiveWorld
from tests.e2e.shown_fields import all_differences, needless_writes
from tests.integration.sync_world import SyncWorld, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from proofs import Bounds, Figures

    from scenesync.app.installation import Installation

pytestmark = pytest.mark.reliability

JOBS: Final = 10_000
HOUR_S: Final = 3600.0
RAMP_S: Final = 16.0
FIRST_EDIT_WITHIN_S: Final = 2.0
BUSY_MACHINE_S: Final = 1.0
"""What other tests on the same cores may take of it."""
WORKED_OFF_WITHIN_S: Final = 1800.0
MOST_LINES: Final = 40
MOST_BLOCKS: Final = 5_000


class Clock:
    """Stands in for the module ``time``: real time, and on top of it what waiting skipped."""

    def __init__(self) -> None:
        self.skipped_s = 0.0

    def time(self) -> float:
        return time.time() + self.skipped_s

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped_s

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class SkippingStop(threading.Event):
    """The loop's stop: while it ``skips``, to wait for it is to be that much later."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.skips = False
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        if not self.skips or timeout is None:
            return super().wait(timeout)
        self._clock.skipped_s += timeout
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for name, module in list(sys.modules.items()):
        if name.startswith("scenesync.") and ".simulators" not in name and getattr(module, "time", None) is time:
            monkeypatch.setattr(module, "time", clock)
    return clock


class Outage:
    """A worker at work when Plex goes away."""

    def __init__(self, world: SyncWorld, clock: Clock) -> None:
        self.world = world
        self.clock = clock
        self.stop = SkippingStop(clock)
        self.probes = 0

    @contextmanager
    def working(self) -> Iterator[Installation]:
        with self.world.installed(recovery_ramp=RAMP_S) as installation:
            installation.plex._exchange._on_request = self._count
            loop = installation.work_loop(LoopLimits(refresh_index_every_s=HOUR_S), [self.world.attempts.append])
            thread = threading.Thread(target=loop.run, args=(self.stop,))
            thread.start()
            try:
                yield installation
            finally:
                self.stop.skips = False
                self.stop.set()
                thread.join()

    def _count(self, request: Any) -> None:
        self.probes += request.kind == "identity"

    def last_for(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.clock.skipped_s + seconds
        self.stop.skips = True
        while self.clock.skipped_s < end:
            time.sleep(0.01)
        self.stop.skips = False


def blocks_in_use() -> int:
    """Return how many blocks of memory Python holds, garbage apart."""
    gc.collect()
    return sys.getallocatedblocks()


def files_as_they_are(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what tells that a file was written: its size and time. SQLite's index of a log is memory, not a file."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.name.endswith("-shm"))
    return {str(file.relative_to(folder)): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def all_pending(installation: Installation) -> Iterator[dict[str, Any]]:
    after = 0
    while page := installation.queue.list_pending(1000, after):
        yield from (pending.job for pending in page)
        after = page[-1].row_id


@pytest.mark.timeout(3600)
def test_ten_thousand_jobs_wait_through_an_outage_at_no_cost_and_are_then_paced(
    tmp_path: Path, bounds: Bounds, figures: Figures, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    hours = bounds.pick(2, 24)
    worked_off = bounds.pick(150, JOBS)
    caplog.set_level(logging.INFO)
    with SyncWorld(tmp_path / "data") as world:
        pairs = [world.pair(title=f"Film {number}") for number in range(worked_off + 8)]
        outage = Outage(world, clock)
        with outage.working() as installation:
            installation.queue.put_many(scene_job(scene_id, time.time()) for scene_id, _ in pairs[:8])
            eventually(lambda: installation.queue.totals()[0] == 8, within_s=120)  # the index of all films comes first
            world.plex.down()
            first = pairs[8][0]
            installation.queue.put_many(scene_job(number, time.time()) for number in range(first, first + JOBS))
            eventually(lambda: installation.services.read("plex").reachability == "down")

            outage.last_for(HOUR_S)  # warm-up: what grows once is not what grows for ever
            caplog.clear()
            attempts, probes, files = len(world.attempts), outage.probes, files_as_they_are(world.data_dir)
            blocks = blocks_in_use()
            outage.last_for((hours - 1) * HOUR_S)
            grown = blocks_in_use() - blocks

            assert len(world.attempts) == attempts, "a job was spent on finding out"
            assert 0.5 <= (outage.probes - probes) / ((hours - 1) * HOUR_S) <= 1.1
            assert files_as_they_are(world.data_dir) == files, "something was written although nothing changed"
            assert len(caplog.records) < MOST_LINES, [record.getMessage() for record in caplog.records[:5]]
            assert grown < MOST_BLOCKS
            waiting = list(all_pending(installation))
            assert len(waiting) == JOBS
            assert sum("retry_count" in job or "next_retry_at" in job for job in waiting) == 0
            assert DeadLetterStore(installation.queue).count() == 0

            world.plex.clear_records()
            back = time.monotonic()
            world.plex.up()
            eventually(lambda: installation.queue.totals()[0] >= 8 + worked_off, within_s=WORKED_OFF_WITHIN_S)
        edits = [request.at_monotonic - back for request in world.plex.requests if request.kind == "edit"]
        assert edits[0] <= FIRST_EDIT_WITHIN_S + BUSY_MACHINE_S
        assert bursts(edits) == []
        spent = [attempt for attempt in world.attempts if attempt.outcome in {Outcome.RETRY, Outcome.DEAD}]
        wrong = [scene_id for scene_id, item in pairs if not item.title.startswith("Film")]
        figures(
            "long outage",
            f"{hours} h, {outage.probes:,} probes",
            jobs=JOBS,
            lost=len(wrong),
            doubled=len(needless_writes(world.plex)),
            remarks=f"first edit after {edits[0]:.1f} s, {grown} memory blocks and {len(caplog.records)} lines more",
        )
        assert spent == []
        assert wrong == []
        assert needless_writes(world.plex) == []


def bursts(edits: Sequence[float]) -> list[str]:
    """Return one line for each edit that came before the ramp could let it begin.

    ``edits`` are seconds since Plex answered again; the ramp began a little later, so no edit may be ahead of it.
    """
    growth = math.log(FULL_RATE / FIRST_RATE) / RAMP_S
    found = []
    for number, at in enumerate(edits, start=1):
        if at >= RAMP_S:
            break
        may_have_begun = 1 + FIRST_RATE * (math.exp(growth * at) - 1) / growth
        if number > may_have_begun + 1:
            found.append(f"{number} edits after {at:.2f} s, {may_have_begun:.0f} may have begun")
    return found


@pytest.mark.timeout(1200)
def test_a_daemon_killed_twice_in_an_outage_leaves_nothing_to_recover(
    tmp_path: Path, bounds: Bounds, figures: Figures
) -> None:
    jobs = bounds.pick(40, 1000)
    with LiveWorld(tmp_path) as world:
        content = world.fill(jobs, seed=bounds.first_seed)
        running = world.daemon()
        running.wait_for_log("path index read")
        world.plex.down()
        with closing(EmbeddedQueue(queue_folder(world.data_dir), auto_resume=False)) as queue:
            queue.put_many(scene_job(scene_id, time.time()) for scene_id in content.scene_ids)
        for _ in range(2):
            running.wait_for_log("plex is not available")
            running.kill()
            assert waiting_untouched(world) == jobs
            running = world.daemon()
        running.wait_for_log("plex is not available")
        assert waiting_untouched(world) == jobs
        world.plex.starting_up()
        world.plex.up()
        time.sleep(1.0)
        world.plex.starting_up(on=False)
        world.settle(within_s=300)
        assert running.stop() == 0

        queue_left = world.queue()
        stash, plex, keys = world.stash, world.plex, content.rating_key_of
        pairs = [(stash.scene(scene_id), plex.item(keys[scene_id])) for scene_id in content.scene_ids]
        wrong = all_differences(stash, plex, pairs)
        doubled = needless_writes(world.plex)
        figures("killed in an outage", "2 kills", jobs=jobs, lost=len(wrong), doubled=len(doubled))
        assert (queue_left.dead_letters, queue_left.failed_total) == (0, 0)
        assert wrong == []
        assert doubled == []


def waiting_untouched(world: LiveWorld) -> int:
    """Return how many jobs there are, none of which may have spent a try."""
    queue = world.queue()
    assert queue.dead_letters == 0
    assert queue.waiting_by_error == {}
    return queue.pending + queue.in_progress
