"""The archive alone, unpacked into an empty folder as Stash does it, is the whole plugin."""

from __future__ import annotations

import sys
import sysconfig
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from live_world import eventually
from local_wheels import make_wheel
from plugin_world import PluginWorld

from deploy import plugin_zip
from scenesync.simulators.stash.jobs import JobStatus
from scenesync.simulators.stash.manifest import manifest_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

INSTALL = "Install or update dependencies"
PROJECT = '[project]\nname = "scenesync"\nversion = "9.8.7"\ndependencies = [{dependencies}]\n'


class ZippedPluginWorld(PluginWorld):
    """A Stash into which the archive was unpacked. Its one dependency is a wheel that lies beside it.

    That wheel leads to the project's own environment, so that what pip installs really works and nobody is asked.
    """

    def _install_plugin(self) -> None:
        self.plugin_dir.mkdir(parents=True)
        archive = plugin_zip.build(self.folder / "dist", made_at=datetime(2026, 5, 4, tzinfo=UTC))
        with zipfile.ZipFile(archive) as file:
            file.extractall(self.plugin_dir)
        self.depend_on("harbour-lamp", "1.0")
        make_wheel(self.wheels, "harbour_lamp", "1.0", {"harbour_lamp.pth": sysconfig.get_path("purelib")})

    def _install_dependencies(self) -> None:
        """Nothing: that is what the task is for."""

    @property
    def wheels(self) -> Path:
        return self.plugin_dir / "wheels"

    @property
    def environment_in_use(self) -> Path:
        return (self.plugin_dir / ".venv").resolve()

    def depend_on(self, name: str, version: str) -> None:
        """Let this version of the plugin ask for one package."""
        (self.plugin_dir / "pyproject.toml").write_text(PROJECT.format(dependencies=f'"{name}>=1"'))
        (self.plugin_dir / "constraints.txt").write_text(f"{name}=={version}\n")

    def environments(self) -> list[str]:
        return sorted(path.name for path in self.plugin_dir.glob(".venv*"))


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[ZippedPluginWorld]:
    if sys.platform != "linux":
        pytest.skip("looks for the daemon in /proc")
    with ZippedPluginWorld(tmp_path) as world:
        world.configure(autostart=False)
        try:
            yield world
        finally:
            world.kill_daemon()


def test_from_an_empty_folder_to_plex_with_the_archive_alone(plugin: ZippedPluginWorld) -> None:
    assert [line.text for line in plugin.stash.log] == []
    scene = plugin.add_scene("Harbour at dawn")
    plugin.stash.save(scene, details="Kept from the first minute on.")
    [run] = plugin.stash.hook_runs
    assert (run.exit_status, run.output, run.error) == (0, "ok", None)
    assert plugin.jobs() == 1
    _, log = plugin.task("Process queue")
    assert f"Run the task {INSTALL}" in "\n".join(log)

    job, log = plugin.task(INSTALL)
    assert (job.status, job.progress) == (JobStatus.FINISHED, 1)
    assert log[-1] == f"1 package installed into {plugin.plugin_dir}/.venv."
    assert plugin.environment_in_use.parent == plugin.plugin_dir

    _, log = plugin.task("Process queue")
    assert log[-1] == "1 synced"
    assert plugin.item_of(scene).summary == "Kept from the first minute on."
    _, log = plugin.task("Queue status")
    assert log[-1] == "0 pending (0 due), 0 in progress, 0 dead letters, 1 done so far"
    assert [path.name for path in manifest_files(plugin.plugin_dir)] == ["scenesync.yml"]  # the environment has none


def test_an_update_that_fails_leaves_what_worked_and_one_that_works_takes_the_daemon_along(
    plugin: ZippedPluginWorld,
) -> None:
    scene = plugin.add_scene("Harbour at dusk")
    plugin.task(INSTALL)
    plugin.task("Start the daemon")
    pid, before = plugin.daemon_pid(), plugin.environment_in_use
    assert pid is not None

    plugin.depend_on("harbour-lamp", "2.0")  # the wheel of which nobody has brought
    _, log = plugin.task(INSTALL)
    [error] = [line for line in log if line.startswith("Plugin returned error: ")]
    assert "The packages could not be installed: " in error
    assert f"The folder {plugin.wheels} is used alone while it is there" in error
    assert "What was installed before is unchanged and still in use." in error
    assert plugin.environment_in_use == before
    assert plugin.environments() == [".venv", before.name]
    assert plugin.daemon_pid() == pid
    _, log = plugin.task("Health check")
    assert "warning: dependencies: installed for an earlier version of the plugin" in log

    make_wheel(plugin.wheels, "harbour_lamp", "2.0", {"harbour_lamp.pth": sysconfig.get_path("purelib")})
    _, log = plugin.task(INSTALL)
    assert log[-1].endswith("SceneSync works in the background."), log
    assert plugin.environment_in_use != before
    assert plugin.environments() == [".venv", plugin.environment_in_use.name]
    assert plugin.daemon_pid() not in {None, pid}
    plugin.stash.save(scene, details="By the new one.")
    eventually(lambda: plugin.item_of(scene).summary == "By the new one.", "the summary in Plex")
