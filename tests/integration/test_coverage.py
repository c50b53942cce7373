"""Both libraries compared, class by class, on the simulated servers."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from command_line import run_command
from sync_world import PLEX_ROOT, STASH_ROOT, TOKEN

from scenesync.app.coverage_report import CoverageReport, gather, summarize
from scenesync.app.pinning import pin_scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync_world import SyncWorld

    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.integration


def report_of(world: SyncWorld, **settings: Any) -> CoverageReport:
    with world.installed(**settings) as installation:
        return summarize(gather(installation), examples=2)


def counts(report: CoverageReport) -> dict[str, int]:
    return {f"{each.kind.value} {each.detail}".strip(): each.count for each in report.classes}


@pytest.fixture
def household(world: SyncWorld) -> dict[str, Any]:
    """A world with something of every class."""
    known: dict[str, Any] = {"exact": [world.pair(title="exact") for _ in range(3)]}
    by_suffix, _, size = world.scene("Coast/walk")
    world.plex.add_item(world.library, file=f"{PLEX_ROOT}/moved/Coast/walk.mp4", size_bytes=size)
    by_name, _, size = world.scene("Coast/storm")
    world.plex.add_item(world.library, file=f"{PLEX_ROOT}/moved/elsewhere/storm.mp4", size_bytes=size)
    twice, _, size = world.scene("twice")
    known["candidates"] = [
        world.plex.add_item(world.library, file=f"{PLEX_ROOT}/{folder}/twice.mp4", size_bytes=size).rating_key
        for folder in ("A", "B")
    ]
    known["missing"] = world.scene("missing")[0]
    known["stranger"] = world.plex.add_item(world.library, file=f"{PLEX_ROOT}/Films/stranger.mp4", size_bytes=3)
    (first, item), (second, other) = world.pair("one"), world.pair("two")
    world.plex.merge_items(item, other)
    known["shared"] = (first, second, item)
    private, private_item = world.pair("private", tags=[world.stash.add_tag("Private")])
    no_file = int(world.stash.add_scene(title="Only words", path=None).id)
    twin_library = world.plex.add_library("Twin", [PLEX_ROOT])
    twin_scene, twin = world.pair("twin")
    copy = world.plex.add_item(twin_library, file=twin.versions[0].file, size_bytes=twin.versions[0].size_bytes)
    pinned, _, _ = world.scene("pinned")
    target = world.plex.add_item(world.library, file=f"{PLEX_ROOT}/Films/other name.mp4", size_bytes=4)
    lost, _, _ = world.scene("lost")
    gone = world.plex.add_item(world.library, file=f"{PLEX_ROOT}/Films/gone.mp4", size_bytes=5)
    with world.installed() as installation:
        pin_scene(installation, pinned, target.rating_key)
        pin_scene(installation, lost, gone.rating_key)
    world.plex.remove_item(gone.rating_key)
    ids = {"by_suffix": by_suffix, "by_name": by_name, "twice": twice, "private": private, "no_file": no_file}
    return known | ids | {"private_item": private_item, "twin": (twin_scene, twin, copy), "lost": lost}


def test_every_class_is_counted_once_with_examples_and_what_to_do(world: SyncWorld, household: dict[str, Any]) -> None:
    report = report_of(world, skip_tags=("private",))
    assert counts(report) == {
        "matched pin": 1,
        "matched path": 4,
        "matched suffix": 1,
        "matched name_size": 1,
        "two_scenes_one_item": 1,
        "ambiguous name_size": 1,
        "not_in_plex": 1,
        "pin_lost": 1,
        "left_out no_file": 1,
        "left_out skip_tags": 1,
        "not_in_stash": 1,
        "item_of_left_out_scene": 1,
        "file_in_two_items": 1,
    }
    # Three exact, two each that moved and are twice, two that share an item, and one each of the rest.
    assert report.scenes == 3 + 2 + 1 + 1 + 2 + 1 + 1 + 1 + 2
    classes = {f"{each.kind.value} {each.detail}".strip(): each for each in report.classes}
    [shared] = classes["two_scenes_one_item"].examples
    first, second, item = household["shared"]
    assert (shared.scene_ids, shared.rating_keys) == ((first, second), (item.rating_key,))
    assert "scenesync pin" in classes["two_scenes_one_item"].what_to_do
    assert classes["ambiguous name_size"].examples[0].rating_keys == tuple(household["candidates"])
    assert classes["not_in_plex"].examples[0].scene_ids == (household["missing"],)
    assert classes["not_in_stash"].examples[0].rating_keys == (household["stranger"].rating_key,)
    assert classes["left_out skip_tags"].examples[0].text.endswith("has the tag private (skip_tags).")
    _, twin, copy = household["twin"]
    assert classes["file_in_two_items"].examples[0].rating_keys == (twin.rating_key, copy.rating_key)
    assert len(classes["matched path"].examples) == 2
    assert all(each.what_to_do for each in report.classes if each.kind.value != "matched" and each.side == "stash")


def test_it_writes_nothing_and_asks_nobody_about_single_items(world: SyncWorld, household: dict[str, Any]) -> None:
    assert household
    world.plex.clear_records()
    report_of(world)
    assert set(world.plex.counts()) <= {"identity", "sections", "list"}
    assert world.plex.field_writes == []
    assert world.stash.operations()["ScenesToMatchAfter"] == 2  # one page, and the end
    assert "Scenes" not in world.stash.operations() or world.stash.operations()["Scenes"] == 0


def test_what_coverage_says_is_what_a_sync_then_does(world: SyncWorld, household: dict[str, Any]) -> None:
    assert household
    with world.installed() as installation:
        findings = list(gather(installation).findings)
    said = {
        scene_id: finding
        for finding in findings
        for scene_id in finding.scene_ids
        if finding.kind.value not in {"matched", "item_of_left_out_scene"}
    }
    ids = [int(scene.id) for scene in world.stash.scenes()]
    done = {attempt.scene_id: attempt for attempt in world.drain(*ids)}
    expected = {
        "two_scenes_one_item": ("dead", "AmbiguousMatch"),
        "ambiguous": ("dead", "AmbiguousMatch"),
        "not_in_plex": ("retry", "PlexNotFound"),
        "pin_lost": ("retry", "PlexNotFound"),
        "left_out": ("skipped", "SceneSkipped"),
    }
    for scene_id in ids:
        attempt = done[scene_id]
        if scene_id in said:
            assert (attempt.outcome.value, attempt.error_type) == expected[said[scene_id].kind.value], scene_id
        else:
            assert attempt.outcome.value in {"synced", "unchanged"}, scene_id
    matched = {finding.scene_ids[0]: finding.detail for finding in findings if finding.kind.value == "matched"}
    assert matched == {scene_id: done[scene_id].rule for scene_id in matched}


@pytest.fixture
def run(world: SyncWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    for key, value in {
        "DATA_DIR": str(world.data_dir),
        "STASH_URL": world.stash.url,
        "PLEX_URL": world.plex.url,
        "PLEX_TOKEN": TOKEN,
        "PATH_MAP": f"{STASH_ROOT} => {PLEX_ROOT}",
    }.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)

    def scenesync(*arguments: str) -> str:
        ran = run_command(capsys, *arguments)
        assert ran.exit_code == 0
        return ran.stdout

    return scenesync


def test_the_command_prints_json_csv_and_words(
    world: SyncWorld, household: dict[str, Any], run: Callable[..., str]
) -> None:
    formula: PlexItem = world.plex.add_item(world.library, file="=cmd|' /C calc'!A0", size_bytes=1)
    document = json.loads(run("coverage", "--json", "--examples", "1"))
    by_class = {f"{each['class']} {each['detail'] or ''}".strip(): each for each in document["classes"]}
    assert by_class["matched path"]["count"] == 5
    assert by_class["not_in_plex"]["examples"][0]["scene_ids"] == [household["missing"]]
    rows = list(csv.DictReader(io.StringIO(run("coverage", "--csv"))))
    assert len([row for row in rows if row["class"] == "matched"]) == sum(
        each["count"] for name, each in by_class.items() if name.startswith("matched")
    )
    [odd] = [row for row in rows if row["rating_keys"] == formula.rating_key]
    assert odd["path"] == "'=cmd|' /C calc'!A0"
    words = run("coverage")
    assert "scenes in Stash" in words
    assert "two scenes one item" in words
    assert str(household["missing"]) in words
