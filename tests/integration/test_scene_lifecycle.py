"""Scenes merged, files moved, a first file gained: each ends right in Plex without a person's help."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import PLEX_ROOT, STASH_ROOT

from scenesync.domain.job import PRIORITY_BULK, scene_job
from scenesync.domain.outcome import Outcome
from scenesync.intake.selection import enqueue_since

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.integration


def title_of(world: SyncWorld, item: PlexItem) -> str:
    return world.plex.item(item.rating_key).title


def sync_recent(world: SyncWorld, **settings: Any) -> list[int]:
    """Sync what Stash says was changed lately, as a timer or the poll does; return the scenes that were looked at."""
    with world.installed(**settings) as installation:
        enqueue_since(installation.stash, installation.queue, datetime.now(UTC) - timedelta(minutes=5))
    return sorted(attempt.scene_id for attempt in world.drain(**settings))


class TestMerged:
    def pairs(self, world: SyncWorld) -> tuple[int, PlexItem, int, PlexItem]:
        source, source_item = world.pair("Night 1", title="Source")
        destination, item = world.pair("Night 2", title="Destination")
        world.drain(source, destination)
        return source, source_item, destination, item

    def test_both_files_show_the_destination_once_it_is_looked_at(self, world: SyncWorld) -> None:
        source, source_item, destination, item = self.pairs(world)
        world.stash.merge([source], destination, title="Both nights")
        assert destination in sync_recent(world)
        assert (title_of(world, source_item), title_of(world, item)) == ("Both nights", "Both nights")

    @pytest.mark.parametrize("policy", ["keep", "unlock", "label", "restore"])
    def test_a_source_that_is_looked_at_leads_to_its_destination(self, world: SyncWorld, policy: str) -> None:
        source, source_item, destination, item = self.pairs(world)
        world.stash.merge([source], destination, title="Both nights")
        with world.installed(on_destroy=policy) as installation:  # a fan-out remembered it, say
            installation.queue.put_many([scene_job(source, time.time())], PRIORITY_BULK)
        attempts = world.drain(on_destroy=policy)
        assert sorted(attempt.scene_id for attempt in attempts) == [source, destination]
        for each in (source_item, item):
            now = world.plex.item(each.rating_key)
            assert (now.title, now.labels) == ("Both nights", ())
            assert "title" in now.locked

    def test_a_source_that_nobody_inherits_from_is_gone(self, world: SyncWorld) -> None:
        source, _, _, _ = self.pairs(world)
        world.stash.destroy(source)
        (attempt,) = world.drain(source)
        assert (attempt.scene_id, attempt.error_type) == (source, "SceneGone")


class TestFiles:
    def test_a_file_renamed_in_stash_first_is_matched_when_plex_finds_it(self, world: SyncWorld) -> None:
        scene_id, item = world.pair("Harbour", title="Harbour")
        world.drain(scene_id)
        world.stash.rename_in_scan(scene_id, f"{STASH_ROOT}/Films/Quay.mp4")
        world.stash.save(scene_id, title="Quay")
        (attempt,) = world.drain(scene_id)
        assert attempt.outcome in {Outcome.RETRY, Outcome.SYNCED}, "by size the old item may still be known"
        world.plex.rename_file(item, f"{PLEX_ROOT}/Films/Quay.mp4")
        (attempt,) = world.drain(scene_id)
        assert title_of(world, item) == "Quay"
        assert attempt.rule == "path"

    def test_a_file_moved_without_a_word_is_found_where_it_is(self, world: SyncWorld) -> None:
        scene_id, item = world.pair("Harbour", title="Harbour")
        world.drain(scene_id)
        moved = f"{STASH_ROOT}/Archive/Harbour.mp4"
        world.stash.rename_in_scan(scene_id, moved)
        world.plex.rename_file(item, f"{PLEX_ROOT}/Archive/Harbour.mp4")
        world.stash.save(scene_id, title="Harbour, archived")
        (attempt,) = world.drain(scene_id)
        assert (attempt.rule, title_of(world, item)) == ("path", "Harbour, archived")

    def test_every_file_of_a_scene_shows_it_whichever_is_primary(self, world: SyncWorld) -> None:
        scene_id, item = world.pair("Harbour")  # without a title, Plex shows the primary file's name
        copy = f"{STASH_ROOT}/Films/Harbour copy.mp4"
        world.stash.add_copy_in_scan(scene_id, copy)
        other = world.plex.add_item(
            world.library, file=f"{PLEX_ROOT}/Films/Harbour copy.mp4", size_bytes=item.versions[0].size_bytes
        )
        world.drain(scene_id)
        assert (title_of(world, item), title_of(world, other)) == ("Harbour", "Harbour")
        second = world.stash.scene(scene_id).files[1]
        world.stash.save(scene_id, primary_file_id=str(second.id))
        world.drain(scene_id)
        assert (title_of(world, item), title_of(world, other)) == ("Harbour copy", "Harbour copy")

    def test_a_scene_that_gains_its_first_file_is_shown(self, world: SyncWorld) -> None:
        scene = world.stash.add_scene(title="Harbour")
        file_of, item = world.pair("Quay", title="Quay")
        assert [attempt.outcome for attempt in world.drain(scene.id)] == [Outcome.SKIPPED]
        world.stash.merge([file_of], scene)
        assert scene.id in sync_recent(world)
        assert title_of(world, item) == "Harbour"

    def test_a_scene_that_loses_a_file_leaves_its_item_and_the_other_goes_on(self, world: SyncWorld) -> None:
        scene_id, item = world.pair("Harbour", title="Harbour")
        copy = f"{STASH_ROOT}/Films/Harbour copy.mp4"
        world.stash.add_copy_in_scan(scene_id, copy)
        other = world.plex.add_item(
            world.library, file=f"{PLEX_ROOT}/Films/Harbour copy.mp4", size_bytes=item.versions[0].size_bytes
        )
        world.drain(scene_id)
        world.stash.clean([copy])
        world.stash.save(scene_id, title="Harbour, once")
        world.drain(scene_id)
        assert (title_of(world, item), title_of(world, other)) == ("Harbour, once", "Harbour")
