"""Collections that SceneSync made: how they come about, what they look like, how they end."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.domain.outcome import Outcome
from scenesync.simulators.plex import faults
from scenesync.simulators.sample_world import png

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.simulators.plex.model import PlexCollection, PlexItem
    from scenesync.simulators.stash.records import Studio

pytestmark = pytest.mark.integration

ON: dict[str, Any] = {"sync_collection": True, "sync_poster": False, "sync_background": False}
EVERYTHING: dict[str, Any] = {
    **ON,
    "collection_sources": ("studio", "parent_studios", "groups"),
    "collection_tags": ("Tour*",),
}
DIALECTS = pytest.mark.parametrize(("tags", "decoding"), [("replace", "twice"), ("add", "once")])


def named(world: SyncWorld, title: str) -> PlexCollection:
    (found,) = [each for each in world.plex.collections() if each.title == title]
    return found


def titles(world: SyncWorld) -> list[str]:
    return sorted(each.title for each in world.plex.collections())


def members(collection: PlexCollection) -> set[str]:
    return set(collection.members)


def pier(world: SyncWorld) -> Studio:
    studio = world.stash.add_studio("North Pier", image=png(3))
    world.stash.save_studio(studio, details="Concerts by the sea.")
    return studio


def requests_for_collections(world: SyncWorld, *scene_ids: int, **settings: Any) -> Counter[str]:
    """Drain and return the requests made beyond those of connecting, reading items, writing and proving them."""
    world.plex.clear_records()
    world.drain(*scene_ids, **{**ON, **settings})
    keys = {each.rating_key for each in world.plex.collections()}
    found: Counter[str] = Counter()
    for each in world.plex.requests:
        query = dict(each.query)
        named = each.path.removeprefix("/library/metadata/").partition("/")[0].split(",")
        if query.get("type") == "18" or "/collections" in each.path or not keys.isdisjoint(named):
            found[f"{each.method} {each.kind}"] += 1
    return found


def edits_of_items(world: SyncWorld) -> int:
    return sum(each.kind == "edit" and dict(each.query)["type"] == "1" for each in world.plex.requests)


@DIALECTS
def test_a_studios_collection_comes_about_with_text_and_picture(world: SyncWorld, tags: Any, decoding: Any) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items=tags, minus_decoding=decoding)
    scene_id, item = world.pair(title="Walk", studio=pier(world))
    (attempt,) = world.drain(scene_id, **ON)
    assert attempt.outcome is Outcome.SYNCED, attempt.message
    made = named(world, "North Pier")
    assert members(made) == {item.rating_key}
    assert made.summary == "Concerts by the sea."
    assert made.poster is not None
    assert made.poster.data == png(3)
    assert made.locked == {"summary", "thumb"}


def test_what_a_collection_costs_and_that_an_unchanged_one_costs_nothing(world: SyncWorld) -> None:
    studio = pier(world)
    first, _ = world.pair(title="Walk", studio=studio)
    second, _ = world.pair(title="Swim", studio=studio)
    # One look before its first member and one after, a read, text and picture, and the proof of both.
    making = requests_for_collections(world, first)
    assert making == {"GET list": 2, "GET read": 2, "PUT edit": 1, "POST image": 1}
    assert edits_of_items(world) == 1
    assert requests_for_collections(world, second) == {}
    assert edits_of_items(world) == 1
    assert requests_for_collections(world, first, second) == {}
    assert world.plex.field_writes == []


def test_many_scenes_of_new_collections_share_their_looks(world: SyncWorld) -> None:
    studios = [world.stash.add_studio(f"Studio {number}") for number in range(6)]
    for studio in studios:
        world.stash.save_studio(studio, details="Text.")
    pairs = [world.pair(studio=studios[number % 6]) for number in range(12)]
    made = requests_for_collections(world, *(scene_id for scene_id, _ in pairs))
    assert titles(world) == [f"Studio {number}" for number in range(6)]
    assert all(len(each.members) == 2 and each.summary == "Text." for each in world.plex.collections())
    assert made["PUT edit"] == 6
    assert made["GET list"] + made["GET read"] <= 12  # for six alone it would be 24


def test_a_studio_without_description_and_picture_makes_a_plain_collection(world: SyncWorld) -> None:
    svg = world.stash.add_studio("Drawn", image=b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    plain = world.stash.add_studio("Plain")
    first, _ = world.pair(title="Walk", studio=svg)
    second, _ = world.pair(title="Swim", studio=plain)
    world.drain(first, second, **ON)
    assert titles(world) == ["Drawn", "Plain"]
    # Plex cannot show the drawing, and what Stash draws for nothing is not asked for.
    assert all(each.poster is None and not each.locked for each in world.plex.collections())
    assert requests_for_collections(world, first, second) == {}


def test_text_and_picture_can_be_left_out(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Walk", studio=pier(world))
    world.drain(scene_id, **ON, collection_summary=False, collection_poster=False)
    made = named(world, "North Pier")
    assert (made.summary, made.poster) == ("", None)
    world.drain(scene_id, **ON, collection_summary=True, collection_poster=False)
    assert (made.summary, made.poster) == ("Concerts by the sea.", None)


def test_without_lock_fields_nothing_of_a_collection_is_locked(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Walk", studio=pier(world))
    world.drain(scene_id, **ON, lock_fields=False)
    made = named(world, "North Pier")
    assert made.summary == "Concerts by the sea."
    assert made.poster is not None
    assert made.locked == frozenset()


def test_groups_parents_and_tags_of_a_pattern_become_collections(world: SyncWorld) -> None:
    stash = world.stash
    parent = stash.add_studio("Harbour Group", image=png(1))
    studio = stash.add_studio("North Pier", parent=parent)
    group = stash.add_group("Encores")
    stash.save_group(group, synopsis="All of them.", front_image=png(2))
    tour, sea = stash.add_tag("Tour 2024"), stash.add_tag("Sea")
    stash.save_tag(tour, description="Twelve nights.", image=png(4))
    scene_id, item = world.pair(title="Walk", studio=studio, groups=[group], tags=[tour, sea])
    world.drain(scene_id, **EVERYTHING)
    assert titles(world) == ["Encores", "Harbour Group", "North Pier", "Tour 2024"]
    assert named(world, "Encores").summary == "All of them."
    assert named(world, "Tour 2024").summary == "Twelve nights."
    pictures = {each.title: each.poster.data for each in world.plex.collections() if each.poster}
    assert pictures == {"Encores": png(2), "Harbour Group": png(1), "Tour 2024": png(4)}
    assert set(world.plex.item(item.rating_key).collections) == set(titles(world))
    assert requests_for_collections(world, scene_id, **EVERYTHING) == {}


def test_a_new_description_in_stash_is_written_once_and_an_emptied_one_taken_away(world: SyncWorld) -> None:
    studio = pier(world)
    first, _ = world.pair(title="Walk", studio=studio)
    second, _ = world.pair(title="Swim", studio=studio)
    world.drain(first, second, **ON)
    world.stash.save_studio(studio, details="Concerts at night.")
    changed = requests_for_collections(world, first, second)
    assert named(world, "North Pier").summary == "Concerts at night."
    assert changed == {"GET read": 2, "PUT edit": 1}  # the picture is the same: not sent
    world.stash.save_studio(studio, details="")
    world.drain(first, **ON)
    assert named(world, "North Pier").summary == ""


def test_a_new_picture_in_stash_is_sent(world: SyncWorld) -> None:
    studio = pier(world)
    scene_id, _ = world.pair(title="Walk", studio=studio)
    world.drain(scene_id, **ON)
    world.stash.save_studio(studio, image=png(9), details="More.")
    world.drain(scene_id, **ON)
    poster = named(world, "North Pier").poster
    assert poster is not None
    assert poster.data == png(9)


def test_a_picture_that_plex_refuses_does_not_keep_the_scene_or_the_text_from_plex(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", studio=pier(world))
    world.plex.fail_next(1, faults.status(400), only="image")
    (attempt,) = world.drain(scene_id, **ON)
    assert attempt.outcome is Outcome.SYNCED
    assert world.plex.item(item.rating_key).title == "Walk"
    made = named(world, "North Pier")
    assert (made.summary, made.poster) == ("Concerts by the sea.", None)
    # Whoever is next looks again.
    world.drain(scene_id, **ON)
    assert made.poster is not None


@DIALECTS
def test_a_collection_is_deleted_when_its_last_member_leaves(world: SyncWorld, tags: Any, decoding: Any) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items=tags, minus_decoding=decoding)
    studio, other = pier(world), world.stash.add_studio("South Pier")
    first, _ = world.pair(title="Walk", studio=studio)
    second, item = world.pair(title="Swim", studio=studio)
    world.drain(first, second, **ON)
    world.stash.save(first, studio=other)
    world.drain(first, **ON)
    assert members(named(world, "North Pier")) == {item.rating_key}
    world.stash.save(second, studio=None)
    world.drain(second, **ON)
    assert titles(world) == ["South Pier"]


def test_a_collection_of_ours_with_a_film_that_a_person_put_there_stays(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Walk", studio=pier(world))
    world.drain(scene_id, **ON)
    theirs = a_film(world, "Theirs")
    world.plex.edit_by_hand(theirs, collections=["North Pier"])
    world.stash.save(scene_id, studio=None)
    world.drain(scene_id, **ON)
    assert members(named(world, "North Pier")) == {theirs.rating_key}


def test_a_collection_comes_again_after_it_was_deleted(world: SyncWorld) -> None:
    studio = pier(world)
    scene_id, _ = world.pair(title="Walk", studio=studio)
    for wanted in (studio, None, studio):
        world.stash.save(scene_id, studio=wanted)
        world.drain(scene_id, **ON)
    assert named(world, "North Pier").summary == "Concerts by the sea."
    world.stash.save(scene_id, studio=None)
    world.drain(scene_id, **ON)
    assert titles(world) == []


def test_each_library_has_collections_of_its_own(world: SyncWorld) -> None:
    second_library = world.plex.add_library("Archive", roots=["/mnt/media/Films"])
    studio = pier(world)
    scene_id, item = world.pair("Walk", title="Walk", studio=studio)
    twin = world.plex.add_item(second_library, file=item.files[0], size_bytes=1_000_001, duration_ms=60_000)
    world.drain(scene_id, **ON)
    assert {(each.library_key, tuple(each.members)) for each in world.plex.collections()} == {
        (item.library_key, (item.rating_key,)),
        (second_library.key, (twin.rating_key,)),
    }
    assert {each.summary for each in world.plex.collections()} == {"Concerts by the sea."}
    world.stash.save(scene_id, studio=None)
    world.drain(scene_id, **ON)
    assert titles(world) == []


def test_a_renamed_studio_renames_its_collection_and_everybody_stays_in_it(world: SyncWorld) -> None:
    studio = pier(world)
    first, item = world.pair(title="Walk", studio=studio)
    second, other = world.pair(title="Swim", studio=studio)
    world.drain(first, second, **ON)
    theirs = a_film(world, "Theirs")
    world.plex.edit_by_hand(theirs, collections=["North Pier"])
    before = named(world, "North Pier").rating_key
    world.stash.save_studio(studio, name="West Pier")
    requests_for_collections(world, first, second)
    renamed = named(world, "West Pier")
    assert renamed.rating_key == before
    assert members(renamed) == {item.rating_key, other.rating_key, theirs.rating_key}
    assert titles(world) == ["West Pier"]
    written = [each for each in world.plex.field_writes if each.field == "collection"]
    assert written == []  # nobody had to move
    # And what was renamed is known as ours: the members leave it when their scenes do.
    world.stash.save(first, studio=None)
    world.drain(first, **ON)
    assert members(named(world, "West Pier")) == {other.rating_key, theirs.rating_key}
    assert requests_for_collections(world, first, second) == {}


def test_new_capitals_are_carried_over(world: SyncWorld) -> None:
    studio = pier(world)
    scene_id, _ = world.pair(title="Walk", studio=studio)
    world.drain(scene_id, **ON)
    world.stash.save_studio(studio, name="NORTH PIER")
    world.drain(scene_id, **ON)
    assert titles(world) == ["NORTH PIER"]
    assert requests_for_collections(world, scene_id) == {}


def test_members_move_where_the_new_name_is_taken(world: SyncWorld) -> None:
    theirs = a_film(world, "Theirs")
    world.plex.edit_by_hand(theirs, collections=["West Pier"])
    studio = pier(world)
    scene_id, item = world.pair(title="Walk", studio=studio)
    world.drain(scene_id, **ON)
    world.stash.save_studio(studio, name="West Pier")
    world.drain(scene_id, **ON)
    assert titles(world) == ["West Pier"]  # the old one was empty
    assert members(named(world, "West Pier")) == {theirs.rating_key, item.rating_key}
    assert named(world, "West Pier").summary == ""


def test_a_studio_and_a_tag_of_one_name_share_a_collection_that_the_studio_describes(world: SyncWorld) -> None:
    tag = world.stash.add_tag("Tour")
    world.stash.save_tag(tag, description="The tag.")
    studio = world.stash.add_studio("Tour")
    world.stash.save_studio(studio, details="The studio.")
    by_tag, tagged = world.pair(title="Walk", tags=[tag])
    by_studio, produced = world.pair(title="Swim", studio=studio)
    world.drain(by_tag, **EVERYTHING)
    assert named(world, "Tour").summary == "The tag."
    world.drain(by_studio, **EVERYTHING)
    assert named(world, "Tour").summary == "The studio."
    assert members(named(world, "Tour")) == {tagged.rating_key, produced.rating_key}
    assert requests_for_collections(world, by_tag, by_studio, **EVERYTHING) == {}
    # Renaming the studio must not take the tag's films along.
    world.stash.save_studio(studio, name="Voyage")
    world.drain(by_studio, by_tag, **EVERYTHING)
    assert members(named(world, "Tour")) == {tagged.rating_key}
    assert members(named(world, "Voyage")) == {produced.rating_key}


def a_film(world: SyncWorld, name: str) -> PlexItem:
    """Return an item that no scene has."""
    return world.item(f"Films/{name}.mp4", 77)
