"""``plan`` says exactly what ``sync`` then does, writes nothing, and can be carried out later or not at all."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import PLEX_ROOT, TOKEN, SyncWorld

from scenesync.app.cli import run_cli
from scenesync.simulators.sample_world import build_world, png

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

STEM_OF_WRITE = {"poster": "thumb"}

SCENES = 220
"""More than twice what is read, planned, proven or undone at once."""


@pytest.fixture
def environment(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> SyncWorld:
    values = {
        "DATA_DIR": str(world.data_dir),
        "STASH_URL": world.stash.url,
        "PLEX_URL": world.plex.url,
        "PLEX_TOKEN": TOKEN,
        "PATH_MAP": "/data/stash => /mnt/media",
        "SYNC_COLLECTION": "true",
        "LOG_LEVEL": "error",
    }
    for key, value in values.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)
    return world


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run_cli(["plan", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def steps(plan: Any) -> dict[tuple[str, str], Any]:
    """Return what each field of each item would become; lists sorted, since Plex keeps no order of theirs."""
    found: dict[tuple[str, str], Any] = {}
    for scene in plan["scenes"]:
        for item in scene["items"]:
            for change in item["changes"]:
                after = change["after"]
                found[item["rating_key"], change["field"]] = sorted(after) if isinstance(after, list) else after
            for stem in item["pictures"]:
                found[item["rating_key"], stem] = "picture"
    return found


def writes(world: SyncWorld) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for write in world.plex.field_writes:
        stem = STEM_OF_WRITE.get(write.field, write.field)
        if stem.endswith(".locked"):
            continue
        if stem in {"thumb", "art"}:
            found[write.rating_key, stem] = "picture"
        else:
            found[write.rating_key, stem] = sorted(write.value) if isinstance(write.value, tuple) else write.value
    return found


@pytest.mark.timeout(240)
def test_over_hundreds_of_scenes_the_plan_is_what_sync_then_does_field_by_field(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    build_world(world.stash, world.plex, SCENES, seed=5, with_covers=False)
    rng = random.Random(5)  # noqa: S311 - not a secret
    ids = sorted(world.stash.library.scenes)
    for scene_id in rng.sample(ids, 20):
        world.stash.save(scene_id, cover=png(scene_id))
    plan = planned(capsys, "--all")
    assert world.plex.field_writes == []
    assert plan["totals"]["change"] == len(plan["scenes"]) > 0.8 * SCENES

    assert run_cli(["sync", "--all", "--json"]) == 0
    assert steps(plan) == writes(world)
    assert planned(capsys, "--all")["totals"]["unchanged"] == SCENES

    # And once more, from a state in which most is right.
    world.plex.clear_records()
    for scene_id in rng.sample(ids, 25):
        world.stash.save(scene_id, title=f"Harbour {scene_id}", details="", tag_ids=[])
    plan = planned(capsys, "--all")
    assert plan["totals"]["change"] == 25
    assert plan["totals"]["cleared_fields"] > 0
    assert run_cli(["sync", "--all", "--json"]) == 0
    assert steps(plan) == writes(world)


def test_the_plan_says_why_a_scene_cannot_be_synced(environment: SyncWorld, capsys: pytest.CaptureFixture[str]) -> None:
    world = environment
    changed, _ = world.pair("right", title="Right")
    missing, _, _ = world.scene("missing")
    doubtful, _, size = world.scene("doubtful")
    for folder in ("A", "B"):
        world.plex.add_item(world.library, file=f"{PLEX_ROOT}/{folder}/doubtful.mp4", size_bytes=size)
    plan = planned(capsys, "--all")
    verdicts = {scene["scene_id"]: scene["verdict"] for scene in plan["scenes"]}
    assert verdicts == {changed: "change", missing: "unmatched", doubtful: "ambiguous"}
    assert run_cli(["plan", "--all"]) == 0
    text = capsys.readouterr().out
    assert "not in Plex: No Plex item plays /data/stash/Films/missing.mp4" in text
    assert "2 Plex items fit scene" in text
    assert "Plan: 1 scene to change" in text
    assert "1 not in Plex, 1 ambiguous." in text
    assert run_cli(["sync", "--all", "--dry-run"]) == 0
    assert capsys.readouterr().out == text
    assert world.plex.field_writes == []


def test_a_scene_that_stash_does_not_have_is_named(environment: SyncWorld, capsys: pytest.CaptureFixture[str]) -> None:
    there, _ = environment.pair(title="Pier")
    assert run_cli(["plan", str(there), "4711"]) == 0
    told = capsys.readouterr()
    assert "Stash has no scene 4711." in told.err
    assert f"no scene {there}" not in told.err
    assert "Plan: 1 scene to change" in told.out


def test_a_plan_for_a_folder_that_does_not_exist_is_wrong_usage(
    environment: SyncWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, _ = environment.pair(title="Pier")
    assert run_cli(["plan", str(there), "--out", str(tmp_path / "missing" / "plan.json")]) == 2
    assert f"There is no folder {tmp_path / 'missing'}" in capsys.readouterr().err


def test_a_dry_drain_shows_what_the_jobs_that_wait_would_change(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    (waits, _), _ = world.pair(title="Pier"), world.pair(title="Quay")
    assert run_cli(["sync", str(waits), "--no-wait"]) == 0
    capsys.readouterr()
    assert run_cli(["drain", "--dry-run", "--json"]) == 0
    assert [scene["scene_id"] for scene in json.loads(capsys.readouterr().out)["scenes"]] == [waits]
    assert world.plex.field_writes == []
    assert run_cli(["drain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["synced"] == 1
    assert run_cli(["drain", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("Plan: 0 scenes to change")


def test_a_plan_is_applied_as_it_was_made(
    environment: SyncWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    scenes = [world.pair(title=f"Film {number}", cover=png(number)) for number in range(3)]
    file = tmp_path / "plan.jsonl"
    plan = planned(capsys, "--out", str(file), *(str(scene_id) for scene_id, _ in scenes[:2]))
    assert file.stat().st_mode & 0o777 == 0o600
    assert run_cli(["apply", str(file), "--dry-run"]) == 0
    assert world.plex.field_writes == []
    assert run_cli(["apply", str(file)]) == 0
    assert steps(plan) == writes(world)
    assert [world.plex.item(item.rating_key).title for _, item in scenes] == ["Film 0", "Film 1", scenes[2][1].title]


@pytest.mark.parametrize("mover", ["plex", "stash"])
def test_a_plan_that_no_longer_holds_is_refused_whole(
    environment: SyncWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], mover: str
) -> None:
    world = environment
    (first, item), (second, _) = world.pair(title="Pier"), world.pair(title="Quay")
    file = tmp_path / "plan.jsonl"
    planned(capsys, "--out", str(file), str(first), str(second))
    if mover == "plex":
        world.plex.edit_by_hand(item, title="Changed by hand")
    else:
        world.stash.save(first, title="Pier at noon")
    world.plex.clear_records()
    assert run_cli(["apply", str(file)]) == 1
    refused = capsys.readouterr().err
    assert "1 of 2 scenes have moved on since the plan was made" in refused
    assert f"scene {first} Pier: other changes in title" in refused
    assert world.plex.field_writes == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no plan of SceneSync"),
        (b"shopping list", "is no plan of SceneSync"),
        (b"\xff\xfe\x00", "is no plan of SceneSync"),
        (b"[]", "is no plan of SceneSync"),
        (b'{"version": 2}', "is no plan of SceneSync"),
        (b'{"scenesync_plan": 9, "server_id": "x", "made_at": 1}', "another version"),
        (b'{"scenesync_plan": 1, "server_id": "x", "made_at": 1}\n{"scene_id": 1}', "damaged. Make it again"),
        (b'{"scenesync_plan": 1}', "damaged. Make it again"),
    ],
)
def test_what_is_no_plan_is_refused_in_words(
    environment: SyncWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    file = tmp_path / "plan.jsonl"
    file.write_bytes(content)
    assert run_cli(["apply", str(file)]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Error(" not in told
    assert environment.plex.field_writes == []


@pytest.mark.parametrize("policy", ["stash", "plex"])
def test_what_a_person_did_in_plex_is_told_and_dealt_with_as_told(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    world = environment
    monkeypatch.setenv("SCENESYNC_CONFLICT_POLICY", policy)
    scene_id, item = world.pair(title="Pier", details="Waves.")
    assert run_cli(["sync", "--all", "--json"]) == 0
    world.plex.edit_by_hand(item, summary="Their own words.")
    plan = planned(capsys, "--all")
    (scene,) = plan["scenes"]
    assert scene["items"][0]["conflicts"] == [
        {"field": "summary", "by": "edit", "overwritten": policy == "stash"},
    ]
    assert (plan["totals"]["edits_overwritten"], plan["totals"]["edits_kept"]) == (
        (1, 0) if policy == "stash" else (0, 1)
    )
    assert run_cli(["plan", str(scene_id)]) == 0
    text = capsys.readouterr().out
    if policy == "stash":
        assert "“Their own words.” → “Waves.”  (edited in Plex since, overwritten)" in text
        assert "edits made in Plex: 1 overwritten, 0 kept" in text
    else:
        assert f"= {scene_id} Pier" in text
        assert "kept: edited in Plex by somebody" in text
    assert run_cli(["sync", str(scene_id), "--json"]) == 0
    if policy == "plex":
        assert run_cli(["explain", str(scene_id)]) == 0
        assert "conflict   summary was edited in Plex by somebody: kept" in capsys.readouterr().out
    assert world.plex.item(item.rating_key).summary == ("Waves." if policy == "stash" else "Their own words.")
