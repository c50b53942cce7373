"""Installing for real, from the package server that pip is set up for: in the long form only, for want of a network."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from datetime import UTC, datetime
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import plugin_zip, wheels
from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from proofs import Bounds

pytestmark = [pytest.mark.reliability, pytest.mark.no_cover, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
PATIENCE_S = 180.0  # a busy machine compiles all that was just installed at its first start
BARE_PYTHON = Path(sys.executable).resolve()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(autouse=True)
def only_in_the_long_form(bounds: Bounds) -> None:
    if not bounds.is_long:
        pytest.skip("asks the package server: --long")


def inherited(**more: str) -> dict[str, str]:
    """Return this environment without what is SceneSync's own, and without coverage's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SCENESYNC_", "COVERAGE_", "PYTHON"))}  # noqa: TID251
    return {**kept, **more}


def test_the_commands_of_the_container_file_make_a_scenesync_that_works(tmp_path: Path) -> None:
    text = re.sub(r"\\\n\s*", "", (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"))
    instructions = [line.partition(" ")[::2] for line in text.splitlines() if line and not line.startswith("#")]
    folders = {name: str(tmp_path / name.strip("/")) for name in ("/opt/scenesync", "/src", "/data")}
    environment: dict[str, str] = {}

    def here(words: str) -> str:
        for name, folder in folders.items():
            words = words.replace(name, folder)
        return words

    (tmp_path / "src").mkdir()
    (tmp_path / "opt").mkdir()
    for word, rest in instructions:
        if word == "COPY" and "--from" not in rest:
            for name in rest.split()[:-1]:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, tmp_path / "src" / name)
        elif word == "ENV":
            environment |= {k: here(v).replace("$PATH", os.defpath) for k, v in re.findall(r"(\w+)=(\S+)", rest)}
        elif word == "RUN":
            command = re.sub(r"^python ", f"{BARE_PYTHON} ", here(rest))
            subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path / "src", env=inherited(**environment), check=True)
    shutil.rmtree(tmp_path / "src")  # the second stage takes what was built alone

    said = dict(instructions)
    check = json.loads(said["HEALTHCHECK"].partition("CMD ")[2])
    with PlexSimulator(token="fake-token") as plex, StashSimulator() as stash:
        plex.add_library("Films", ["/media"])
        scene = stash.add_scene(title="Pier", path="/data/pier.mp4", size_bytes=1000)
        plex.add_item(plex.library("Films"), file="/media/pier.mp4", size_bytes=1000)
        environment |= {
            "SCENESYNC_PLEX_URL": plex.url,
            "SCENESYNC_PLEX_TOKEN": "fake-token",
            "SCENESYNC_STASH_URL": stash.url,
            "SCENESYNC_PATH_MAP": "/data => /media",
            "SCENESYNC_POLL_INTERVAL": "1",
            "SCENESYNC_HTTP_HOST": "127.0.0.1",
            "SCENESYNC_HTTP_PORT": "0",
        }
        command = [*json.loads(said["ENTRYPOINT"]), *json.loads(said["CMD"])]
        command[0] = shutil.which(command[0], path=environment["PATH"]) or "not installed"
        check[0] = shutil.which(check[0], path=environment["PATH"]) or "not installed"
        assert subprocess.run(check, env=environment, cwd="/", check=False).returncode == 1
        daemon = subprocess.Popen(command, env=environment, cwd="/")
        try:
            deadline = time.monotonic() + PATIENCE_S
            while subprocess.run(check, env=environment, cwd="/", check=False).returncode != 0:
                assert time.monotonic() < deadline
            stash.save(scene, title="Pier at noon")
            deadline += PATIENCE_S
            while plex.item_by_file("/media/pier.mp4").title != "Pier at noon":
                assert time.monotonic() < deadline
                time.sleep(0.1)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(10) == 0
        finally:
            daemon.kill()
            daemon.wait()


def test_the_plugin_installs_its_dependencies_from_the_package_server(tmp_path: Path) -> None:
    plugin = tmp_path / "plugins" / "scenesync"
    plugin.mkdir(parents=True)
    with zipfile.ZipFile(plugin_zip.build(tmp_path / "dist", made_at=datetime.now(UTC))) as file:
        file.extractall(plugin)
    document = json.dumps({"server_connection": None, "args": {"mode": "install"}})
    done = subprocess.run(
        [BARE_PYTHON, "-I", "-S", plugin / "hook.py"],
        input=document, capture_output=True, text=True, check=True, cwd="/", env=inherited(PYTHONPATH="/nowhere"),
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer["error"] is None
    assert answer["output"].endswith(f"packages installed into {plugin}/.venv.")
    progress = [float(value) for value in re.findall("\x01p\x02(.*)", done.stderr)]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert len(progress) > len(PROJECT["dependencies"])
    python = plugin / ".venv" / "bin" / "python"
    shown = subprocess.run(
        [python, "-m", "scenesync", "--version"], cwd=plugin, capture_output=True, text=True, check=True
    )
    assert PROJECT["version"] in shown.stdout
    assert [path.name for path in (plugin / ".venv").rglob("*.yml")] == []  # Stash would take them for plugins


def test_every_dependency_is_there_ready_made_for_every_machine_and_python() -> None:
    pins = wheels.read_pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    wanted = wheels.targets(wheels.supported_pythons(PROJECT["classifiers"]))
    found = wheels.ask_for_all(PROJECT["dependencies"], pins, wanted)
    for target in wanted:
        assert found[target].keys() == wheels.closure(PROJECT["dependencies"], target, requires), target
