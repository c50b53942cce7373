"""Scenes that a filter leaves out: never written, never a dead letter, never without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sync_world import STASH_ROOT

from scenesync.app.explanation import explain_scene
from scenesync.domain.outcome import Outcome

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = pytest.mark.integration


def fields(world: SyncWorld) -> dict[str, Any]:
    nature = world.stash.add_tag("Nature")
    return {
        "title": "Harbour",
        "organized": False,
        "tags": [world.stash.add_tag("Birds", parents=[nature])],
        "studio": world.stash.add_studio("North Pier", world.stash.add_studio("Piers")),
    }


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"only_organized": True}, "only_organized"),
        ({"only_tags": ("Cities",)}, "only_tags"),
        ({"skip_tags": ("birds",)}, "skip_tags"),
        ({"skip_tags": ("NATURE",)}, "skip_tags"),
        ({"only_studios": ("South Pier",)}, "only_studios"),
        ({"only_paths": (f"{STASH_ROOT}/Concerts",)}, "only_paths"),
        ({"skip_paths": (f"{STASH_ROOT}/Films/",)}, "skip_paths"),
    ],
)
def test_a_filter_leaves_a_scene_out_and_explain_says_which(
    world: SyncWorld, settings: dict[str, Any], reason: str
) -> None:
    scene_id, item = world.pair(**fields(world))
    [attempt] = world.drain(scene_id, **settings)
    assert (attempt.outcome, attempt.error_type) == (Outcome.SKIPPED, "SceneSkipped")
    assert reason in attempt.message
    assert world.plex.field_writes == []
    with world.installed(**settings) as installation:
        explanation = explain_scene(installation, scene_id)
        assert installation.dead_letters.count() == 0
    assert (explanation.takes_part, explanation.left_out_by) == (False, reason)
    assert reason in explanation.verdict
    assert item.title == "film 1"


@pytest.mark.parametrize(
    "settings",
    [
        {"only_tags": ("birds",)},
        {"only_tags": ("Cities", "nature")},
        {"skip_tags": ("Bird",)},
        {"only_studios": ("piers",)},
        {"only_paths": (f"{STASH_ROOT}/Films",)},
        {"skip_paths": (f"{STASH_ROOT}/Film",)},
    ],
)
def test_a_scene_that_takes_part_is_synced(world: SyncWorld, settings: dict[str, Any]) -> None:
    scene_id, item = world.pair(**fields(world))
    assert [attempt.outcome for attempt in world.drain(scene_id, **settings)] == [Outcome.SYNCED]
    assert item.title == "Harbour"


def test_a_scene_that_is_organized_later_is_synced_then(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Harbour", organized=False)
    world.drain(scene_id, only_organized=True)
    world.stash.save(scene_id, organized=True)
    assert [attempt.outcome for attempt in world.drain(scene_id, only_organized=True)] == [Outcome.SYNCED]
    assert item.title == "Harbour"
