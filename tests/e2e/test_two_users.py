"""Stash's container runs as root, SceneSync's does not, and both work in one data directory."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from live_world import ROOT, Daemon, LiveWorld, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.no_cover]

NOBODY = 65534
# Coverage would be written where nobody may write.
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
AS_NOBODY += ["env", "-u", "COVERAGE_PROCESS_START", "-u", "COVERAGE_PROCESS_CONFIG"]
AS_NOBODY += [f"PYTHONPATH={sysconfig.get_path('purelib')}"]


def nobodys_scenesync() -> list[str] | None:
    """Return how user nobody runs SceneSync here, None if this checkout or its Python are private to root."""
    for python in (sys.executable, "/usr/bin/python3"):
        command = [*AS_NOBODY, python, "-m", "scenesync"]
        if subprocess.run([*command, "health", "--help"], cwd=ROOT, capture_output=True, check=False).returncode == 0:
            return command
    return None


class TwoUsers(LiveWorld):
    """The hooks run as root; what ``nobodys_scenesync`` runs is SceneSync's container."""

    nobodys_scenesync: list[str]

    def as_nobody(self) -> Daemon:
        """Start the daemon and return when it works."""
        daemon = self.start([*self.nobodys_scenesync, "run"])
        daemon.wait_for_log("working data_dir=")
        return daemon

    def health(self) -> int:
        return self.run([*self.nobodys_scenesync, "health"]).exit_code

    def owners(self) -> set[int]:
        return {path.lstat().st_uid for path in (self.data_dir, *self.data_dir.rglob("*"))}


@pytest.fixture
def world() -> Iterator[TwoUsers]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    command = nobodys_scenesync()
    if command is None:
        pytest.skip("nobody else may read this checkout and its Python")
    with tempfile.TemporaryDirectory(prefix="scenesync-test-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with TwoUsers(folder) as world:
            world.nobodys_scenesync = command
            world.temporary.chmod(0o1777)
            world.data_dir.mkdir(mode=0o700)
            os.chown(world.data_dir, NOBODY, NOBODY)
            yield world


def test_what_root_keeps_for_a_daemon_that_is_not_root_is_its_own(world: TwoUsers) -> None:
    scene = world.add_scene("Harbour at dawn")
    world.stash.save(scene, details="Before there was a queue.")
    assert world.owners() == {NOBODY}
    assert world.health() == 1

    daemon = world.as_nobody()
    eventually(lambda: world.item_of(scene).summary == "Before there was a queue.", "the first summary")
    world.stash.save(scene, details="While it works.")
    eventually(lambda: world.item_of(scene).summary == "While it works.", "the second summary")
    world.plex.down()
    eventually(lambda: world.health() == 0, "a daemon that is healthy although Plex is down")
    world.plex.up()

    world.scenesync("sync", "--all", "--no-wait")  # a task in Stash's container
    world.settle()
    daemon.kill()
    assert world.health() == 1
    world.stash.save(scene, details="After it was killed.")
    world.scenesync("queue", "list")
    assert world.owners() == {NOBODY}
    assert {path.stat().st_mode & 0o077 for path in world.data_dir.rglob("*")} == {0}

    daemon = world.as_nobody()
    eventually(lambda: world.item_of(scene).summary == "After it was killed.", "the third summary")
    world.settle()
    assert daemon.stop() == 0
    assert [run.output for run in world.stash.hook_runs] == ["ok"] * 3
    assert [line.text for line in world.stash.log if line.level in {"warning", "error"}] == []
