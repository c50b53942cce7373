"""Every simulated history comes to its end: one that does not fails by itself, and says who stood where.

A simulation that hangs tells nothing, and takes the rest of the run with it.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from sim_history import play
from sim_kernel import Kernel, Patience, SimulatedProcess, Stuck

from scenesync.worker.loop import WorkLoop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(60)]

PATIENCE = Patience(steps_at_one_moment=200, steps=2_000, virtual_s=3_600.0, real_s_for_one_step=0.3)


def play_beside(work: Callable[[Kernel], None]) -> str:
    """Let the director wait for what never comes, a process work beside him; return what he was told at last."""
    kernel = Kernel(random.Random(1), patience=PATIENCE)  # noqa: S311 - a game of chance
    kernel.spawn(SimulatedProcess("p1"), "main", lambda: work(kernel))
    try:
        with pytest.raises(Stuck) as told:
            kernel.wait(lambda: False)
    finally:
        kernel.shut_down()
    assert kernel._tasks == [kernel.director]
    return str(told.value)


def test_a_task_that_goes_on_without_time_passing_is_named_with_its_place() -> None:
    def spins(kernel: Kernel) -> None:
        while True:
            kernel.point()

    told = play_beside(spins)

    assert "200 steps were taken and time did not pass" in told
    assert "p1/main runs: test_simulation_ends.py" in told
    assert "director waits: test_simulation_ends.py" in told


def test_waits_that_take_no_time_are_steps_too() -> None:
    def naps(kernel: Kernel) -> None:
        while True:
            kernel.wait(None, 0.0)

    assert "time did not pass" in play_beside(naps)


def test_a_task_that_lets_time_pass_and_never_ends_is_stopped_by_the_number_of_steps() -> None:
    def polls(kernel: Kernel) -> None:
        while True:
            kernel.stir()
            kernel.wait(None, 0.001)

    assert "2,000 steps were taken, and it has not come to its end" in play_beside(polls)


def test_a_task_that_sleeps_for_ever_is_stopped_by_the_time_that_has_passed() -> None:
    def sleeps(kernel: Kernel) -> None:
        while True:
            kernel.wait(None, 100.0)

    assert "3,600 s have passed, and it has not come to its end" in play_beside(sleeps)


def test_tasks_that_wait_for_each_other_are_named() -> None:
    def waits(kernel: Kernel) -> None:
        kernel.wait(lambda: False)

    told = play_beside(waits)

    assert "every task waits, and for nothing that time could bring" in told
    assert "p1/main waits: test_simulation_ends.py" in told


def test_a_task_that_never_comes_to_a_point_is_taken_the_baton_from() -> None:
    ended = threading.Event()

    def computes(_: Kernel) -> None:
        try:
            while True:
                sum(range(100))
        finally:
            ended.set()

    told = play_beside(computes)

    assert "p1/main runs and comes to no point of the history" in told
    assert ended.wait(5)


@pytest.mark.usefixtures("simulated")
def test_a_worker_that_spins_fails_its_history_with_seed_and_place(
    monkeypatch: pytest.MonkeyPatch, template: Path, room: Path
) -> None:
    def turns_without_end(loop: WorkLoop, stop: threading.Event) -> bool:
        while not stop.is_set():
            loop._holdings.is_empty()
        return True

    monkeypatch.setattr(WorkLoop, "_turn", turns_without_end)
    account = play(7, template, room)

    [finding] = account.broken
    assert finding.promise == "end"
    assert "time did not pass" in finding.text
    assert "/main runs: holdings.py" in finding.text
    assert "turns_without_end" in finding.text
    assert account.story().startswith("seed 7 ")
    assert not room.exists()
