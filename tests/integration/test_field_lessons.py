"""Defects that tools of this kind have in what they write, each with a test that would fail on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from pydantic import SecretStr
from sync_world import TOKEN

from scenesync.domain.outcome import Outcome
from scenesync.simulators.plex import faults
from scenesync.simulators.sample_world import png

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.integration

ON: dict[str, Any] = {"sync_collection": True, "sync_labels": True, "label_tags": ("*",)}


def refresh(world: SyncWorld, item: PlexItem) -> None:
    """Let Plex refresh the item's metadata, as it does by itself now and then."""
    url = f"{world.plex.url}/library/metadata/{item.rating_key}/refresh"
    with urllib3.PoolManager() as pool:
        assert pool.request("PUT", url, headers={"X-Plex-Token": TOKEN}).status == 200


def test_lists_do_not_only_grow(world: SyncWorld) -> None:
    """A removed performer, tag, director, label, or former studio's collection stays for ever, there."""
    stash = world.stash
    sea, town = stash.add_tag("Sea"), stash.add_tag("Town")
    ann, bo = stash.add_performer("Ann"), stash.add_performer("Bo")
    scene_id, item = world.pair(
        title="Walk", tags=[sea], performers=[ann], studio=stash.add_studio("North Pier"), director="Cy"
    )
    world.drain(scene_id, **ON)
    stash.save(scene_id, tags=[town], performers=[bo], studio=stash.add_studio("South Pier"), director="Di")
    world.drain(scene_id, **ON)
    shown = world.plex.item(item.rating_key)
    assert (shown.genres, shown.actors, shown.directors) == (("Town",), ("Bo",), ("Di",))
    assert (shown.labels, shown.collections, shown.studio) == (("Town",), ("South Pier",), "South Pier")


def test_a_persons_own_entries_survive_the_removal_of_ours(world: SyncWorld) -> None:
    """Without knowing what it wrote, a tool can only keep everything or wipe everything."""
    stash = world.stash
    scene_id, item = world.pair(title="Walk", tags=[stash.add_tag("Sea")], studio=stash.add_studio("North Pier"))
    world.plex.edit_by_hand(item, labels=["Theirs", "Sea"], collections=["Favourites"])
    world.drain(scene_id, **ON)
    stash.save(scene_id, tags=[], studio=None)
    world.drain(scene_id, **ON)
    shown = world.plex.item(item.rating_key)
    # The label of our tag's name was there before us: it is theirs.
    assert (set(shown.labels), shown.collections) == ({"Theirs", "Sea"}, ("Favourites",))


def test_a_metadata_refresh_does_not_undo_what_was_written(world: SyncWorld) -> None:
    """Edits without locks are undone by the next refresh."""
    scene_id, item = world.pair(
        title="Walk", details="Text.", date="2024-05-01", code="NP-1", tags=[world.stash.add_tag("Sea")], rating100=80
    )
    settings = {"sync_tagline": True, "sync_rating": True, "sync_content_rating": True, "content_rating": "12"}
    world.drain(scene_id, **settings)
    refresh(world, item)
    shown = world.plex.item(item.rating_key)
    assert (shown.title, shown.title_sort, shown.summary, shown.tagline) == ("Walk", "Walk", "Text.", "NP-1")
    assert (shown.originally_available_at, shown.genres, shown.content_rating) == ("2024-05-01", ("Sea",), "12")
    assert shown.user_rating == 8.0  # not locked: a refresh leaves it alone


def test_without_locks_the_next_look_repairs_what_a_refresh_undid(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", details="Text.", tags=[world.stash.add_tag("Sea")])
    world.drain(scene_id, lock_fields=False)
    refresh(world, item)
    assert world.plex.item(item.rating_key).title != "Walk"
    (attempt,) = world.drain(scene_id, lock_fields=False)
    assert attempt.outcome is Outcome.SYNCED
    shown = world.plex.item(item.rating_key)
    assert (shown.title, shown.summary, shown.genres) == ("Walk", "Text.", ("Sea",))


def test_cleaning_keeps_the_line_breaks_of_a_summary(world: SyncWorld) -> None:
    """Dropping control characters glues paragraphs together: the newline is one."""
    scene_id, item = world.pair(title="Walk", details="One.\r\n\r\nTwo\x07.\rThree.\n\tFour.\x00")
    world.drain(scene_id)
    assert world.plex.item(item.rating_key).summary == "One.\n\nTwo .\nThree.\n\tFour."
    world.plex.clear_records()
    world.drain(scene_id)
    assert world.plex.field_writes == []


@pytest.mark.parametrize("begin", [b"\x00\x00\x00\x18ftypmp42", b"\x1aE\xdf\xa3webm", b"RIFF\x24\x00\x00\x00AVI "])
def test_a_video_is_never_uploaded_as_art(world: SyncWorld, begin: bytes) -> None:
    """What stands where a picture should be may be the scene's preview, and says that it is a picture or nothing."""
    scene_id, item = world.pair(title="Walk", details="Text.", cover=begin + bytes(2_000))
    (attempt,) = world.drain(scene_id)
    assert (attempt.outcome, attempt.error_type) == (Outcome.RETRY, "ImageUnusable")
    assert "POST" not in {request.method for request in world.plex.requests}
    assert world.plex.item(item.rating_key).summary == "Text."


@pytest.mark.parametrize("poster_fit", ["none", "blur"])
def test_pictures_are_not_uploaded_anew_at_each_sync(world: SyncWorld, poster_fit: str) -> None:
    """Neither at the same sync again, nor for a change of something else, which gives the picture another address."""
    scene_id, item = world.pair(title="Walk", cover=png(1, width=160, height=90))
    world.drain(scene_id, poster_fit=poster_fit)
    world.plex.clear_records()
    world.drain(scene_id, poster_fit=poster_fit)
    world.stash.save(scene_id, title="Walk, second cut")
    world.drain(scene_id, poster_fit=poster_fit)
    assert world.plex.item(item.rating_key).title == "Walk, second cut"
    assert "image" not in world.plex.counts()


def test_a_login_page_is_never_uploaded_as_art(world: SyncWorld) -> None:
    """Stash sends whoever has no key to its login page, which a client that follows takes for the picture."""
    scene_id, item = world.pair(title="Walk", cover=png(1))
    world.stash.require_login("someone", "fake-password", "fake-api-key")
    world.drain(scene_id, stash_api_key=SecretStr("fake-api-key"))
    poster = world.plex.item(item.rating_key).poster
    assert poster is not None
    assert poster.data == png(1)
    assert f"/scene/{scene_id}/screenshot" in {request.path for request in world.stash.requests}
    assert "/login" not in {request.path for request in world.stash.requests}


def test_a_failing_picture_does_not_pass_for_a_finished_job(world: SyncWorld) -> None:
    """A partial failure that is a warning in the log while the job counts as done is never tried again."""
    scene_id, item = world.pair(title="Walk", details="Text.", cover=png(1))
    world.plex.fail_next(1, faults.status(400), only="image")
    (attempt, *_) = world.drain(scene_id)
    assert attempt.outcome in {Outcome.RETRY, Outcome.DEAD}
    assert world.plex.item(item.rating_key).summary == "Text."


def test_a_field_that_the_hook_did_not_name_is_not_wiped(world: SyncWorld) -> None:
    """A hook says null for what was not touched; a tool that takes it for "cleared" wipes summary and date."""
    scene_id, item = world.pair(title="Walk", details="Text.", date="2024-05-01", rating100=80)
    world.drain(scene_id, sync_rating=True)
    world.stash.save(scene_id, organized=True)
    world.drain(scene_id, sync_rating=True, sync_labels=True)
    shown = world.plex.item(item.rating_key)
    assert (shown.summary, shown.originally_available_at, shown.user_rating) == ("Text.", "2024-05-01", 8.0)
    assert shown.labels == ("Organized",)
