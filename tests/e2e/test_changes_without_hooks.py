"""Changes that no hook announced: no plugin, a hook that can write nowhere, a merge, a daemon that was away."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from live_world import ROOT, LiveWorld, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

NOWHERE = "/dev/null/nowhere"
"""No folder can be made below what is a file, not even by root."""


@pytest.fixture
def unplugged(tmp_path: Path) -> Iterator[LiveWorld]:
    world = LiveWorld(tmp_path)
    shutil.rmtree(world.plugin_dir)
    with world:
        yield world


@pytest.fixture
def with_a_hook_that_can_write_nowhere(tmp_path: Path) -> Iterator[LiveWorld]:
    world = LiveWorld(tmp_path, hook_settings={"SCENESYNC_DATA_DIR": NOWHERE})
    code = world.plugin_dir / "scenesync"
    code.unlink()
    shutil.copytree(ROOT / "scenesync", code, ignore=shutil.ignore_patterns("__pycache__"))
    spool = code / "queue" / "spool.py"
    # tempfile itself goes on looking until it finds a folder; all of its candidates are real ones.
    told = spool.read_text().replace("return tempfile.gettempdir()", f"return {NOWHERE!r} if tempfile else ''")
    assert told != spool.read_text()
    spool.write_text(told)
    with world:
        yield world


def test_without_the_plugin_files_what_is_saved_reaches_plex(unplugged: LiveWorld) -> None:
    world = unplugged
    scene = world.add_scene("Harbour at dawn")
    daemon = world.daemon(poll_interval="1")
    eventually(lambda: world.stash.operations()["ScenesByChange"] > 0, "a first look at Stash")
    world.stash.save(scene, title="Harbour at dusk")
    eventually(lambda: world.item_of(scene).title == "Harbour at dusk", "the change in Plex")
    assert {run.output for run in world.stash.hook_runs} == {""}, "no hook had anything to say"

    # A merge fires no hook anywhere (facts/stash.md 2.3), and what changes while nobody works waits.
    assert daemon.stop() == 0
    other = world.add_scene("Rehearsal")
    world.stash.merge([other], scene, title="Harbour, both takes")
    world.daemon(poll_interval="1")
    eventually(lambda: world.item_of(scene).title == "Harbour, both takes", "the merge in Plex")


def test_an_event_that_the_hook_could_write_nowhere_is_found_by_looking(
    with_a_hook_that_can_write_nowhere: LiveWorld,
) -> None:
    world = with_a_hook_that_can_write_nowhere
    scene = world.add_scene("Harbour at dawn")
    world.daemon(poll_interval="1")
    eventually(lambda: world.stash.operations()["ScenesByChange"] > 0, "a first look at Stash")
    world.stash.save(scene, title="Harbour at dusk")
    (run,) = world.stash.hook_runs
    assert (run.exit_status, run.output) == (0, "not stored")
    assert [line.text for line in world.stash.log if "could not be stored, the next poll finds it" in line.text]
    eventually(lambda: world.item_of(scene).title == "Harbour at dusk", "the change in Plex")
