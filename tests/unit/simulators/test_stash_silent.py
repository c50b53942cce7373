"""What a simulated Stash does without a word, and what it tells those who listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stash_over_http import Client, Probe, served

from scenesync.simulators.sample_world import png
from scenesync.simulators.stash.jobs import JobStatus
from scenesync.simulators.stash.records import NewFile
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    return Probe(tmp_path / "plugins")


@pytest.fixture
def client(probe: Probe, clock: Clock) -> Iterator[Client]:
    with served(StashSimulator(probe.plugins, clock=clock)) as client:
        stash = client.stash
        performers = [stash.add_performer("Ada"), stash.add_performer("Ben")]
        studio = stash.add_studio("Pier")
        for number in (1, 2):
            stash.add_scene(path=f"/data/films/{number}.mp4", performers=[performers[number - 1]], studio=studio)
        clock.now += 60
        yield client


SILENT: dict[str, tuple[Callable[[StashSimulator], object], set[int]]] = {
    "sceneMerge": (lambda stash: stash.merge([2], 1), {1}),
    "performerMerge": (lambda stash: stash.silently.merge_performers([2], 1), set()),
    "sceneAssignFile": (lambda stash: stash.silently.assign_file(1, "/data/films/2.mp4"), set()),
    "moveFiles": (lambda stash: stash.silently.move_file("/data/films/1.mp4", "/data/old/1.mp4"), set()),
    "deleteFiles": (lambda stash: stash.silently.delete_file("/data/films/1.mp4"), set()),
    "a renamed folder": (lambda stash: stash.silently.rename_folder("/data/films", "/data/old"), set()),
    "auto-tag": (lambda stash: stash.silently.auto_tag(1, performers=[2]), {1}),
    "a generated cover": (lambda stash: stash.silently.generate_cover(2, png(3)), {2}),
    "a performer named by a stash-box": (lambda stash: stash.silently.tag_performer_from_box(1, name="Ada S."), set()),
    "a studio named by a stash-box": (lambda stash: stash.silently.tag_studio_from_box(1, name="Pier R."), set()),
    "SQL": (lambda stash: stash.silently.execute_sql(1, title="Changed"), set()),
    "an import": (
        lambda stash: stash.silently.import_scene("/data/films/3.mp4", updated_at="2019-01-01T00:00:00Z"),
        set(),
    ),
}


@pytest.mark.parametrize("name", SILENT)
def test_a_silent_change_fires_nothing_and_bumps_only_what_the_real_one_bumps(
    client: Client, probe: Probe, name: str
) -> None:
    change, bumped = SILENT[name]
    before = {scene.id: scene.updated_at for scene in client.stash.scenes()}
    content = client.stash.scenes(), dict(client.stash.library.performers), dict(client.stash.library.studios)
    change(client.stash)
    assert (client.stash.scenes(), client.stash.library.performers, client.stash.library.studios) != content
    assert probe.events() == []
    assert {
        scene.id for scene in client.stash.scenes() if before.get(scene.id) not in (None, scene.updated_at)
    } == bumped


def test_identify_writes_scene_after_scene_with_a_hook_whose_input_lacks_the_id(client: Client, probe: Probe) -> None:
    job = client.stash.identify_job([(1, {"title": "One"}), (2, {"title": "Two"}), (1, {"details": "Again."})])
    ended = client.stash.job(job)
    assert (ended.status, ended.description, ended.progress) == (JobStatus.FINISHED, "Identifying...", 1.0)
    assert probe.events() == [("Scene.Update.Post", 1), ("Scene.Update.Post", 2), ("Scene.Update.Post", 1)]
    assert (client.stash.scene(1).title, client.stash.scene(1).details) == ("One", "Again.")


def test_a_scan_is_a_job(client: Client, probe: Probe) -> None:
    client.stash.job(client.stash.scan_job([NewFile("/data/new.mp4")]))
    assert probe.events() == [("Scene.Create.Post", 3)]


def test_the_ui_writes_back_all_settings_from_the_copy_that_it_made_when_it_was_opened(client: Client) -> None:
    stash = client.stash
    configure = "mutation($id:ID!,$input:Map!){configurePlugin(plugin_id:$id,input:$input)}"
    client.data(configure, {"id": "scenesync", "input": {"workers": 2}})
    ui = stash.open_ui()
    client.data(configure, {"id": "scenesync", "input": {"workers": 8, "state": "kept here by mistake"}})
    ui.change_setting("another", "colour", "blue")
    assert stash.engine.plugin_settings == {"scenesync": {"workers": 2}, "another": {"colour": "blue"}}
