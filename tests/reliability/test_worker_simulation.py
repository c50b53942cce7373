"""The worker in a simulated world: thousands of histories drawn from seeds, each checked for the promises of DESIGN 3.

A failing history prints its seed; ``pytest tests/reliability/test_worker_simulation.py --seed N`` plays it first, and
exactly as it was. The parts stand beside this file: ``sim_kernel`` (time and turns), ``sim_threading`` (stand-ins),
``sim_plex``, ``sim_stash``, ``sim_process`` (the product's own installation), ``sim_history``, ``sim_promises`` and
``sim_retries``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from sim_history import play

if TYPE_CHECKING:
    from proofs import Bounds, Figures
    from sim_household import Account

# Traced for coverage a history takes more than twice as long, and every line in it has tests of its own.
pytestmark = [pytest.mark.reliability, pytest.mark.no_cover]

CHUNKS: Final = 4
HISTORIES: Final = (16, 2_500)
LONGEST_S: Final = (6, 300)
TOLD_STORIES: Final = 3


@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.usefixtures("simulated")
def test_no_history_breaks_a_promise(chunk: int, bounds: Bounds, figures: Figures, template: Path, room: Path) -> None:
    histories, longest_s = bounds.pick(*HISTORIES), bounds.pick(*LONGEST_S)
    first = bounds.first_seed + chunk * histories
    accounts: list[Account] = []
    broken: list[Account] = []
    end = time.monotonic() + longest_s
    for seed in range(first, first + histories):
        account = play(seed, template, room)
        accounts.append(account)
        if account.broken:
            broken.append(account)
        account.trace = account.trace if account.broken else []
        if time.monotonic() > end or len(broken) >= TOLD_STORIES:
            break

    happened: Counter[str] = sum((account.happened for account in accounts), Counter())
    figures(
        f"worker simulation {chunk + 1}/{CHUNKS}",
        f"{len(accounts):,} histories from seed {first}",
        jobs=sum(account.jobs for account in accounts),
        lost=sum(account.lost for account in accounts),
        doubled=sum(account.doubled for account in accounts),
        remarks=_remarks(accounts, happened),
    )
    if broken:
        again = "\n".join(f"pytest tests/reliability/test_worker_simulation.py --seed {one.seed}" for one in broken)
        stories = "\n\n".join(account.story() for account in broken)
        pytest.fail(f"{stories}\n\nto play again:\n{again}", pytrace=False)
    # A simulation in which nothing goes wrong proves nothing.
    assert happened["crash"] > len(accounts) / 4
    assert happened["plex_down"] > len(accounts) / 4
    assert happened["retries"] > len(accounts) / 4
    assert sum(account.writes for account in accounts) > len(accounts)


@pytest.mark.usefixtures("simulated")
def test_one_seed_is_one_history(bounds: Bounds, template: Path, room: Path) -> None:
    for seed in range(bounds.first_seed, bounds.first_seed + bounds.pick(1, 60)):
        first, second = play(seed, template, room), play(seed, template, room)

        assert first.trace == second.trace
        assert (first.digest, first.points, first.happened) == (second.digest, second.points, second.happened)


def test_another_process_plays_the_same_history(bounds: Bounds, template: Path, room: Path) -> None:
    # Another process has another hash seed, other file descriptors, another order of folders.
    script = (
        "import sys; from pathlib import Path; from sim_threading import *; from sim_process import *;"
        "from sim_history import play\n"
        "with simulated_modules(), simulated_installation(kernel):\n"
        f"    print(*(play(seed, Path({str(template)!r}), Path({str(room)!r})).digest\n"
        f"            for seed in range({bounds.first_seed}, {bounds.first_seed + bounds.pick(1, 2)})))\n"
    )

    def digests(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", script],
            cwd=Path(__file__).parent,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout

    assert digests("1") == digests("2") != ""


@pytest.mark.usefixtures("simulated")
def test_different_seeds_are_different_histories(bounds: Bounds, template: Path, room: Path) -> None:
    histories = bounds.pick(2, 4)
    digests = {play(seed, template, room).digest for seed in range(bounds.first_seed, bounds.first_seed + histories)}

    assert len(digests) == histories


def _remarks(accounts: list[Account], happened: Counter[str]) -> str:
    faults = sum(count for name, count in happened.items() if name.startswith("fault: "))
    days = sum(account.virtual_s for account in accounts) / 86_400
    return (
        f"{happened['crash']:,} kills, {happened['restart']:,} stops, {happened['plex_down']:,} outages of Plex, "
        f"{happened['stash_down']:,} of Stash, {happened['unauthorized']:,} refused tokens, "
        f"{faults:,} failed requests, {happened['retries']:,} retries, "
        f"{happened['jump_clock']:,} clock jumps, {sum(account.writes for account in accounts):,} writes, "
        f"{happened['dead letters']:,} dead letters, {days:,.1f} virtual days"
    )
