"""Which packages are asked for, how pip is asked, and what is made of its answer; whether they are there, it tells."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

from deploy import wheels
from deploy.wheels import Target

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = wheels.read_pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
MUSL = Target("musl", "aarch64", "3.12")

NEEDS = {
    "harbour-lamp": [
        "Oil_Can>=2",
        "mirror; sys_platform == 'win32'",
        "wick; extra == 'flame'",
        "glass; python_version < '3.12'",
    ],
    "oil-can": None,
    "wick": ["harbour-lamp"],
    "glass": [],
}


def test_what_a_package_needs_is_needed_too_if_this_machine_and_python_do() -> None:
    assert wheels.closure(["Harbour.Lamp>=1"], MUSL, NEEDS.__getitem__) == {"harbour-lamp", "oil-can"}
    older = Target("glibc", "x86_64", "3.11")
    assert wheels.closure(["harbour-lamp"], older, NEEDS.__getitem__) == {"harbour-lamp", "oil-can", "glass"}
    assert "wick" in wheels.closure(["harbour-lamp[flame]"], MUSL, NEEDS.__getitem__)
    assert wheels.closure(["harbour-lamp; sys_platform == 'win32'"], MUSL, NEEDS.__getitem__) == set()


def test_every_machine_is_asked_for_with_every_python_that_the_project_claims() -> None:
    pythons = wheels.supported_pythons(PROJECT["classifiers"])
    assert pythons[0] == PROJECT["requires-python"].removeprefix(">=")
    names = {str(target) for target in wheels.targets(pythons)}
    assert len(names) == 4 * len(pythons)
    assert {
        f"{libc} {machine} Python {pythons[-1]}" for libc in ("musl", "glibc") for machine in wheels.MACHINES
    } <= names


def test_pip_is_made_to_choose_for_the_other_machine() -> None:
    options = MUSL.pip_options()
    assert options[-4:] == ["--python-version", "3.12", "--implementation", "cp"]
    assert [value for value in options if "linux" in value] == ["musllinux_1_1_aarch64", "musllinux_1_2_aarch64"]


def test_every_package_that_is_needed_is_pinned_and_in_the_table_of_the_docs() -> None:
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["postgres"]]
    needed = set.union(*(wheels.closure(wanted, each, requires) for each in wheels.targets(["3.11", "3.13"])))
    page = (ROOT / "docs" / "INSTALLING.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \| ([0-9][^ ]*) \|", page, re.MULTILINE))
    assert rows == {name: PINS[name] for name in needed}, "run: make wheels, and put its table into docs/INSTALLING.md"


def test_a_report_of_pip_becomes_a_table() -> None:
    def report(*files: str) -> str:
        entries = [
            {"metadata": {"name": file.split("-")[0]}, "download_info": {"url": f"https://example.invalid/x/{file}"}}
            for file in files
        ]
        return json.dumps({"version": "1", "install": entries})

    lamp, native = "harbour_lamp-1.0-py3-none-any.whl", "oil_can-2.1-cp312-cp312-musllinux_1_2_aarch64.whl"
    found = {
        MUSL: wheels.read_report(report(lamp, native)),
        Target("musl", "aarch64", "3.13"): wheels.read_report(report(lamp, native.replace("312", "313"))),
        Target("glibc", "x86_64", "3.12"): wheels.read_report(report(lamp)),
    }
    assert wheels.table(found, {"harbour-lamp": "1.0", "oil-can": "2.1"})[2:] == [
        "| harbour-lamp | 1.0 | any | any |",
        "| oil-can | 2.1 | 3.12, 3.13 | none |",
    ]


def test_what_cannot_be_had_is_an_error_with_the_words_of_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # so nobody is asked
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(wheels.NotToBeHad, match=r"No matching distribution found for harbour-lamp==1\.0"):
        wheels.ask(MUSL, ["harbour-lamp==1.0"])
    monkeypatch.setattr(wheels, "targets", lambda pythons: [Target("glibc", "x86_64", pythons[0])])
    with pytest.raises(SystemExit, match=r"glibc x86_64 Python 3\.11: (.|\n)*No matching distribution found"):
        wheels.main([])
