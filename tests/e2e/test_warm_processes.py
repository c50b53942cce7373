"""Commands that a warm process forks are what ``python -m scenesync`` is: else the tests would prove something else."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from live_world import SCENESYNC

from tests.e2e import warm_processes
from tests.e2e.warm_processes import WarmProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live_world import LiveWorld

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not warm_processes.ARE_POSSIBLE, reason="processes cannot be forked here"),
]


@pytest.fixture
def running(world: LiveWorld) -> Iterator[WarmProcess]:
    with Path(os.devnull).open("r+b") as nothing:
        process = WarmProcess(["run"], [nothing.fileno()] * 3, world.environment())
    yield process
    process.kill()
    process.wait(10)


@pytest.mark.parametrize(
    "arguments",
    [("status", "--json"), ("status", "--no-such-option"), ("dlq", "show", "1"), ("sync",)],
    ids=["done", "usage", "no such job", "nothing to do"],
)
def test_a_command_says_and_returns_the_same_as_one_that_imports_everything(
    world: LiveWorld, arguments: tuple[str, ...]
) -> None:
    warm = world.scenesync(*arguments, data_dir=str(world.folder / "warm"))

    cold = world.run([*SCENESYNC, *arguments], data_dir=str(world.folder / "cold"))

    assert (warm.exit_code, warm.stdout, warm.stderr) == (cold.exit_code, cold.stdout, cold.stderr)


def test_nothing_of_one_environment_is_left_to_the_next(world: LiveWorld) -> None:
    first = world.scenesync("status", "--json", log_level="nonsense")

    second = world.scenesync("status", "--json")

    assert first.exit_code == 2
    assert second.exit_code == 0


def test_a_process_is_its_own_and_its_end_is_told(running: WarmProcess) -> None:
    assert running.pid != os.getpid()
    assert running.poll() is None

    running.kill()

    assert running.wait(10) == -signal.SIGKILL
    assert running.poll() == -signal.SIGKILL


def test_one_that_does_not_end_is_waited_for_only_so_long(running: WarmProcess) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(0.01)
