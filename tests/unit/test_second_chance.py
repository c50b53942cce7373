"""The second chance of ``make test``, on trees of tiny tests that count how often they ran."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECOND_CHANCE = Path(__file__).parents[1] / "second_chance.py"

COUNTING = """
from pathlib import Path

import half

def run_no(name):
    file = Path(f"{name}.runs")
    file.write_text(file.read_text() + "." if file.exists() else ".")
    return len(file.read_text())

def test_good():
    run_no("good")
    assert half.of(2) == 1
"""
FLAKY = """
def test_flaky():
    assert run_no("flaky") > 1
"""
BROKEN = """
def test_broken():
    run_no("broken")
    assert False
"""
MANY_FLAKY = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_flaky(number):
    assert run_no(f"flaky{number}") > 1
"""
HALF = """
def of(number):
    return number // 2

def never_called(number):
    return number
"""


class Tree:
    """A project in a folder of its own; ``half.py`` is covered for three quarters."""

    def __init__(self, folder: Path, *tests: str) -> None:
        self.folder = folder
        (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
        (folder / "half.py").write_text(HALF)
        (folder / "test_tiny.py").write_text("".join([COUNTING, *tests]))
        self.said = ""

    def run(self, *arguments: str) -> int:
        ours = ("PYTEST", "COV_", "COVERAGE")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}  # noqa: TID251
        environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin,pytest_cov.plugin"}
        done = subprocess.run(
            [sys.executable, str(SECOND_CHANCE), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said = done.stdout
        return done.returncode

    def runs(self, name: str) -> int:
        return len((self.folder / f"{name}.runs").read_text())

    def only_when_alone(self) -> list[str]:
        _, _, listed = self.said.partition("passed only when alone:\n")
        return listed.split()


def test_what_fails_beside_others_and_passes_alone_is_told_and_passes(tmp_path: Path) -> None:
    tree = Tree(tmp_path, FLAKY)
    assert tree.run("-n", "2") == 0
    assert tree.only_when_alone() == ["test_tiny.py::test_flaky"]
    assert (tree.runs("flaky"), tree.runs("good")) == (2, 1)


def test_what_fails_again_fails_the_run_whatever_passes_beside_it(tmp_path: Path) -> None:
    tree = Tree(tmp_path, FLAKY, BROKEN)
    assert tree.run("-n", "0") == 1
    assert (tree.runs("flaky"), tree.runs("broken"), tree.runs("good")) == (2, 2, 1)
    assert tree.only_when_alone() == []


def test_more_than_a_few_get_no_second_run(tmp_path: Path) -> None:
    tree = Tree(tmp_path, MANY_FLAKY)
    assert tree.run("-n", "0") == 1
    assert [tree.runs(f"flaky{number}") for number in range(6)] == [1] * 6
    assert "second chance: none" in tree.said


def test_an_earlier_run_that_failed_is_forgotten(tmp_path: Path) -> None:
    tree = Tree(tmp_path, FLAKY)
    left = tmp_path / ".pytest_cache/v/cache"
    left.mkdir(parents=True)
    (left / "lastfailed").write_text('{"test_tiny.py::test_good": true, "test_gone.py::test_gone": true}')
    assert tree.run("-n", "0") == 0
    assert (tree.runs("flaky"), tree.runs("good")) == (2, 1)


@pytest.mark.parametrize(("least", "code"), [(75, 0), (76, 2)])
def test_coverage_of_the_first_run_is_enforced_although_all_passed_in_the_end(
    tmp_path: Path, least: int, code: int
) -> None:
    tree = Tree(tmp_path, FLAKY)
    (tmp_path / ".coveragerc").write_text(f"[run]\nsource_pkgs = half\n[report]\nfail_under = {least}\n")
    assert tree.run("-n", "0", "--cov") == code
    assert tree.only_when_alone() == (["test_tiny.py::test_flaky"] if code == 0 else [])


def test_too_little_coverage_alone_fails_the_run_without_another(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    (tmp_path / ".coveragerc").write_text("[run]\nsource_pkgs = half\n[report]\nfail_under = 76\n")
    assert tree.run("-n", "0", "--cov") == 1
    assert tree.runs("good") == 1
    assert "second chance" not in tree.said


def test_a_run_that_could_not_be_made_keeps_its_exit_code(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    assert tree.run("-n", "0", "--no-such-option") == pytest.ExitCode.USAGE_ERROR
