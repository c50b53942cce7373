"""In which order tests run, in a tree of tiny ones with the real ``conftest.py``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_the_folders_with_the_longest_tests_come_first_and_tests_elsewhere_last(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = no_cover\n")
    for place in ("tests/test_top.py", "tests/e2e/test_e.py", "tests/reliability/test_r.py", "tests/unit/test_u.py"):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("def test_nothing(): pass\n")
    (tmp_path / "test_outside.py").write_text("def test_nothing(): pass\n")
    shutil.copy(TESTS / "conftest.py", tmp_path / "tests")

    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "--no-cov", "test_outside.py", "tests"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    collected = [line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line]
    assert collected == [
        "tests/reliability/test_r.py",
        "tests/e2e/test_e.py",
        "tests/unit/test_u.py",
        "test_outside.py",
        "tests/test_top.py",
    ], done.stdout
