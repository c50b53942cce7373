"""Covers on their way into Plex: made fit, sent once, and never in the way of the text."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from scenesync.domain.fields import Field
from scenesync.domain.outcome import Outcome
from scenesync.pictures import posters
from scenesync.simulators.sample_world import png
from scenesync.store.baselines import BaselineStore

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.simulators.plex.model import ImageCandidate, PlexItem

pytestmark = pytest.mark.integration

LANDSCAPE = png(1, width=160, height=90)
PORTRAIT = png(1, width=60, height=90)


def outcomes(world: SyncWorld, *scene_ids: int, **settings: object) -> list[Outcome]:
    return [attempt.outcome for attempt in world.drain(*scene_ids, **settings)]


def poster(world: SyncWorld, item: PlexItem) -> ImageCandidate:
    shown = world.plex.item(item.rating_key).poster
    assert shown is not None
    return shown


def uploads(world: SyncWorld) -> int:
    return sum(request.method == "POST" for request in world.plex.requests)


@pytest.mark.parametrize("fit", ["crop", "blur", "letterbox"])
def test_a_landscape_cover_becomes_a_portrait_poster_and_stays_the_background(world: SyncWorld, fit: str) -> None:
    scene_id, item = world.pair(title="Walk", cover=LANDSCAPE)
    assert outcomes(world, scene_id, poster_fit=fit) == [Outcome.SYNCED]
    with Image.open(BytesIO(poster(world, item).data)) as shown:
        assert shown.width / shown.height == pytest.approx(2 / 3, abs=0.01)
    art = world.plex.item(item.rating_key).art
    assert art is not None
    assert art.data == LANDSCAPE
    world.plex.clear_records()
    assert outcomes(world, scene_id, poster_fit=fit) == [Outcome.UNCHANGED]
    assert {"edit", "image"}.isdisjoint(world.plex.counts())


def test_without_the_setting_a_cover_arrives_byte_for_byte(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", cover=LANDSCAPE)
    world.drain(scene_id)
    assert poster(world, item).data == LANDSCAPE


def test_a_portrait_cover_arrives_byte_for_byte_whatever_the_setting(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", cover=PORTRAIT)
    world.drain(scene_id, poster_fit="blur")
    assert poster(world, item).data == PORTRAIT


def test_a_changed_setting_uploads_each_poster_once_and_no_background(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", cover=LANDSCAPE)
    world.drain(scene_id)
    world.plex.clear_records()
    assert outcomes(world, scene_id, poster_fit="crop") == [Outcome.SYNCED]
    assert uploads(world) == 1
    assert len(world.plex.item(item.rating_key).arts) == 1
    world.plex.clear_records()
    assert outcomes(world, scene_id, poster_fit="crop") == [Outcome.UNCHANGED]
    assert uploads(world) == 0


def test_two_items_of_one_scene_get_the_same_poster(world: SyncWorld) -> None:
    scene_id, path, size = world.scene(title="Walk", cover=LANDSCAPE)
    first, second = world.item(path, size), world.item(path, size)
    world.drain(scene_id, poster_fit="blur")
    assert poster(world, first).sha1 == poster(world, second).sha1


class TestABrokenCover:
    def broken(self, world: SyncWorld) -> tuple[int, PlexItem]:
        return world.pair(title="Walk", details="Text.", cover=LANDSCAPE[: len(LANDSCAPE) // 2])

    def test_is_tried_again_by_itself_while_the_text_is_written_and_proven(self, world: SyncWorld) -> None:
        scene_id, item = self.broken(world)
        (attempt,) = world.drain(scene_id, poster_fit="crop", sync_background=False)
        assert (attempt.outcome, attempt.error_type) == (Outcome.RETRY, "ImageUnusable")
        assert world.plex.item(item.rating_key).summary == "Text."
        with world.installed() as installation:
            known = BaselineStore(installation.database, installation.plex.identity().machine_identifier)
            assert known.read(item.rating_key)[Field.SUMMARY].shown == "Text."
        world.plex.clear_records()
        world.drain(scene_id, poster_fit="crop", sync_background=False)
        assert world.plex.field_writes == [], "what is right is not written again for the picture's sake"

    def test_is_a_dead_letter_in_the_end_that_says_it_is_the_picture(self, world: SyncWorld) -> None:
        scene_id, _ = self.broken(world)
        (attempt,) = world.drain(scene_id, poster_fit="crop", max_retries=1)
        assert attempt.outcome is Outcome.DEAD
        assert f"The cover of scene {scene_id} cannot be used" in attempt.message
        assert "This is about the poster" in attempt.message
        with world.installed() as installation:
            (letter,) = installation.dead_letters.list()
        assert "This is about the poster" in letter.message
        assert "another one" in letter.advice

    def test_costs_nothing_but_the_picture_that_is_made_of_it(self, world: SyncWorld) -> None:
        scene_id, item = self.broken(world)
        world.drain(scene_id, poster_fit="crop")
        assert world.plex.item(item.rating_key).art is not None

    def test_that_is_mended_arrives_with_the_next_attempt(self, world: SyncWorld) -> None:
        scene_id, item = self.broken(world)
        world.drain(scene_id, poster_fit="crop")
        world.stash.save(scene_id, cover=LANDSCAPE)
        world.drain(scene_id, poster_fit="crop")
        assert poster(world, item).key.startswith("upload://")


def test_a_cover_too_large_for_plex_is_scaled_down(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    cover = png(1, width=400, height=300)
    limit = len(cover) - 1
    monkeypatch.setattr(posters, "MAX_BYTES", 20_000)
    monkeypatch.setattr(posters, "LARGEST_SCREEN", (200, 150))
    world.plex.behaviour = replace(world.plex.behaviour, max_image_bytes=20_000)
    padded = cover + bytes(30_000 - limit)
    scene_id, item = world.pair(title="Walk", cover=padded)
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    with Image.open(BytesIO(poster(world, item).data)) as shown:
        assert shown.size == (200, 150)


def test_a_cover_that_cannot_be_made_small_enough_is_a_dead_letter_about_the_picture(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posters, "MAX_BYTES", 100)
    scene_id, item = world.pair(title="Walk", details="Text.", cover=LANDSCAPE)
    (attempt,) = world.drain(scene_id)
    assert (attempt.outcome, attempt.error_type) == (Outcome.DEAD, "ImageTooLarge")
    assert "Plex takes 100" in attempt.message
    assert world.plex.item(item.rating_key).summary == "Text."


def writes_in_order(world: SyncWorld) -> list[str]:
    """Return the kinds of Plex's writes as they arrived, pictures and edits."""
    records = sorted(world.plex.requests, key=lambda record: record.at_monotonic)
    return [record.kind for record in records if record.kind in {"edit", "image"}]


def test_the_edit_that_locks_pictures_waits_for_them_and_later_ones_need_not(world: SyncWorld) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, locked_image_refuses_post=True)
    scene_id, item = world.pair(title="Walk", cover=LANDSCAPE)
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    assert writes_in_order(world) == ["image", "image", "edit"]
    assert {"thumb", "art"} <= world.plex.item(item.rating_key).locked

    world.plex.clear_records()
    world.stash.save(scene_id, title="A walk", cover=PORTRAIT)
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key)
    assert shown.title == "A walk"
    assert poster(world, item).data == PORTRAIT, "and where an upload onto a locked one is ignored it is selected"
    assert shown.art is not None
    assert shown.art.data == PORTRAIT
    assert sorted(writes_in_order(world)[:3]) == ["edit", "image", "image"]
