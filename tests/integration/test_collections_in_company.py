"""Collections beside what else changes Plex: fan-out, undo, deletion in Stash, and a Plex that is busy."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from test_collections import ON, members, named, pier, titles
from test_collections_of_groups import placed
from test_fan_out import spread

from scenesync.domain.entities import Entity, EntityChange
from scenesync.domain.errors import AttemptCut
from scenesync.domain.outcome import Outcome
from scenesync.simulators.plex import faults
from scenesync.simulators.sample_world import png
from scenesync.worker.proof import Unproven

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]


def test_a_fan_out_carries_a_studios_new_name_text_and_picture_to_its_collection(world: SyncWorld) -> None:
    studio = pier(world)
    pairs = [world.pair(title=f"Film {number}", studio=studio) for number in range(4)]
    world.drain(*(scene_id for scene_id, _ in pairs), **ON)
    before = named(world, "North Pier").rating_key
    world.stash.save_studio(studio, name="West Pier", details="At night.", image=png(5))
    settings = {**ON, "sync_studio": False}  # nothing else shows it
    assert len(spread(world, EntityChange(Entity.STUDIO, studio.id), **settings)) == 4
    made = named(world, "West Pier")
    assert (made.rating_key, made.summary, members(made)) == (
        *(before, "At night."),
        {item.rating_key for _, item in pairs},
    )
    assert made.poster is not None
    assert made.poster.data == png(5)


def test_a_fan_out_carries_a_groups_new_text_to_its_collection(world: SyncWorld) -> None:
    group = world.stash.add_group("Seasons")
    scene_id, _ = world.pair(title="Film", groups=[group])
    settings = {**ON, "collection_sources": ("groups",)}
    world.drain(scene_id, **settings)
    world.stash.save_group(group, synopsis="One for each.")
    assert spread(world, EntityChange(Entity.GROUP, group.id), **settings) == [scene_id]
    assert named(world, "Seasons").summary == "One for each."


def test_undoing_the_only_member_ends_the_collection(world: SyncWorld) -> None:
    studio = pier(world)
    first, _ = world.pair(title="Walk", studio=studio)
    second, item = world.pair(title="Swim", studio=studio)
    world.drain(first, second, **ON)
    for scene_id, left in ((first, ["North Pier"]), (second, [])):
        with world.installed(**ON) as installation:
            undone = world.session(installation).undoing.undo_scene(scene_id)
        assert undone.items[0].is_complete
        assert titles(world) == left
    assert world.plex.item(item.rating_key).collections == ()


@pytest.mark.parametrize("by", ["Stash", "a person"])
def test_undo_takes_a_film_out_of_a_collection_that_was_renamed_since(world: SyncWorld, by: str) -> None:
    studio = pier(world)
    first, _ = world.pair(title="Walk", studio=studio)
    second, item = world.pair(title="Swim", studio=studio)
    policy = "stash" if by == "Stash" else "plex"
    world.drain(first, second, **ON, conflict_policy=policy)
    if by == "Stash":
        world.stash.save_studio(studio, name="West Pier")
        world.drain(first, second, **ON, conflict_policy=policy)
    else:
        world.plex.edit_by_hand(named(world, "North Pier"), title="West Pier")
        with world.installed(**ON, conflict_policy=policy) as installation:
            world.session(installation).collections.tidy(lambda: True)
    assert titles(world) == ["West Pier"]
    with world.installed(**ON, conflict_policy=policy) as installation:
        undone = world.session(installation).undoing.undo_scene(first)
    assert undone.items[0].is_complete
    assert members(named(world, "West Pier")) == {item.rating_key}
    assert titles(world) == ["West Pier"]


def test_a_scene_deleted_in_stash_leaves_its_item_where_it_is(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", studio=pier(world))
    world.drain(scene_id, **ON)
    world.stash.destroy(scene_id)
    world.drain(scene_id, **ON)
    assert members(named(world, "North Pier")) == {item.rating_key}  # on_destroy = keep


def test_a_rename_while_an_edit_waits_for_its_proof_makes_no_second_collection(world: SyncWorld) -> None:
    studio = pier(world)
    first, _ = world.pair(title="Walk", studio=studio)
    second, item = world.pair(title="Swim", studio=studio)
    world.drain(first, **ON)
    with world.installed(**ON) as installation:
        session = world.session(installation)
        written = session.scene_sync.sync(installation.stash.scenes([second])[second], lambda: True)
        world.stash.save_studio(studio, name="West Pier")
        session.scene_sync.sync(installation.stash.scenes([first])[first], lambda: True)
        errors: list[Exception | None] = []
        session.proofs.add(Unproven(second, written, errors.append, lambda: True))
        session.proofs.check(threading.Event())
    assert errors == [None]
    assert titles(world) == ["West Pier"]
    world.stash.save(second, studio=None)  # the baseline knows the new name too
    world.drain(second, **ON)
    assert item.rating_key not in members(named(world, "West Pier"))


def test_an_edit_that_still_names_a_collection_as_it_was_called_is_not_sent(world: SyncWorld) -> None:
    studio, tag = pier(world), world.stash.add_tag("Tour 7")
    first, _ = world.pair(title="Walk", studio=studio)
    second, item = world.pair(title="Swim", studio=studio)
    settings = {**ON, "collection_tags": ("Tour*",)}
    world.drain(first, second, **settings)
    world.stash.save(second, tags=[tag])
    with world.installed(**settings) as installation:
        scene_sync = world.session(installation).scene_sync
        match, (planned,) = scene_sync.plan(installation.stash.scenes([second])[second])
        world.stash.save_studio(studio, name="West Pier")
        scene_sync.sync(installation.stash.scenes([first])[first], lambda: True)
        with pytest.raises(AttemptCut, match="renamed"):
            scene_sync.write(second, match, planned.item, planned.edit, lambda: True)
    world.drain(second, **settings)
    assert titles(world) == ["Tour 7", "West Pier"]
    assert members(named(world, "Tour 7")) == {item.rating_key}


@pytest.mark.parametrize("applied", [True, False])
def test_a_new_name_that_met_a_busy_plex_is_the_collections_after_the_next_attempt(
    world: SyncWorld, *, applied: bool
) -> None:
    studio = pier(world)
    scene_id, item = world.pair(title="Walk", studio=studio)
    world.drain(scene_id, **ON)
    before = named(world, "North Pier").rating_key
    world.stash.save_studio(studio, name="West Pier")
    world.plex.fail_next(1, faults.status(500, applied=applied), only=lambda request: "type=18&id" in request.target)
    (attempt,) = world.drain(scene_id, **ON)
    assert (attempt.outcome, attempt.error_type) == (Outcome.RETRY, "PlexBusy")
    assert titles(world) == (["West Pier"] if applied else ["North Pier"])
    world.drain(scene_id, **ON)
    assert titles(world) == ["West Pier"]
    assert (named(world, "West Pier").rating_key, members(named(world, "West Pier"))) == (before, {item.rating_key})
    with world.installed(**ON) as installation:
        world.session(installation).collections.tidy(lambda: True)
    assert titles(world) == ["West Pier"]
    world.stash.save(scene_id, studio=None)  # it is known as ours, and the item as put there by us
    world.drain(scene_id, **ON)
    assert titles(world) == []


@pytest.mark.parametrize("applied", [True, False])
def test_a_description_that_met_a_busy_plex_is_written_by_the_next_attempt(world: SyncWorld, *, applied: bool) -> None:
    scene_id, item = world.pair(title="Walk", studio=pier(world))
    world.plex.fail_next(1, faults.status(500, applied=applied), only=lambda request: "type=18&id" in request.target)
    (attempt,) = world.drain(scene_id, **ON)
    assert (attempt.outcome, attempt.error_type) == (Outcome.RETRY, "PlexBusy")
    (attempt,) = world.drain(scene_id, **ON)
    assert attempt.outcome is Outcome.UNCHANGED
    made = named(world, "North Pier")
    assert (made.summary, members(made)) == ("Concerts by the sea.", {item.rating_key})


def refused(world: SyncWorld, *, path: str, method: str = "PUT") -> None:
    """Let Plex refuse these requests for good from now on."""
    world.plex.fail_next(
        1000, faults.status(403), only=lambda request: request.method == method and path in request.target
    )


def test_a_collection_that_plex_will_not_delete_takes_no_scene_with_it(world: SyncWorld) -> None:
    first, _ = world.pair(title="Walk", studio=pier(world))
    others = [world.pair(title=f"Film {number}")[0] for number in range(3)]
    world.drain(first, *others, **ON)
    refused(world, path="/library/collections/", method="DELETE")
    south = world.stash.add_studio("South Pier")
    for scene_id in (first, *others):
        world.stash.save(scene_id, studio=south)
    attempts = world.drain(first, *others, **ON)
    assert [attempt.outcome for attempt in attempts] == [Outcome.SYNCED] * 4, attempts[0].message
    assert titles(world) == ["North Pier", "South Pier"]
    world.plex.clear_records()
    world.stash.save(first, studio=None)
    world.drain(first, **ON)
    assert not [request for request in world.plex.requests if request.method == "DELETE"]  # asked again when tidying


def test_a_collection_that_plex_will_not_sort_takes_no_scene_with_it(world: SyncWorld) -> None:
    group = world.stash.add_group("Seasons")
    scenes = [world.pair(title=title)[0] for title in ("Autumn", "Spring")]
    for scene_id, place in zip(scenes, (2, 1), strict=True):
        world.stash.save(scene_id, groups=[placed(group, place)])
    refused(world, path="/move")
    settings = {**ON, "collection_sources": ("groups",)}
    attempts = world.drain(*scenes, **settings)
    assert [attempt.outcome for attempt in attempts] == [Outcome.SYNCED] * 2, attempts[0].message
    world.plex.clear_records()
    world.drain(*scenes, **settings)
    assert not [request for request in world.plex.requests if request.method != "GET"]


def test_a_collection_that_plex_will_not_edit_keeps_no_other_from_being_tidied(world: SyncWorld) -> None:
    for number, name in enumerate(("Airfield", "North Pier")):
        studio = world.stash.add_studio(name)
        world.stash.save_studio(studio, details="Concerts.")
        world.drain(world.pair(title=f"Film {number}", studio=studio)[0], **ON)
    for name in ("Airfield", "North Pier"):
        world.plex.edit_by_hand(named(world, name), summary="Theirs.")
    spoilt = named(world, "Airfield").rating_key
    world.plex.fail_next(10, faults.status(400), only=lambda request: f"type=18&id={spoilt}&" in request.target)
    with world.installed(**ON) as installation:
        world.session(installation).collections.tidy(lambda: True)
    assert (named(world, "Airfield").summary, named(world, "North Pier").summary) == ("Theirs.", "Concerts.")
