"""A group's films stand in its collection as they do in the group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from test_collections import ON, a_film, named, requests_for_collections

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.simulators.stash.records import Group

pytestmark = pytest.mark.integration

GROUPS: dict[str, Any] = {**ON, "collection_sources": ("groups",)}


def in_group(world: SyncWorld, group: Group, *places: int | None) -> list[int]:
    """Add a scene, called by its number, for each place in the group."""
    found = []
    for number, place in enumerate(places, start=1):
        scene_id, _ = world.pair(title=f"Film {number}")
        world.stash.save(scene_id, groups=[placed(group, place)])
        found.append(scene_id)
    return found


def placed(group: Group, place: int | None) -> dict[str, Any]:
    return {"group_id": str(group.id), "scene_index": place}


def order(world: SyncWorld) -> list[str]:
    """Return the titles in the order in which Plex shows the collection."""
    with world.installed() as installation:
        keys = installation.plex.collections.members(named(world, "Seasons").rating_key)
    return [world.plex.item(key).title for key in keys]


def test_a_groups_films_stand_at_their_places_and_then_cost_nothing(world: SyncWorld) -> None:
    group = world.stash.add_group("Seasons")
    scenes = in_group(world, group, 3, 1, 2)
    made = requests_for_collections(world, *scenes, **GROUPS)
    assert order(world) == ["Film 2", "Film 3", "Film 1"]
    assert made["PUT collection"] <= 3  # the sort and at most two moves
    assert requests_for_collections(world, *scenes, **GROUPS) == {}


def test_a_film_that_comes_later_is_put_at_its_place_with_one_move(world: SyncWorld) -> None:
    group = world.stash.add_group("Seasons")
    scenes = in_group(world, group, 10, 30, 20)
    world.drain(scenes[0], scenes[1], **GROUPS)
    joining = requests_for_collections(world, scenes[2], **GROUPS)
    assert joining == {"GET list": 1, "PUT collection": 1}
    assert order(world) == ["Film 1", "Film 3", "Film 2"]


def test_another_place_in_stash_moves_the_film_alone(world: SyncWorld) -> None:
    group = world.stash.add_group("Seasons")
    scenes = in_group(world, group, 1, 2, 3)
    world.drain(*scenes, **GROUPS)
    world.stash.save(scenes[0], groups=[placed(group, 4)])
    moved = requests_for_collections(world, *scenes, **GROUPS)
    assert order(world) == ["Film 2", "Film 3", "Film 1"]
    assert moved == {"GET list": 1, "PUT collection": 1}


def test_a_group_without_places_is_left_in_plexs_own_order(world: SyncWorld) -> None:
    group = world.stash.add_group("Seasons")
    scenes = in_group(world, group, None, None)
    made = requests_for_collections(world, *scenes, **GROUPS)
    assert made["PUT collection"] == 0
    assert named(world, "Seasons").text("collectionSort") == ""


def test_the_order_can_be_left_out(world: SyncWorld) -> None:
    group = world.stash.add_group("Seasons")
    scenes = in_group(world, group, 2, 1)
    made = requests_for_collections(world, *scenes, **GROUPS, collection_order=False)
    assert made["PUT collection"] == 0


def test_a_persons_collection_is_never_sorted(world: SyncWorld) -> None:
    theirs = a_film(world, "Theirs")
    world.plex.edit_by_hand(theirs, collections=["Seasons"])
    group = world.stash.add_group("Seasons")
    scenes = in_group(world, group, 2, 1)
    made = requests_for_collections(world, *scenes, **GROUPS)
    assert made["PUT collection"] == 0
    assert named(world, "Seasons").text("collectionSort") == ""


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("stash", ["Film 1", "Film 2", "Film 3", "Film 4"]),
        ("plex", ["Film 3", "Film 2", "Film 1", "Film 4"]),
    ],
)
def test_an_order_given_by_hand_is_treated_as_the_policy_says(
    world: SyncWorld, policy: str, expected: list[str]
) -> None:
    settings: dict[str, Any] = {**GROUPS, "conflict_policy": policy}
    group = world.stash.add_group("Seasons")
    scenes = in_group(world, group, 1, 2, 3, 4)
    world.drain(*scenes[:3], **settings)
    with world.installed() as installation:
        made = named(world, "Seasons").rating_key
        first, second = (world.plex.item_by_file(f"/mnt/media/Films/film {number}.mp4") for number in (1, 2))
        third = world.plex.item_by_file("/mnt/media/Films/film 3.mp4")
        installation.plex.collections.move(made, second.rating_key, after=third.rating_key)
        installation.plex.collections.move(made, first.rating_key, after=second.rating_key)
    world.drain(scenes[3], **settings)
    assert order(world) == expected


def test_a_persons_film_among_ours_is_not_moved(world: SyncWorld) -> None:
    group = world.stash.add_group("Seasons")
    scenes = in_group(world, group, 2, 1)
    world.drain(scenes[0], **GROUPS)
    theirs = a_film(world, "Theirs")
    world.plex.edit_by_hand(theirs, collections=["Seasons"])
    world.plex.clear_records()
    world.drain(scenes[1], **GROUPS)
    assert [title for title in order(world) if title != theirs.title] == ["Film 2", "Film 1"]
    assert not any(f"/items/{theirs.rating_key}/move" in each.path for each in world.plex.requests)
