"""Making the plugin's environment and swapping it in, with the real pip and packages that lie at hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_wheels import make_wheel

from scenesync.app.plugin import install as plugin_install
from scenesync.app.plugin.install import CannotInstall, Watcher

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
# Python without any package, as an environment looks whose Python was replaced under it.
RUN_BARE = f"import sys, runpy; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module('scenesync', run_name='__main__')"
PROJECT = '[project]\nname = "scenesync"\ndependencies = ["harbour-lamp>=1", "pier<3"]\n'


@pytest.fixture
def plugin_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins" / "scenesync"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "constraints.txt").write_text("harbour-lamp==1.0\n")
    return folder


def environment(**variables: str) -> dict[str, str]:
    """Return what Stash hands on, without what this machine says about packages."""
    return {"PATH": os.defpath, "PYTHONPATH": "/nowhere", "no_proxy": "*", **variables}


def watching() -> tuple[Watcher, list[float], list[str]]:
    progress: list[float] = []
    lines: list[str] = []
    return Watcher(progress.append, lines.append), progress, lines


def test_packages_with_which_scenesync_does_not_start_are_not_put_in_place(plugin_dir: Path) -> None:
    for name in ("harbour_lamp", "pier"):
        make_wheel(plugin_dir / "wheels", name, "1.0", {f"{name}.py": ""})
    watcher, progress, lines = watching()
    with pytest.raises(CannotInstall, match=r"SceneSync does not start with them: ModuleNotFoundError: .*scenesync"):
        plugin_install.build(plugin_dir, environment(), watcher)
    assert any("pier-1.0-py3-none-any.whl" in line for line in lines)
    assert progress == [0.01, 0.05, pytest.approx(0.365), pytest.approx(0.68), 0.75]  # a step for each package
    assert sorted(path.name for path in plugin_dir.iterdir()) == ["constraints.txt", "pyproject.toml", "wheels"]


def test_without_a_way_to_any_package_server_a_person_is_told_two_ways_out(plugin_dir: Path) -> None:
    (plugin_dir / ".venv").mkdir()
    (plugin_dir / ".venv-20200101T000000").mkdir()  # left by a run that was killed
    nobody = "http://127.0.0.1:9/"
    with pytest.raises(CannotInstall) as failed:
        plugin_install.build(plugin_dir, environment(PIP_INDEX_URL=nobody), watching()[0])
    said = str(failed.value)
    assert said.startswith("The packages could not be installed. No package server could be reached.")
    assert "-d wheels 'harbour-lamp>=1' 'pier<3'; then put that folder into" in said
    assert nobody not in said
    assert sorted(path.name for path in plugin_dir.iterdir()) == [".venv", "constraints.txt", "pyproject.toml"]


def test_a_python_that_is_too_old_is_told_from_one_that_will_do(
    plugin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin_install, "OLDEST_PYTHON", (99, 1))
    with pytest.raises(CannotInstall, match=r"SceneSync needs Python 99\.1 or newer; Stash runs /.*changes are kept"):
        plugin_install.build(plugin_dir, environment(), watching()[0])


def made(plugin_dir: Path, name: str) -> Path:
    folder = plugin_dir / f".venv-{name}"
    folder.mkdir()
    (folder / "who").write_text(name)
    return folder


@pytest.mark.parametrize("links", [True, False])
def test_the_new_environment_takes_the_place_of_the_old_one(
    plugin_dir: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    if not links:  # as on Windows, where they need a privilege
        monkeypatch.setattr(Path, "symlink_to", refuse)
    place = plugin_dir / ".venv"
    for name in ("first", "second", "third"):
        plugin_install.put_in_place(made(plugin_dir, name))
        assert (place / "who").read_text() == name
        assert place.is_symlink() is links
        plugin_install.remove_others(plugin_dir)
    left = [path.name for path in plugin_dir.iterdir() if path.name.startswith(".venv")]
    assert sorted(left) == ([".venv", ".venv-third"] if links else [".venv"])


def test_an_environment_made_by_hand_is_replaced_and_kept_until_the_new_one_is_there(
    plugin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = plugin_dir / ".venv"
    place.mkdir()
    (place / "who").write_text("a person")
    new = made(plugin_dir, "new")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(OSError, match="refused"):
            plugin_install.put_in_place(new)
    assert (place / "who").read_text() == "a person"
    assert plugin_install.is_up_to_date(plugin_dir)  # nobody can say otherwise
    plugin_install.put_in_place(new)
    assert (place / "who").read_text() == "new"
    plugin_install.remove_others(plugin_dir)
    assert plugin_install.current(plugin_dir) == new


def refuse(*_arguments: object, **_options: object) -> None:
    raise OSError("refused")


@pytest.mark.parametrize("arguments", [["run", "--from-stash"], ["stash-task"]])
def test_an_environment_that_is_behind_the_code_says_what_to_do(arguments: list[str]) -> None:
    bare = subprocess.run(
        [Path(sys.executable).resolve(), "-I", "-S", "-c", RUN_BARE, *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert bare.returncode == 1
    assert bare.stderr.startswith("scenesync: The package ")
    assert "In Stash run the task Install or update dependencies" in bare.stderr
    if arguments == ["stash-task"]:
        assert json.loads(bare.stdout)["error"] == bare.stderr.strip().removeprefix("scenesync: ")
    else:
        assert bare.stdout == ""
