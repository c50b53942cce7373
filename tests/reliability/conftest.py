"""What the proofs share: how far to go (``--long``), which seed to begin with (``--seed``), and the table at the end.

A proof takes ``bounds`` to choose between its short and its long form, and tells ``figures`` what it tried and what it
found. The table is printed at the end of a run; with ``--figures FILE`` it is also written as Markdown.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from private_postgres import PrivatePostgres, postgres_or_skip
from proofs import Bounds
from sim_process import simulated_installation
from sim_threading import kernel, simulated_modules

from scenesync.queue.embedded import EmbeddedQueue
from scenesync.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from proofs import Figures

COLUMNS: Final = ("proof", "tried", "jobs", "lost", "doubled", "remarks")
PROPERTY: Final = "reliability figures"
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - nothing is fsynced to a disk for nothing; a private folder in it


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("reliability")
    group.addoption("--long", action="store_true", default=False, help="the long form of every proof")
    group.addoption("--part", type=float, default=1.0, help="of the short form of every proof only a part, e.g. 0.25")
    group.addoption("--seed", type=int, default=None, help="begin with this seed, e.g. the one that a failure printed")
    group.addoption("--figures", default=None, metavar="FILE", help="write the table of figures there as Markdown")


@pytest.fixture
def bounds(request: pytest.FixtureRequest) -> Bounds:
    is_long = bool(request.config.getoption("--long", default=False))
    seed = request.config.getoption("--seed", default=None)
    if seed is None:
        # The normal run repeats the same histories, so that a red one is about the change; the long one explores.
        seed = random.SystemRandom().randrange(10**9) if is_long else 1
    return Bounds(is_long, int(seed), float(request.config.getoption("--part", default=1.0)))


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    def note(proof: str, tried: str, *, jobs: int, lost: int, doubled: int, remarks: str = "") -> None:
        record_property(PROPERTY, [proof, tried, f"{jobs:,}", str(lost), str(doubled), remarks])

    return note


@pytest.fixture
def postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL for one test, which may let it crash."""
    with postgres_or_skip() as server:
        yield server


# -- for the simulation (``sim_*``)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A data directory with an empty queue and an empty state store."""
    folder = tmp_path / "template"
    folder.mkdir(mode=0o700)
    EmbeddedQueue(folder / "queue").close()
    open_database(folder / "scenesync.db").close()
    return folder


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """Where a history's files lie."""
    if not MEMORY.is_dir():
        yield tmp_path / "history"
        return
    folder = MEMORY / f"scenesync-simulation-{os.getpid()}"
    yield folder
    assert not folder.exists()


@pytest.fixture
def simulated(template: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """The product's modules with stand-ins for time, threads and chance; on one core, where turns change fastest."""
    assert template.is_dir()  # made before, by the real modules
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    if affinity:
        # By the number of pytest's worker (gw0, gw1, ...), so that two of them share no core while another is idle.
        worker: str = getattr(request.config, "workerinput", {"workerid": "gw0"})["workerid"]
        os.sched_setaffinity(0, {sorted(affinity)[int(worker.removeprefix("gw")) % len(affinity)]})
    try:
        with simulated_modules(), simulated_installation(kernel):
            yield
    finally:
        if affinity:
            os.sched_setaffinity(0, affinity)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    rows = sorted(row for report in reports for name, row in report.user_properties if name == PROPERTY)
    if not rows:
        return
    terminalreporter.section("reliability figures")
    for line in _table(rows):
        terminalreporter.write_line(line)
    target: Path | str | None = config.getoption("--figures", default=None)
    if target is not None:
        with open(target, "w", encoding="utf-8") as file:  # noqa: PTH123 - a plain option value
            file.write("\n".join(_table(rows)) + "\n")


def _table(rows: Iterable[list[str]]) -> list[str]:
    cells = [list(COLUMNS), *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
