"""A scene that Stash no longer has: what `on_destroy` does to its item, and what it never does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import PLEX_ROOT

from scenesync.domain.job import DESTROY, scene_job
from scenesync.domain.outcome import Outcome
from scenesync.simulators.sample_world import png
from scenesync.store.baselines import BaselineStore
from scenesync.store.holds import list_held
from scenesync.store.traces import TraceStore

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.domain.outcome import Attempt
    from scenesync.simulators.plex.model import PlexItem

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

POLICIES = ("keep", "unlock", "label", "restore")
LABEL = "Stash-Deleted"


def synced(world: SyncWorld, **settings: Any) -> tuple[int, PlexItem]:
    tag = world.stash.add_tag("Travel")
    scene_id, item = world.pair("Harbour", title="Harbour at dawn", details="Quiet.", tags=[tag], cover=png(7))
    world.drain(scene_id, **settings)
    return scene_id, item


def destroyed(world: SyncWorld, scene_id: int, **settings: Any) -> Attempt:
    """Delete a scene in Stash and let the worker hear of it as from the hook."""
    path = world.stash.scene(scene_id).files[0].path
    world.stash.destroy(scene_id)
    with world.installed(**settings) as installation:
        installation.queue.put_job(scene_job(scene_id, time.time(), update_type=DESTROY, data={"path": path}))
    (attempt,) = [attempt for attempt in world.drain(**settings) if attempt.scene_id == scene_id]
    return attempt


def state(world: SyncWorld, item: PlexItem) -> tuple[Any, ...]:
    now = world.plex.item(item.rating_key)
    return now.title, now.summary, now.genres, now.labels, now.locked


def edits(world: SyncWorld) -> int:
    return world.plex.counts().get("edit", 0)


class TestPolicies:
    def test_keep_changes_nothing_and_asks_plex_nothing_about_it(self, world: SyncWorld) -> None:
        scene_id, item = synced(world)
        before = state(world, item)
        world.plex.clear_records()
        attempt = destroyed(world, scene_id)
        assert (attempt.outcome, attempt.error_type) == (Outcome.SKIPPED, "SceneGone")
        assert state(world, item) == before
        assert not {"edit", "items"} & world.plex.counts().keys()

    def test_unlock_takes_off_our_locks_and_leaves_those_of_people(self, world: SyncWorld) -> None:
        scene_id, item = synced(world)
        world.plex.edit_by_hand(item, tagline="In one take")
        ours = world.plex.item(item.rating_key).locked - {"tagline"}
        assert {"title", "titleSort", "summary", "genre", "thumb", "art"} <= ours
        shown = state(world, item)[:4]
        attempt = destroyed(world, scene_id, on_destroy="unlock")
        assert attempt.outcome is Outcome.SYNCED
        assert world.plex.item(item.rating_key).locked == {"tagline"}
        assert state(world, item)[:4] == shown

    def test_label_adds_its_label_and_changes_nothing_else(self, world: SyncWorld) -> None:
        scene_id, item = synced(world)
        world.plex.edit_by_hand(item, locked=False, labels=("Kids",))
        before = state(world, item)
        attempt = destroyed(world, scene_id, on_destroy="label")
        assert attempt.changed_fields == ("label",)
        after = state(world, item)
        assert set(after[3]) == {"Kids", LABEL}
        assert (*after[:3], after[4]) == (*before[:3], before[4])

    def test_restore_puts_back_what_was_there_before_and_keeps_what_people_did_since(self, world: SyncWorld) -> None:
        tag = world.stash.add_tag("Travel")
        scene_id, item = world.pair("Harbour", title="Harbour at dawn", details="Quiet.", tags=[tag], cover=png(7))
        world.plex.edit_by_hand(item, locked=False, summary="From a person.", genres=("Sea",), studio="Quay")
        before = state(world, item)
        world.drain(scene_id)
        assert state(world, item) != before
        world.plex.edit_by_hand(item, locked=False, tagline="In one take")
        destroyed(world, scene_id, on_destroy="restore")
        assert state(world, item) == before
        assert world.plex.item(item.rating_key).tagline == "In one take"

    def test_a_label_goes_when_the_file_has_a_scene_again(self, world: SyncWorld) -> None:
        scene_id, item = synced(world)
        path = world.stash.scene(scene_id).files[0].path
        destroyed(world, scene_id, on_destroy="label")
        again = world.stash.add_scene(path=path, size_bytes=item.versions[0].size_bytes, title="Harbour, again")
        world.drain(again.id, on_destroy="label")
        now = world.plex.item(item.rating_key)
        assert (now.title, now.labels) == ("Harbour, again", ())
        world.plex.clear_records()
        world.drain(again.id, on_destroy="label")
        assert edits(world) == 0

    @pytest.mark.parametrize("policy", ["unlock", "label", "restore"])
    def test_done_twice_it_writes_once(self, world: SyncWorld, policy: str) -> None:
        scene_id, item = synced(world)
        destroyed(world, scene_id, on_destroy=policy)
        before = state(world, item)
        world.plex.clear_records()
        world.drain(scene_id, on_destroy=policy)
        assert edits(world) == 0
        assert state(world, item) == before


class TestWhatIsNeverTouched:
    @pytest.mark.parametrize("policy", POLICIES)
    def test_an_item_that_was_never_written_to(self, world: SyncWorld, policy: str) -> None:
        scene_id, item = world.pair(title="Harbour", organized=False)
        world.drain(scene_id, only_organized=True)
        before = state(world, item)
        destroyed(world, scene_id, on_destroy=policy)
        assert state(world, item) == before

    @pytest.mark.parametrize("policy", POLICIES)
    def test_an_item_that_plays_another_file_by_now(self, world: SyncWorld, policy: str) -> None:
        scene_id, item = synced(world)
        world.plex.rename_file(item, f"{PLEX_ROOT}/Films/quite another film.mp4")
        before = state(world, item)
        destroyed(world, scene_id, on_destroy=policy)
        assert state(world, item) == before

    @pytest.mark.parametrize("policy", POLICIES)
    def test_an_item_that_is_gone_ends_the_job(self, world: SyncWorld, policy: str) -> None:
        scene_id, item = synced(world)
        world.plex.remove_item(item.rating_key)
        assert destroyed(world, scene_id, on_destroy=policy).outcome is Outcome.SKIPPED

    @pytest.mark.parametrize("policy", POLICIES)
    def test_an_item_that_a_living_scene_shares(self, world: SyncWorld, policy: str) -> None:
        scene_id, item = synced(world)
        other, path, size = world.scene("Other", title="The other version")
        world.plex.add_version(item, file=f"{PLEX_ROOT}/{path}", size_bytes=size, duration_ms=60_000)
        locked = world.plex.item(item.rating_key).locked
        destroyed(world, scene_id, on_destroy=policy)
        now = world.plex.item(item.rating_key)
        assert now.labels == ()
        assert now.locked >= locked
        if policy != "keep":
            assert now.title == "The other version", "whoever is left is looked at"
            assert [attempt.scene_id for attempt in world.attempts][-1] == other

    def test_an_item_with_a_new_key_is_found_by_its_file(self, world: SyncWorld) -> None:
        scene_id, item = synced(world)
        world.plex.remove_item(item.rating_key)
        (version,) = item.versions
        again = world.plex.add_item(world.library, file=version.file, size_bytes=version.size_bytes)
        destroyed(world, scene_id, on_destroy="label")
        assert world.plex.item(again.rating_key).labels == (LABEL,)


class TestWhatIsRemembered:
    @pytest.mark.parametrize("policy", POLICIES)
    def test_relations_are_forgotten_and_baselines_are_not(self, world: SyncWorld, policy: str) -> None:
        scene_id, item = synced(world)
        destroyed(world, scene_id, on_destroy=policy)
        with world.installed() as installation:
            assert TraceStore(installation.database).read(scene_id) is None
            server = installation.plex.identity().machine_identifier
            assert BaselineStore(installation.database, server).read(item.rating_key)

    @pytest.mark.parametrize("policy", POLICIES)
    def test_that_the_scene_was_held_is_forgotten(self, world: SyncWorld, policy: str) -> None:
        scene_id, _ = synced(world)
        with world.installed() as installation:
            session = world.session(installation)
            undone = session.undoing.undo_scene(scene_id, installation.stash.scenes([scene_id])[scene_id])
            assert undone.held
        destroyed(world, scene_id, on_destroy=policy)
        with world.installed() as installation:
            assert list_held(installation.database) == ()

    def test_what_was_unlocked_and_locked_by_a_person_is_theirs(self, world: SyncWorld) -> None:
        scene_id, item = synced(world)
        path = world.stash.scene(scene_id).files[0].path
        destroyed(world, scene_id, on_destroy="unlock")
        world.plex.edit_by_hand(item, summary="Quiet.")
        again = world.stash.add_scene(path=path, size_bytes=item.versions[0].size_bytes, title="New", details="New.")
        world.drain(again.id, conflict_policy="plex")
        now = world.plex.item(item.rating_key)
        assert (now.title, now.summary) == ("New", "Quiet.")

    @pytest.mark.parametrize("policy", ["unlock", "label", "restore"])
    def test_an_outage_between_makes_it_wait(self, world: SyncWorld, policy: str) -> None:
        scene_id, item = synced(world)
        world.stash.destroy(scene_id)
        world.plex.down()
        with world.installed(on_destroy=policy) as installation:
            installation.queue.put_job(scene_job(scene_id, time.time(), update_type=DESTROY))
        world.plex.up()
        before = state(world, item)
        world.drain(on_destroy=policy)
        assert state(world, item) != before
