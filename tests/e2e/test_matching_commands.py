"""pin, unpin, coverage and doctor --write as a person runs them."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest
from live_world import PLEX_ROOT, STASH_ROOT

if TYPE_CHECKING:
    from live_world import LiveWorld

pytestmark = pytest.mark.e2e


def test_a_pin_settles_what_no_rule_can(world: LiveWorld) -> None:
    scene = world.add_scene("Northern lights", in_plex=False)
    keys = [
        world.plex.add_item(world.library, file=f"{PLEX_ROOT}/{folder}/Northern lights.mp4").rating_key
        for folder in ("A", "B")
    ]
    assert world.scenesync("sync", str(scene.id)).exit_code == 3
    explained = world.scenesync("explain", str(scene.id)).stdout
    assert all(f"candidate  {key}" in explained for key in keys)

    pinned = world.scenesync("pin", str(scene.id), keys[1], "--json")
    assert pinned.exit_code == 0
    assert pinned.document()["item_files"] == [f"{PLEX_ROOT}/B/Northern lights.mp4"]
    assert world.scenesync("drain").exit_code == 0
    assert world.plex.item(keys[1]).locked
    assert not world.plex.item(keys[0]).locked
    assert world.scenesync("explain", str(scene.id), "--json").document()["rule"] == "pin"

    taken = world.scenesync("pin", str(world.add_scene("Southern lights", in_plex=False).id), keys[1])
    assert (taken.exit_code, taken.stdout) == (1, "")
    assert f"scenesync unpin {scene.id}" in taken.stderr
    unpinned = world.scenesync("unpin", str(scene.id), "--json")
    assert (unpinned.exit_code, unpinned.document()) == (0, {"scene_id": scene.id, "was_pinned": True})
    assert world.scenesync("unpin", str(scene.id)).exit_code == 1


def test_doctor_writes_the_map_that_coverage_then_shows_to_be_right(world: LiveWorld) -> None:
    for title in ("Harbour", "Valley", "Island"):
        world.add_scene(title)
    before = world.scenesync("coverage", "--json", path_map=None).document()
    assert [(each["detail"], each["count"]) for each in before["classes"]] == [("suffix", 3)]
    ran = world.scenesync("doctor", "--write", path_map=None)
    assert ran.exit_code == 0, ran.stdout + ran.stderr
    file = world.data_dir / "scenesync.toml"
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {"path_map": [f"{STASH_ROOT} => {PLEX_ROOT}"]}
    after = world.scenesync("coverage", "--json", path_map=None).document()
    assert [(each["detail"], each["count"]) for each in after["classes"]] == [("path", 3)]


def test_coverage_takes_one_form_at_a_time(world: LiveWorld) -> None:
    ran = world.scenesync("coverage", "--json", "--csv")
    assert (ran.exit_code, json.loads(ran.stdout)) == (2, {"error": "--json and --csv exclude each other."})
    assert "--json and --csv exclude each other" in ran.stderr
