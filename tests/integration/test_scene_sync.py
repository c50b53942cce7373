"""One scene at a time: what is read, what is written, what is left alone."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.errors import LeaseLost
from scenesync.domain.outcome import Outcome
from scenesync.simulators.plex import faults
from scenesync.simulators.sample_world import png
from scenesync.worker.proof import Unproven

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = pytest.mark.integration


def outcomes(world: SyncWorld, *scene_ids: int, **settings: object) -> list[Outcome]:
    return [attempt.outcome for attempt in world.drain(*scene_ids, **settings)]


def test_all_fields_reach_plex_and_are_locked(world: SyncWorld) -> None:
    studio = world.stash.add_studio("North Pier")
    cast = [world.stash.add_performer("Ann Example"), world.stash.add_performer("Bo, Jr. & Co")]
    tags = [world.stash.add_tag("Outdoor"), world.stash.add_tag('100 % "real"')]
    scene_id, item = world.pair(
        title="Harbour at dawn 🌅",
        details="First paragraph.\n\nSecond one.",
        date="2024-05",
        studio=studio,
        performers=cast,
        tags=tags,
        director="A. Director",
        cover=png(1),
    )
    assert outcomes(world, scene_id, sync_collection=True) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key)
    assert (shown.title, shown.title_sort) == ("Harbour at dawn 🌅", "Harbour at dawn 🌅")
    assert shown.summary == "First paragraph.\n\nSecond one."
    assert shown.originally_available_at == "2024-05-01"
    assert shown.studio == "North Pier"
    assert shown.actors == ("Ann Example", "Bo, Jr. & Co")
    assert set(shown.genres) == {"Outdoor", '100 % "real"'}
    assert shown.directors == ("A. Director",)
    assert shown.collections == ("North Pier",)
    assert shown.poster is not None
    assert shown.poster.data == png(1)
    assert shown.art is not None
    assert shown.art.data == png(1)
    assert shown.locked >= {
        *("title", "titleSort", "summary", "originallyAvailableAt", "studio", "actor", "genre", "director"),
        *("collection", "thumb", "art"),
    }


def test_a_changed_scene_costs_one_read_and_one_write_and_a_shared_proof(world: SyncWorld) -> None:
    ids = [world.pair(title=f"Film {number}")[0] for number in range(10)]
    world.drain(*ids)
    for scene_id in ids:
        world.stash.save(scene_id, title=f"Film {scene_id}, second cut")
    world.plex.clear_records()
    assert outcomes(world, *ids) == [Outcome.SYNCED] * 10
    counts = world.plex.counts()
    assert counts["edit"] == 10
    assert counts["read"] <= 10 + 2  # one each, and a proof for all of them (two if they fell into two batches)


def test_syncing_again_writes_nothing(world: SyncWorld) -> None:
    ids = [world.pair(title=f"Film {number}", cover=png(number), details="x")[0] for number in range(5)]
    world.drain(*ids)
    world.plex.clear_records()
    assert outcomes(world, *ids) == [Outcome.UNCHANGED] * 5
    assert {"edit", "image"}.isdisjoint(world.plex.counts())
    assert world.plex.field_writes == []


@pytest.mark.parametrize("tags", ["replace", "add"])
def test_what_stash_empties_is_emptied_in_plex(world: SyncWorld, tags: str) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items=tags)
    tag, performer = world.stash.add_tag("Outdoor"), world.stash.add_performer("Ann Example")
    studio = world.stash.add_studio("North Pier")
    scene_id, item = world.pair(
        title="Walk",
        details="Text.",
        date="2024-05-01",
        tags=[tag],
        performers=[performer],
        studio=studio,
        director="D",
    )
    world.drain(scene_id)
    world.stash.save(scene_id, details="", date="", tags=[], performers=[], studio=None, director="")
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key)
    assert (shown.summary, shown.originally_available_at, shown.studio) == ("", "", "")
    assert (shown.actors, shown.genres, shown.directors) == ((), (), ())
    assert shown.title == "Walk"


@pytest.mark.parametrize("tags", ["replace", "add"])
def test_lists_become_exactly_the_wanted_ones_whatever_a_server_makes_of_them(world: SyncWorld, tags: str) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items=tags)
    one, two, three = (world.stash.add_tag(name) for name in ("One", "Two", "Three"))
    scene_id, item = world.pair(title="Walk", tags=[one, two])
    world.drain(scene_id)
    world.stash.save(scene_id, tags=[two, three])
    world.drain(scene_id)
    assert set(world.plex.item(item.rating_key).genres) == {"Two", "Three"}
    world.plex.clear_records()
    assert outcomes(world, scene_id) == [Outcome.UNCHANGED]


def test_a_removed_name_that_the_first_encoding_cannot_remove_is_removed_by_the_other(world: SyncWorld) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items="add", minus_decoding="once")
    odd = world.stash.add_tag("Rock & Roll")
    scene_id, item = world.pair(title="Walk", tags=[odd])
    world.drain(scene_id)
    world.stash.save(scene_id, tags=[])
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    assert world.plex.item(item.rating_key).genres == ()
    # What was learned is kept: the next removal needs no second try, in another process either.
    world.stash.save(scene_id, tags=[odd])
    world.drain(scene_id)
    world.stash.save(scene_id, tags=[])
    world.plex.clear_records()
    world.drain(scene_id)
    assert world.plex.item(item.rating_key).genres == ()
    assert world.plex.counts()["edit"] == 1


def test_a_persons_collection_is_left_alone_and_ours_leaves_with_the_studio(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", studio=world.stash.add_studio("North Pier"))
    world.plex.edit_by_hand(item, collections=["Favourites"])
    world.drain(scene_id, sync_collection=True)
    assert set(world.plex.item(item.rating_key).collections) == {"Favourites", "North Pier"}
    world.stash.save(scene_id, studio=world.stash.add_studio("South Pier"))
    world.drain(scene_id, sync_collection=True)
    assert set(world.plex.item(item.rating_key).collections) == {"Favourites", "South Pier"}


def test_a_field_that_is_right_is_neither_written_nor_locked(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", details="New text.")
    world.plex.edit_by_hand(item, locked=False, title="Walk")
    world.drain(scene_id)
    assert {write.field for write in world.plex.field_writes} == {"summary"}
    assert "title" not in world.plex.item(item.rating_key).locked


def test_without_lock_fields_nothing_is_locked(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", cover=png(3))
    world.drain(scene_id, lock_fields=False)
    assert not world.plex.item(item.rating_key).locked & {"title", "titleSort", "summary"}


def test_a_scene_without_a_title_shows_its_file_name(world: SyncWorld) -> None:
    scene_id, item = world.pair("Harbour.at.dusk", title="")
    world.drain(scene_id)
    assert world.plex.item(item.rating_key).title == "Harbour.at.dusk"


def test_the_same_file_in_two_libraries_is_updated_twice(world: SyncWorld) -> None:
    scene_id, path, size = world.scene(title="Walk")
    first = world.item(path, size)
    other = world.plex.add_library("More", roots=["/mnt"])
    second = world.plex.add_item(other, file=f"/mnt/media/{path}", size_bytes=size, duration_ms=60_000)
    world.drain(scene_id)
    assert [world.plex.item(item.rating_key).title for item in (first, second)] == ["Walk", "Walk"]


def test_an_ambiguous_match_writes_nothing_and_names_its_candidates(world: SyncWorld) -> None:
    scene_id, path, size = world.scene("Walk", title="Walk")
    name = path.rsplit("/", 1)[-1]
    keys = [
        world.plex.add_item(world.library, file=f"{PLEX}/{name}", size_bytes=size, duration_ms=60_000).rating_key
        for PLEX in ("/mnt/media/a/Films", "/mnt/media/b/Films")
    ]
    (attempt,) = world.drain(scene_id, path_map=())
    assert (attempt.outcome, attempt.error_type) == (Outcome.DEAD, "AmbiguousMatch")
    assert all(key in attempt.message for key in keys)
    assert world.plex.field_writes == []


def test_a_key_that_now_plays_another_file_is_not_written(world: SyncWorld) -> None:
    scene_id, path, size = world.scene(title="Walk")
    item = world.item(path, size)
    world.drain(scene_id)
    world.plex.rename_file(item, "/mnt/media/Films/something else.mp4")
    world.stash.save(scene_id, title="Walk, second cut")
    world.plex.clear_records()
    (attempt,) = world.drain(scene_id)
    assert (attempt.outcome, attempt.error_type) == (Outcome.RETRY, "PlexNotFound")
    assert world.plex.field_writes == []


def test_an_item_that_was_deleted_and_scanned_again_is_found_by_itself(world: SyncWorld) -> None:
    scene_id, path, size = world.scene(title="Walk")
    old = world.item(path, size)
    world.drain(scene_id)
    world.plex.remove_item(old.rating_key)
    new = world.item(path, size)
    world.stash.save(scene_id, title="Walk, second cut")
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    assert world.plex.item(new.rating_key).title == "Walk, second cut"


def test_a_scene_without_a_file_is_skipped_and_no_dead_letter(world: SyncWorld) -> None:
    scene = world.stash.add_scene(title="Only an idea", files=[])
    (attempt,) = world.drain(int(scene.id))
    assert (attempt.outcome, attempt.error_type) == (Outcome.SKIPPED, "SceneSkipped")


def test_a_long_summary_is_cut_once_and_then_left_alone(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", details="A sentence about the sea. " * 500)
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    assert 4000 < len(world.plex.item(item.rating_key).summary) < 13_000
    world.plex.clear_records()
    assert outcomes(world, scene_id) == [Outcome.UNCHANGED]
    assert world.plex.field_writes == []


def test_an_edit_that_plex_ignores_is_a_dead_letter_that_names_the_fields(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Walk", details="Text.")
    world.plex.ignored_fields = ["summary"]
    (attempt,) = world.drain(scene_id)
    assert (attempt.outcome, attempt.error_type) == (Outcome.DEAD, "EditIgnored")
    assert "summary" in attempt.message
    assert "title" not in attempt.message.split("stick:")[1]


def test_a_date_is_taken_off_although_plex_ignored_the_edit_at_first(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", date="2024-05-01")
    world.drain(scene_id)
    world.stash.save(scene_id, title="Swim", date="")
    world.plex.fail_next(1, faults.empty(), only="edit")
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key)
    assert (shown.title, shown.originally_available_at) == ("Swim", "")


def test_a_job_that_was_lost_before_its_proof_sends_nothing_a_second_time(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Walk", details="Text.")
    world.plex.ignored_fields = ["summary"]
    with world.installed() as installation:
        session = world.session(installation)
        written = session.scene_sync.sync(installation.stash.scenes([scene_id])[scene_id], lambda: True)
        world.plex.clear_records()
        errors: list[Exception | None] = []
        session.proofs.add(Unproven(scene_id, written, errors.append, still_ours=lambda: False))
        session.proofs.check(threading.Event())
    assert [type(error) for error in errors] == [LeaseLost]
    assert world.plex.field_writes == []


class TestPictures:
    def test_a_picture_is_uploaded_once_and_not_again_for_other_changes(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Walk", cover=png(1))
        world.drain(scene_id)
        world.stash.save(scene_id, title="Walk, second cut")
        world.plex.clear_records()
        world.drain(scene_id)
        assert "image" not in world.plex.counts()
        assert len(world.plex.item(item.rating_key).posters) == len(item.posters)

    def test_a_new_cover_replaces_the_old_one(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Walk", cover=png(1))
        world.drain(scene_id)
        world.stash.save(scene_id, cover=png(2))
        world.drain(scene_id)
        poster = world.plex.item(item.rating_key).poster
        assert poster is not None
        assert poster.data == png(2)

    def test_an_earlier_cover_that_comes_back_is_selected(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Walk", cover=png(1))
        for cover in (png(1), png(2), png(1)):
            world.stash.save(scene_id, cover=cover)
            world.drain(scene_id)
        shown = world.plex.item(item.rating_key)
        assert shown.poster is not None
        assert shown.poster.data == png(1)
        assert len(shown.posters) == 3  # Plex's own frame and the two covers
        world.drain(scene_id)  # notes which picture is selected
        world.plex.clear_records()
        world.drain(scene_id)
        assert {"edit", "image"}.isdisjoint(world.plex.counts())

    def test_a_scene_without_a_cover_leaves_plexs_picture_alone(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Walk")
        assert outcomes(world, scene_id) == [Outcome.SYNCED]
        assert [image.key for image in world.plex.item(item.rating_key).posters] == [
            image.key for image in item.posters
        ]
        assert "POST" not in {request.method for request in world.plex.requests}

    def test_a_broken_picture_does_not_keep_the_text_from_being_written(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Walk", cover=png(1))
        world.plex.fail_next(2, faults.status(500), only="POST")
        (attempt,) = world.drain(scene_id)
        assert attempt.outcome is Outcome.RETRY
        assert world.plex.item(item.rating_key).title == "Walk"

    def test_only_the_picture_is_tried_again(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Walk", cover=png(1))
        world.plex.fail_next(2, faults.status(500), only="POST")
        world.drain(scene_id)
        world.plex.clear_records()
        assert outcomes(world, scene_id) == [Outcome.SYNCED]
        assert world.plex.item(item.rating_key).poster is not None
        assert {write.field.split(".")[0] for write in world.plex.field_writes} <= {"poster", "art", "thumb"}


def test_a_write_that_was_carried_out_without_an_answer_does_not_pass_for_a_persons(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="First")
    world.plex.fail_next(1, faults.answer_lost(), only="edit")
    world.drain(scene_id, conflict_policy="plex")
    assert world.plex.item(item.rating_key).title == "First"
    world.stash.save(scene_id, title="Second")
    world.drain(scene_id, conflict_policy="plex")
    assert world.plex.item(item.rating_key).title == "Second"


def test_a_persons_edit_stays_under_the_policy_that_says_so(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="First", details="Text.")
    world.drain(scene_id, conflict_policy="plex")
    world.plex.edit_by_hand(item, title="By hand")
    world.stash.save(scene_id, title="Second", details="New text.")
    world.drain(scene_id, conflict_policy="plex")
    shown = world.plex.item(item.rating_key)
    assert (shown.title, shown.summary) == ("By hand", "New text.")
