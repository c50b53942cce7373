from __future__ import annotations

import threading

import pytest

from scenesync.worker.artwork.side_by_side import beside, side_by_side

LONG_S = 20.0


def test_all_run_at_the_same_time_and_their_results_keep_their_order() -> None:
    all_there = threading.Barrier(3, timeout=LONG_S)

    def task(name: str) -> str:
        all_there.wait()
        return name

    assert side_by_side([lambda: task("a"), lambda: task("b"), lambda: task("c")]) == ["a", "b", "c"]
    assert side_by_side([]) == []


def test_a_single_one_costs_no_thread() -> None:
    assert side_by_side([threading.current_thread]) == [threading.current_thread()]


@pytest.mark.parametrize("failing", [0, 1])
def test_nothing_goes_on_when_one_has_failed(failing: int) -> None:
    has_failed, ended = threading.Event(), []

    def fail() -> None:
        has_failed.set()
        raise KeyError(failing)

    def slow() -> None:
        assert has_failed.wait(LONG_S)
        ended.append("slow")

    with pytest.raises(KeyError):
        side_by_side([fail, slow] if failing == 0 else [slow, fail])
    assert ended == ["slow"]


def test_of_several_errors_the_first_in_order_is_raised() -> None:
    def fail_with(error: Exception) -> None:
        raise error

    with pytest.raises(ValueError, match="second"):
        side_by_side([lambda: None, lambda: fail_with(ValueError("second")), lambda: fail_with(KeyError("third"))])


def test_what_runs_beside_a_block_is_over_at_its_end() -> None:
    goes_on, done = threading.Event(), []

    def task() -> None:
        assert goes_on.wait(LONG_S)
        done.append("task")

    with beside(task):
        assert done == []
        goes_on.set()
    assert done == ["task"]


def test_the_error_of_a_block_goes_before_that_of_what_ran_beside_it() -> None:
    def fail() -> None:
        raise KeyError("beside")

    with pytest.raises(ValueError, match="the block"), beside(fail):
        raise ValueError("the block")
    with pytest.raises(KeyError, match="beside"), beside(fail):
        pass
