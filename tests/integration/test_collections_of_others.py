"""Collections that a person made or changed, and crashes that leave it open who made one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from test_collections import DIALECTS, EVERYTHING, ON, a_film, members, named, pier, titles

from scenesync.domain.job import scene_job
from scenesync.domain.outcome import Outcome
from scenesync.plex.collections import PlexCollections
from scenesync.simulators.plex import faults
from scenesync.simulators.sample_world import png
from scenesync.store.collections import CollectionStore
from scenesync.store.memory import Memory
from scenesync.worker.collections.upkeep import TIDIED_AT, TIDY_EVERY_S
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync_world import SyncWorld

    from scenesync.app.installation import Installation
    from scenesync.domain.collection import KnownCollection
    from scenesync.simulators.plex.model import PlexCollection

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

Shown = dict[str, tuple[Any, ...]]


def theirs(world: SyncWorld, title: str, **texts: Any) -> PlexCollection:
    """Let a person make a collection with a film in it."""
    world.plex.edit_by_hand(a_film(world, f"Theirs {title}"), collections=[title])
    made = named(world, title)
    if texts:
        world.plex.edit_by_hand(made, **texts)
    return made


def everything(world: SyncWorld, *, without_members: set[str]) -> Shown:
    """Return all that there is to see of all collections, but for members that SceneSync may add and take away."""
    return {
        each.rating_key: (
            each.title,
            each.title_sort,
            each.summary,
            tuple(each.posters),
            tuple(each.arts),
            sorted(each.locked),
            dict(each.scalars),
            sorted(members(each) - without_members),
        )
        for each in world.plex.collections()
    }


def known(world: SyncWorld) -> dict[str, KnownCollection]:
    with world.installed() as installation:
        store = CollectionStore(installation.database, world.plex.machine_identifier)
        return {each.title: each for each in store.all()}


@DIALECTS
def test_what_persons_made_is_given_members_and_nothing_else(world: SyncWorld, tags: Any, decoding: Any) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items=tags, minus_decoding=decoding)
    stash = world.stash
    described = theirs(world, "North Pier", summary="By hand.", title_sort="zz")
    plain = theirs(world, "tour 2024")  # other capitals than Stash's
    emptied = theirs(world, "Encores")
    world.plex.remove_item(next(iter(emptied.members)))
    theirs(world, "Elsewhere", summary="Has nothing to do with it.")
    group, tour = stash.add_group("Encores"), stash.add_tag("Tour 2024")
    stash.save_group(group, synopsis="All of them.", front_image=png(2))
    stash.save_tag(tour, description="Twelve nights.", image=png(4))
    scene_id, item = world.pair(title="Walk", studio=pier(world), groups=[group], tags=[tour])
    before = everything(world, without_members={item.rating_key})
    world.drain(scene_id, **EVERYTHING)
    assert all(item.rating_key in each.members for each in (described, plain, emptied))
    assert everything(world, without_members={item.rating_key}) == before
    stash.save(scene_id, studio=None, groups=[], tags=[])
    world.drain(scene_id, **EVERYTHING)
    assert everything(world, without_members=set()) == before
    with world.installed(**EVERYTHING) as installation:
        world.session(installation).collections.tidy(lambda: True)
    assert everything(world, without_members=set()) == before


def test_a_film_that_a_person_put_into_our_collection_is_not_taken_out(world: SyncWorld) -> None:
    studio = pier(world)
    first, _ = world.pair(title="Walk", studio=studio)
    second, item = world.pair(title="Swim")
    world.drain(first, second, **ON)
    world.plex.edit_by_hand(item, locked=False, collections=["North Pier"])
    world.stash.save(second, title="Swim again")
    world.drain(second, **ON)
    assert item.rating_key in members(named(world, "North Pier"))


@pytest.mark.parametrize(("policy", "summary"), [("stash", "New text."), ("plex", "By hand."), ("fill", "By hand.")])
def test_a_persons_text_is_treated_as_the_policy_says(world: SyncWorld, policy: str, summary: str) -> None:
    studio = pier(world)
    scene_id, _ = world.pair(title="Walk", studio=studio)
    world.drain(scene_id, **ON, conflict_policy=policy)
    made = named(world, "North Pier")
    assert made.summary == "Concerts by the sea."
    world.plex.edit_by_hand(made, summary="By hand.")
    world.stash.save_studio(studio, details="New text.")
    world.drain(scene_id, **ON, conflict_policy=policy)
    assert made.summary == summary


def test_a_text_that_a_person_wrote_where_stash_has_none_stays(world: SyncWorld) -> None:
    studio = world.stash.add_studio("North Pier")
    scene_id, _ = world.pair(title="Walk", studio=studio)
    world.drain(scene_id, **ON)
    world.plex.edit_by_hand(named(world, "North Pier"), summary="By hand.")
    world.stash.save_studio(studio, image=png(1))
    world.drain(scene_id, **ON)
    assert named(world, "North Pier").summary == "By hand."
    assert named(world, "North Pier").poster is not None


def test_under_stash_a_name_given_by_hand_is_taken_back_and_nobody_moves(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", studio=pier(world))
    world.drain(scene_id, **ON)
    made = named(world, "North Pier")
    world.plex.edit_by_hand(made, title="Piers")
    world.drain(scene_id, **ON)
    assert titles(world) == ["North Pier"]
    assert named(world, "North Pier").rating_key == made.rating_key
    assert members(made) == {item.rating_key}


def test_under_plex_a_name_given_by_hand_stays_and_new_members_join_under_it(world: SyncWorld) -> None:
    settings: dict[str, Any] = {**ON, "conflict_policy": "plex"}
    studio = pier(world)
    first, item = world.pair(title="Walk", studio=studio)
    second, other = world.pair(title="Swim", studio=studio)
    world.drain(first, **settings)
    made = named(world, "North Pier")
    world.plex.edit_by_hand(made, title="Piers")
    with world.installed(**settings) as installation:
        world.session(installation).collections.tidy(lambda: True)
    world.drain(second, first, **settings)
    assert titles(world) == ["Piers"]
    assert members(made) == {item.rating_key, other.rating_key}
    # Not even a new name in Stash takes it away, and members leave it as any other.
    world.stash.save_studio(studio, name="West Pier")
    world.drain(first, second, **settings)
    assert titles(world) == ["Piers"]
    world.stash.save(first, studio=None)
    world.drain(first, **settings)
    assert members(made) == {other.rating_key}


def test_a_collection_of_ours_that_a_person_deleted_is_made_anew(world: SyncWorld) -> None:
    studio = pier(world)
    scene_id, item = world.pair(title="Walk", studio=studio)
    world.drain(scene_id, **ON)
    delete_by_hand(world, named(world, "North Pier"))
    world.drain(scene_id, **ON)
    made = named(world, "North Pier")
    assert (made.summary, members(made)) == ("Concerts by the sea.", {item.rating_key})
    assert known(world)["North Pier"].rating_key == made.rating_key


def test_a_title_that_a_person_gave_up_may_be_ours_the_next_time(world: SyncWorld) -> None:
    studio = pier(world)
    scene_id, _ = world.pair(title="Walk", studio=studio)
    made = theirs(world, "North Pier")
    world.drain(scene_id, **ON)
    delete_by_hand(world, made)
    with world.installed(**ON) as installation:
        world.session(installation).collections.tidy(lambda: True)
    world.drain(scene_id, **ON)
    assert named(world, "North Pier").summary == "Concerts by the sea."


@pytest.mark.parametrize("arrived", [True, False])
def test_after_a_crash_in_the_first_write_the_collection_is_known_as_ours(
    world: SyncWorld,
    arrived: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    scene_id, item = world.pair(title="Walk", studio=pier(world))
    stop_in_the_write(world, scene_id, arrived=arrived)
    assert titles(world) == (["North Pier"] if arrived else [])
    (attempt,) = world.drain(scene_id, **ON)
    assert attempt.outcome in {Outcome.SYNCED, Outcome.UNCHANGED}
    made = named(world, "North Pier")
    assert (made.summary, members(made)) == ("Concerts by the sea.", {item.rating_key})
    world.stash.save(scene_id, studio=None)
    world.drain(scene_id, **ON)
    assert titles(world) == []


def test_a_collection_that_a_person_made_between_a_crash_and_the_next_start_is_theirs(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Walk", studio=pier(world))
    stop_in_the_write(world, scene_id, arrived=False)
    made = theirs(world, "North Pier")
    film = set(members(made))
    world.drain(scene_id, **ON)
    assert (made.summary, made.poster) == ("", None)
    world.stash.save(scene_id, studio=None)
    world.drain(scene_id, **ON)
    assert members(named(world, "North Pier")) == film


def test_what_came_about_before_a_crash_is_a_persons_once_they_put_a_film_into_it(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", studio=pier(world))
    stop_in_the_write(world, scene_id, arrived=True)
    film = a_film(world, "Theirs")
    world.plex.edit_by_hand(film, collections=["North Pier"])
    world.drain(scene_id, **ON)
    made = named(world, "North Pier")
    assert (made.summary, members(made)) == ("", {item.rating_key, film.rating_key})


def test_a_collection_that_a_person_fills_in_the_last_moment_is_not_deleted(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Walk", studio=pier(world))
    world.drain(scene_id, **ON)
    film = a_film(world, "Theirs")

    class FilledMeanwhile(PlexCollections):
        def members(self, rating_key: str) -> Sequence[str]:
            world.plex.edit_by_hand(film, collections=["North Pier"])
            return super().members(rating_key)

    world.stash.save(scene_id, studio=None)
    with world.installed(**ON) as installation:
        installation.plex.collections = FilledMeanwhile(installation.plex.collections.exchange)
        enqueue_and_work(installation, scene_id)
    assert members(named(world, "North Pier")) == {film.rating_key}


def test_an_empty_collection_whose_item_vanished_from_plex_is_found_by_tidying(world: SyncWorld) -> None:
    first, item = world.pair(title="Walk", studio=pier(world))
    world.drain(first, **ON)
    theirs(world, "Elsewhere")
    world.plex.remove_item(item.rating_key)
    with world.installed(**ON) as installation:
        session = world.session(installation)
        world.plex.clear_records()
        session.collections.tidy(lambda: True)
        assert [f"{each.method} {each.kind}" for each in world.plex.requests] == [
            *("GET list", "GET list", "DELETE collection")
        ]
        world.plex.clear_records()
        session.collections.tidy(lambda: True)
        assert world.plex.requests == []  # nothing is ours any more
    assert titles(world) == ["Elsewhere"]


def test_tidying_puts_back_a_text_that_a_person_changed_if_the_policy_says_so(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Walk", studio=pier(world))
    world.drain(scene_id, **ON)
    world.plex.edit_by_hand(named(world, "North Pier"), summary="By hand.")
    for policy, summary in (("plex", "By hand."), ("stash", "Concerts by the sea.")):
        with world.installed(**ON, conflict_policy=policy) as installation:
            world.session(installation).collections.tidy(lambda: True)
        assert named(world, "North Pier").summary == summary


def test_tidying_happens_once_a_day_whoever_works(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", studio=pier(world))
    world.drain(scene_id, **ON)
    world.plex.remove_item(item.rating_key)
    world.drain(**ON)
    assert titles(world) == ["North Pier"]
    with world.installed() as installation:
        tidied_at = repr(time.time() - TIDY_EVERY_S - 1)
        Memory(installation.database).note(TIDIED_AT, tidied_at, server_id=world.plex.machine_identifier)
    world.drain(**ON)
    assert titles(world) == []


def stop_in_the_write(world: SyncWorld, scene_id: int, *, arrived: bool) -> None:
    """Let a run end as a crash in the first edit does: its answer never comes, and nothing after it happens."""
    fault = faults.status(500, applied=arrived)
    world.plex.fail_next(1, fault, only="edit")
    (attempt,) = world.drain(scene_id, **ON)
    assert attempt.outcome is Outcome.RETRY


def delete_by_hand(world: SyncWorld, made: PlexCollection) -> None:
    with world.installed() as installation:
        installation.plex.collections.delete(made.rating_key)


def enqueue_and_work(installation: Installation, scene_id: int) -> None:
    installation.queue.put_job(scene_job(scene_id, time.time()))
    loop = installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=10)
    loop.run(threading.Event())
