"""What SIGKILL at random instants loses: a part of the proof in tests/reliability, run and counted again.

The long form (10,000 kills) is for ``make reliability``; its figures are in docs/RELIABILITY.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Final

from bench.figures import Benchmark, Figure, at_most

_ROOT: Final = Path(__file__).resolve().parent.parent
_PROOF: Final = "tests/reliability/test_crash_at_random_instants.py"
_TESTS: Final = "sigkill_at_random_instants"
_ROW: Final = re.compile(r"\| *SIGKILL at random instants *\| *([\d,]+) kills *\| *([\d,]+) *\| *(\d+) *\| *(\d+) *\|")


def run(part: float, folder: Path) -> list[Figure]:
    """Return what was lost and doubled in ``part`` of the proof's short form. Raises RuntimeError without an answer."""
    table = folder / "figures.md"
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "--timeout", "240"]
    done = subprocess.run(
        [*pytest, _PROOF, "-k", _TESTS, "--part", str(part), "--figures", str(table)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    row = _ROW.search(table.read_text(encoding="utf-8")) if table.exists() else None
    if row is None:
        raise RuntimeError(f"The proof ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    kills, jobs, lost, doubled = (int(cell.replace(",", "")) for cell in row.groups())
    if done.returncode != (1 if lost or doubled else 0):
        raise RuntimeError(f"The proof ended with {done.returncode}: {done.stdout[-2000:]}")
    case = f"kill -9 at {kills:,} random instants, {jobs:,} jobs"
    return [
        Figure(f"{case}: lost", lost, target=at_most(0), headline="jobs lost by kill -9 at random instants"),
        Figure(f"{case}: doubled", doubled, target=at_most(0), headline="visible effects doubled by it"),
    ]


BENCHMARK: Final = Benchmark("kills", full=partial(run, 0.5), quick=partial(run, 0.0625), is_timed=False)
