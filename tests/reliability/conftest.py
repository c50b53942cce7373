"""What the proofs share: how far to go (``--long``), which seed to begin with (``--seed``), and the table at the end.

A proof takes ``bounds`` to choose between its short and its long form, and tells ``figures`` what it tried and what it
found. The table is printed at the end of a run; with ``--figures FILE`` it is also written as Markdown.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import pytest
from proofs import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from proofs import Figures

COLUMNS: Final = ("proof", "tried", "jobs", "lost", "doubled", "remarks")
PROPERTY: Final = "reliability figures"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("reliability")
    group.addoption("--long", action="store_true", default=False, help="the long form of every proof")
    group.addoption("--seed", type=int, default=None, help="begin with this seed, e.g. the one that a failure printed")
    group.addoption("--figures", default=None, metavar="FILE", help="write the table of figures there as Markdown")


@pytest.fixture
def bounds(request: pytest.FixtureRequest) -> Bounds:
    is_long = bool(request.config.getoption("--long", default=False))
    seed = request.config.getoption("--seed", default=None)
    if seed is None:
        # The normal run repeats the same histories, so that a red one is about the change; the long one explores.
        seed = random.SystemRandom().randrange(10**9) if is_long else 1
    return Bounds(is_long, int(seed))


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    def note(proof: str, tried: str, *, jobs: int, lost: int, doubled: int, remarks: str = "") -> None:
        record_property(PROPERTY, [proof, tried, f"{jobs:,}", str(lost), str(doubled), remarks])

    return note


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
