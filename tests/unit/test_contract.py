"""What other programs rely on: the doors, the error classes, the layout, what the wheel holds."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = ("worker.processor", "worker.circuit_breaker", "worker.backoff", "plex.exceptions")


@pytest.mark.parametrize("name", DOORS)
def test_a_door_is_the_real_module(name: str) -> None:
    assert importlib.import_module(name) is importlib.import_module(f"scenesync.{name}")


@pytest.mark.parametrize("first", ["worker.processor", "scenesync.worker.processor"])
def test_patching_either_name_patches_both_in_whatever_order_they_are_imported(first: str) -> None:
    code = (
        f"import {first}; import worker.processor, scenesync.worker.processor, worker.circuit_breaker;"
        "assert worker.processor is scenesync.worker.processor;"
        "scenesync.worker.processor.SyncWorker = 'patched';"
        "from worker.processor import SyncWorker; assert SyncWorker == 'patched'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_names_of_the_specification_are_where_it_says() -> None:
    processor = importlib.import_module("worker.processor")
    breaker = importlib.import_module("worker.circuit_breaker")
    errors = importlib.import_module("plex.exceptions")
    assert {"SyncWorker", "TransientError", "PermanentError"} <= vars(processor).keys()
    assert [state.name for state in breaker.CircuitState] == ["CLOSED", "OPEN", "HALF_OPEN"]
    assert issubclass(errors.PlexNotFound, processor.TransientError)
    assert str(errors.PlexNotFound("not scanned")) == "not scanned"


def test_every_package_starts_empty() -> None:
    packages = [*ROOT.glob("scenesync/**/__init__.py"), ROOT / "worker/__init__.py", ROOT / "plex/__init__.py"]
    assert len(packages) > 10
    assert [path for path in packages if path.read_text(encoding="utf-8")] == []


def test_the_plugin_manifest_is_the_only_yml() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.yml"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert tracked == ["scenesync.yml"]


def test_the_wheel_ships_the_package_alone(tmp_path: Path) -> None:
    hatchling = pytest.importorskip("hatchling.builders.wheel", reason="hatchling comes with the dev extra")
    (built,) = hatchling.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as wheel:
        top = {name.split("/")[0] for name in wheel.namelist()}
        names = wheel.namelist()
    assert {entry for entry in top if not entry.endswith(".dist-info")} == {"scenesync"}
    assert "scenesync/py.typed" in names
