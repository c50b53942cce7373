"""Every field that can be switched on, from Stash to Plex and back out again."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.domain.outcome import Outcome

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

ALL_ON: dict[str, Any] = {
    "sync_rating": True,
    "sync_tagline": True,
    "sync_labels": True,
    "sync_content_rating": True,
    "sync_collection": True,
    "content_rating": "12",
    "label_tags": ("Leaving *",),
}


def outcomes(world: SyncWorld, *scene_ids: int, **settings: object) -> list[Outcome]:
    return [attempt.outcome for attempt in world.drain(*scene_ids, **settings)]


def test_the_fields_that_are_off_by_default_reach_plex_in_the_same_write(world: SyncWorld) -> None:
    tag = world.stash.add_tag("Leaving soon")
    scene_id, item = world.pair(title="Walk", rating100=85, code="NP-001", organized=True, tags=[tag], details="Text.")
    assert outcomes(world, scene_id, **ALL_ON) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key)
    assert (shown.user_rating, shown.tagline, shown.content_rating) == (8.5, "NP-001", "12")
    assert shown.labels == ("Organized", "Leaving Soon")  # Plex's capitals
    assert shown.locked >= {"tagline", "contentRating", "label", "title", "summary"}
    assert "userRating" not in shown.locked
    assert world.plex.counts()["edit"] == 1
    world.plex.clear_records()
    assert outcomes(world, scene_id, **ALL_ON) == [Outcome.UNCHANGED]
    assert world.plex.field_writes == []


def test_what_stash_takes_back_leaves_plex_and_what_others_put_there_stays(world: SyncWorld) -> None:
    tag = world.stash.add_tag("Leaving soon")
    scene_id, item = world.pair(title="Walk", rating100=85, code="NP-001", organized=True, tags=[tag])
    world.plex.edit_by_hand(item, labels=["Favourites"])
    world.drain(scene_id, **ALL_ON)
    assert set(world.plex.item(item.rating_key).labels) == {"Favourites", "Organized", "Leaving Soon"}
    world.stash.save(scene_id, rating100=None, code="", organized=False, tags=[])
    assert outcomes(world, scene_id, **{**ALL_ON, "content_rating": ""}) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key)
    assert (shown.user_rating, shown.tagline, shown.content_rating) == (None, "", "")
    assert shown.labels == ("Favourites",)


def test_a_rating_given_in_plex_is_not_wiped_because_stash_has_none(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk")
    world.plex.edit_by_hand(item, locked=False, user_rating=7, content_rating="16")
    world.drain(scene_id, **{**ALL_ON, "content_rating": ""})
    shown = world.plex.item(item.rating_key)
    assert (shown.user_rating, shown.content_rating) == (7.0, "16")


def test_a_rating_arrives_where_only_the_request_for_ratings_rates(world: SyncWorld) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, edit_sets_user_rating=False)
    scene_id, item = world.pair(title="Walk", rating100=85)
    assert outcomes(world, scene_id, **ALL_ON) == [Outcome.SYNCED]
    assert world.plex.item(item.rating_key).user_rating == 8.5
    # What was learned is kept: the next rating is sent right at once, by another process too.
    world.stash.save(scene_id, rating100=40)
    world.plex.clear_records()
    world.drain(scene_id, **ALL_ON)
    assert world.plex.item(item.rating_key).user_rating == 4.0
    counts = world.plex.counts()
    assert (counts.get("edit", 0), counts["rate"]) == (0, 1)
    world.stash.save(scene_id, rating100=None)
    world.drain(scene_id, **ALL_ON)
    assert world.plex.item(item.rating_key).user_rating is None


def test_a_server_that_keeps_half_stars_is_not_asked_again_and_again(world: SyncWorld) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, user_rating_rounded=True)
    scene_id, item = world.pair(title="Walk", rating100=83)
    assert outcomes(world, scene_id, **ALL_ON) == [Outcome.SYNCED]
    assert world.plex.item(item.rating_key).user_rating == 8.0
    world.plex.clear_records()
    assert outcomes(world, scene_id, **ALL_ON) == [Outcome.UNCHANGED]
    assert world.plex.field_writes == []


@pytest.mark.parametrize(
    ("stem", "fields"),
    [
        ("tagline", {"code": "NP-001"}),
        ("contentRating", {}),
        ("label", {"organized": True}),
        ("userRating", {"rating100": 85}),
        ("genre", {}),
    ],
)
def test_an_ignored_field_is_noticed_and_named(world: SyncWorld, stem: str, fields: dict[str, Any]) -> None:
    scene_id, _ = world.pair(title="Walk", tags=[world.stash.add_tag("Sea")], **fields)
    world.plex.ignored_fields = [stem]
    (attempt,) = world.drain(scene_id, **ALL_ON)
    assert (attempt.outcome, attempt.error_type) == (Outcome.DEAD, "EditIgnored")
    assert attempt.message.endswith(f"did not stick: {stem}.")


def test_names_and_titles_are_shaped_as_the_settings_say(world: SyncWorld) -> None:
    stash = world.stash
    group = stash.add_studio("Harbour Group")
    studio = stash.add_studio("Pier Live", parent=stash.add_studio("Pier Records", parent=group))
    outdoors = stash.add_tag("Outdoors")
    tags = [stash.add_tag("Genre: Sea", parents=[outdoors]), stash.add_tag("draft")]
    ann, max_ = stash.add_performer("Ann"), stash.add_performer("Max")
    stash.save_performer(max_, gender="MALE")
    scene_id, item = world.pair(title="Encore", date="2024", studio=studio, tags=tags, performers=[ann, max_])
    settings: dict[str, Any] = {
        "title_template": "{studio} - {title} ({year})",
        "studio_name": "root",
        "partial_dates": "drop",
        "tag_rename": (r"/^Genre: (.*)$/ => \1",),
        "tag_exclude": ("DRAFT",),
        "tag_parents": True,
        "skip_performer_genders": ("male",),
    }
    assert outcomes(world, scene_id, **settings) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key)
    assert (shown.title, shown.studio) == ("Harbour Group - Encore (2024)", "Harbour Group")
    assert shown.originally_available_at == ""
    assert (shown.genres, shown.actors) == (("Sea", "Outdoors"), ("Ann",))


def test_a_list_that_was_cut_is_told_in_the_log_with_its_count(
    world: SyncWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cast = [world.stash.add_performer(f"Member {number}") for number in range(7)]
    scene_id, item = world.pair(title="Encore", performers=cast)
    world.drain(scene_id, max_performers=5)
    assert len(world.plex.item(item.rating_key).actors) == 5
    assert f"scene={scene_id} item={item.rating_key} field=actor kept=5 of=7" in caplog.text
    caplog.clear()
    assert outcomes(world, scene_id, max_performers=5) == [Outcome.UNCHANGED]
    assert "kept=" not in caplog.text


def test_a_field_may_have_a_policy_of_its_own(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="First", details="Text.")
    world.drain(scene_id)
    world.plex.edit_by_hand(item, title="By hand", summary="By hand.")
    world.stash.save(scene_id, title="Second", details="New text.")
    world.drain(scene_id, conflict_policy_fields=("title => plex",))
    shown = world.plex.item(item.rating_key)
    assert (shown.title, shown.summary) == ("By hand", "New text.")


def test_a_lock_that_is_not_ours_counts_as_a_persons_edit(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="First", details="Text.")
    settings: dict[str, Any] = {"lock_fields": False, "conflict_policy": "plex"}
    world.drain(scene_id, **settings)
    world.plex.edit_by_hand(item, title="First")  # the same text: all that was done is to lock it
    world.stash.save(scene_id, title="Second", details="New text.")
    world.drain(scene_id, **settings)
    shown = world.plex.item(item.rating_key)
    assert (shown.title, shown.summary) == ("First", "New text.")
    assert shown.locked & {"title", "summary"} == {"title"}


def test_our_own_locks_are_no_persons_edit(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="First")
    world.drain(scene_id, conflict_policy="plex")
    world.stash.save(scene_id, title="Second")
    world.drain(scene_id, conflict_policy="plex")
    assert world.plex.item(item.rating_key).title == "Second"


@pytest.mark.parametrize("locks_by_itself", [True, False])
def test_without_lock_fields_nothing_is_locked_and_no_lock_is_taken_off(
    world: SyncWorld,
    locks_by_itself: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, edit_without_lock_parameter_locks=locks_by_itself)
    scene_id, item = world.pair(title="Walk", details="Text.", rating100=60, tags=[world.stash.add_tag("Sea")])
    world.plex.edit_by_hand(item, summary="By hand.")
    world.drain(scene_id, lock_fields=False, **ALL_ON)
    shown = world.plex.item(item.rating_key)
    assert shown.summary == "Text."
    assert shown.locked & {"title", "titleSort", "genre", "userRating", "contentRating", "summary"} == {"summary"}
