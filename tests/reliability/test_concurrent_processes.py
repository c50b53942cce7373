from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from typing import TYPE_CHECKING, Final

import pytest
from crash_nursery import Nursery, World

from scenesync.queue.errors import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crash_nursery import Child
    from proofs import Bounds, Figures

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(400)]

_SCENES: Final = 25  # few enough for every event to have a chance to meet a job of its scene, waiting or processed
_BETWEEN_KILLS_S: Final = 2.0
_FEWEST_KILLS: Final = 2  # however long the processes take to start
_DRAINERS: Final = 4


@pytest.fixture
def nursery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    system_tmp = tmp_path / "system-tmp"
    system_tmp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(system_tmp))
    with Nursery(system_tmp) as nursery:
        yield nursery


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with contextlib.closing(World(tmp_path / "world")) as world:
        yield world


def test_eight_enqueue_and_four_drain_at_once_every_event_is_processed_after_it_came_and_none_by_two(
    nursery: Nursery, world: World, bounds: Bounds, figures: Figures
) -> None:
    """A worker is killed and replaced now and then; events meet jobs of their scene that wait or are processed."""
    duration_s = bounds.pick(5, 60)
    world.open().close()  # the hook leaves events in the spool until somebody has made the queue
    until = time.monotonic() + duration_s
    sources = [
        nursery.start(
            "enqueue_as_hooks" if number % 3 == 2 else "enqueue",
            world,
            seed=bounds.first_seed + number,
            until=until,
            scenes=_SCENES,
            pause_s=0.03,
        )
        for number in range(8)
    ]
    drainers = [_start_drainer(nursery, world, bounds.first_seed + number) for number in range(_DRAINERS)]
    kills = 0
    while kills < _FEWEST_KILLS or time.monotonic() < until - _BETWEEN_KILLS_S / 2:
        time.sleep(_BETWEEN_KILLS_S)
        drainers.pop(0).kill()
        drainers.append(_start_drainer(nursery, world, bounds.first_seed + kills + 100))
        kills += 1
    assert [source.wait() for source in sources] == [0] * 8
    (world.folder / "stop").touch()
    assert [drainer.wait() for drainer in drainers] == [0] * _DRAINERS

    box = world.open()
    verdict = world.judge(box, set())
    completed = world.history.completed
    verdict = verdict or world.judge_drained(box)
    box.close()
    figures(
        "8 processes enqueue, 4 drain",
        f"{duration_s} s, {kills} kills",
        jobs=world.history.kept,
        lost=len(verdict.lost),
        doubled=len(verdict.doubled),
        remarks=f"{completed:,} runs, {world.history.runs_once_more:,} of them once more",
    )
    assert not verdict, str(verdict)
    assert world.history.runs_once_more > 0, "no event came while its scene was processed: this proved too little"


def test_frozen_worker_whose_lock_file_was_swept_away_cannot_end_the_job_that_another_took_over(
    nursery: Nursery, world: World
) -> None:
    box = world.open(auto_resume=False)
    box.put(1)
    holder = nursery.start("hold_then_complete", world, gate=str(world.folder / "gate"))
    world.wait_for_ready(holder)
    os.kill(holder.process_id, signal.SIGSTOP)
    box.take_over()
    assert box.claim() == [], "frozen is not dead"
    for lock in (world.data_dir / "queue" / "owners").glob(f"{holder.process_id}-*"):
        lock.unlink()
    world.record.write("gone", writer_gone=holder.writer)
    box.take_over()
    (taken,) = box.claim()
    os.kill(holder.process_id, signal.SIGCONT)
    (world.folder / "gate").touch()
    assert holder.wait() == 0
    box.complete(taken)
    verdict = world.judge(box, set())
    assert not verdict, str(verdict)
    assert box.queue.totals() == (1, 0)
    with pytest.raises(LeaseLost):
        box.queue.complete(taken)
    box.close()


def _start_drainer(nursery: Nursery, world: World, seed: int) -> Child:
    return nursery.start("drain", world, seed=seed, stop_file=str(world.folder / "stop"), work_s=0.01)
