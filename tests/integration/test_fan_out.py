"""A change of what many scenes show reaches all of them, through the real loop, queue, store, Stash and Plex."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import eventually

from scenesync.app.data_directory import queue_folder
from scenesync.domain.entities import Entity, EntityChange, fan_out_job, found_up_to
from scenesync.domain.errors import LeaseLost
from scenesync.domain.job import PRIORITY_BULK, PRIORITY_FANOUT, scene_job
from scenesync.domain.outcome import Outcome
from scenesync.intake import fan_out
from scenesync.intake.fan_out import ask_for
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.snapshot import read_snapshot
from scenesync.store.traces import TraceStore
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.app.installation import Installation
    from scenesync.simulators.plex.model import PlexItem

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]


def spread(world: SyncWorld, change: EntityChange, **settings: Any) -> list[int]:
    """Let a change fan out and return the scenes that were looked at because of it."""
    with world.installed(**settings) as installation:
        ask_for(installation.queue, change)
    return sorted(attempt.scene_id for attempt in world.drain(**settings))


def shown(world: SyncWorld, item: PlexItem) -> PlexItem:
    return world.plex.item(item.rating_key)


class TestWhatAChangeReaches:
    def test_a_renamed_performer_is_renamed_on_every_item(self, world: SyncWorld) -> None:
        ada, ben = world.stash.add_performer("Ada"), world.stash.add_performer("Ben")
        pairs = [world.pair(title=f"Film {number}", performers=[ada, ben]) for number in range(3)]
        other, _ = world.pair(title="Without her", performers=[ben])
        world.drain(*(scene_id for scene_id, _ in pairs), other)
        world.stash.save_performer(ada, name="Ada Sample")
        assert spread(world, EntityChange(Entity.PERFORMER, ada.id)) == [scene_id for scene_id, _ in pairs]
        assert all(list(shown(world, item).actors) == ["Ada Sample", "Ben"] for _, item in pairs)

    @pytest.mark.parametrize(
        ("studio_name", "before", "after"),
        [("path", "Harbour Group / Reel", "Quay Group / Reel"), ("own", "Reel", "Reel")],
    )
    def test_a_renamed_studio_reaches_its_children_only_where_they_show_its_name(
        self, world: SyncWorld, studio_name: str, before: str, after: str
    ) -> None:
        owner = world.stash.add_studio("Harbour Group")
        scene_id, item = world.pair(title="Film", studio=world.stash.add_studio("Reel", owner))
        world.drain(scene_id, studio_name=studio_name)
        assert shown(world, item).studio == before
        world.stash.save_studio(owner, name="Quay Group")
        reached = spread(world, EntityChange(Entity.STUDIO, owner.id), studio_name=studio_name)
        assert reached == ([scene_id] if before != after else [])
        assert shown(world, item).studio == after

    @pytest.mark.parametrize(("tag_parents", "found"), [(True, True), (False, False)])
    def test_a_renamed_tag_reaches_those_below_it_only_where_they_show_it(
        self, world: SyncWorld, *, tag_parents: bool, found: bool
    ) -> None:
        parent = world.stash.add_tag("Music")
        scene_id, item = world.pair(title="Film", tags=[world.stash.add_tag("Live", parents=[parent])])
        world.drain(scene_id, tag_parents=tag_parents)
        world.stash.save_tag(parent, name="Concerts")
        reached = spread(world, EntityChange(Entity.TAG, parent.id), tag_parents=tag_parents)
        assert reached == ([scene_id] if found else [])
        assert list(shown(world, item).genres) == (["Live", "Concerts"] if found else ["Live"])

    def test_a_group_is_looked_for_only_where_titles_name_it(self, world: SyncWorld) -> None:
        tour = world.stash.add_group("Tour")
        scene_id, item = world.pair(title="Night 2", groups=[tour])
        titled = {"title_template": "{group}: {title}"}
        world.drain(scene_id, **titled)
        world.stash.save_group(tour, name="Summer Tour")
        change = EntityChange(Entity.GROUP, tour.id)
        assert spread(world, change) == []
        assert spread(world, change, **titled) == [scene_id]
        assert shown(world, item).title == "Summer Tour: Night 2"

    @pytest.mark.parametrize("kind", ["performer", "studio", "tag"])
    def test_what_was_deleted_leaves_every_item_though_stash_no_longer_knows_where_it_was(
        self, world: SyncWorld, kind: str
    ) -> None:
        entity: Any = getattr(world.stash, f"add_{kind}")("Once")
        fields: dict[str, Any] = {kind: entity} if kind == "studio" else {f"{kind}s": [entity]}
        pairs = [world.pair(title=f"Film {number}", **fields) for number in range(3)]
        world.drain(*(scene_id for scene_id, _ in pairs))
        world.stash.destroy_entities(kind, [entity])
        assert spread(world, EntityChange(Entity(kind), entity.id)) == [scene_id for scene_id, _ in pairs]
        for _, item in pairs:
            now = shown(world, item)
            assert "Once" not in (*now.actors, *now.genres, now.studio)

    def test_after_a_merge_the_scenes_of_the_sources_are_found_even_if_the_destination_is_gone_too(
        self, world: SyncWorld
    ) -> None:
        live, tour, concert = (world.stash.add_tag(name) for name in ("Live", "Tour", "Concert"))
        first, item = world.pair(title="Night 1", tags=[live])
        second, _ = world.pair(title="Night 2", tags=[concert])
        world.drain(first, second)
        world.stash.merge_tags([live, tour], concert)
        world.stash.destroy_entities("tag", [concert])
        assert spread(world, EntityChange(Entity.TAG, concert.id, (live.id, tour.id))) == [first, second]
        assert list(shown(world, item).genres) == []

    def test_a_change_back_and_forth_costs_no_write(self, world: SyncWorld) -> None:
        ada = world.stash.add_performer("Ada")
        scene_id, _ = world.pair(title="Film", performers=[ada])
        world.drain(scene_id)
        world.plex.clear_records()
        assert spread(world, EntityChange(Entity.PERFORMER, ada.id)) == [scene_id]
        assert world.attempts[-1].outcome is Outcome.UNCHANGED
        assert world.plex.counts().get("edit", 0) == 0


class TestOnTheWay:
    @pytest.fixture(autouse=True)
    def _small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fan_out, "PAGE_SIZE", 4)

    def scenes_of(self, world: SyncWorld, count: int) -> tuple[EntityChange, list[int]]:
        ada = world.stash.add_performer("Ada")
        ids = [world.pair(title=f"Film {number}", performers=[ada])[0] for number in range(count)]
        return EntityChange(Entity.PERFORMER, ada.id), ids

    def test_after_a_crash_it_goes_on_at_its_page(self, world: SyncWorld) -> None:
        change, ids = self.scenes_of(world, 11)
        with world.installed() as installation:
            ask_for(installation.queue, change)
            self.take_a_step(installation)
            (waiting,) = [job for job in installation.queue.list_pending() if job.job["scene_id"] == 0]
            assert found_up_to(waiting.job) == ids[3]
            assert waiting.priority == PRIORITY_FANOUT
        asked_before = world.stash.operations()["ScenesOfPerformerAfter"]
        world.drain()
        assert world.stash.operations()["ScenesOfPerformerAfter"] - asked_before == 2, "of three pages one was done"
        assert sorted(attempt.scene_id for attempt in world.attempts) == ids

    def take_a_step(self, installation: Installation) -> None:
        """Work until the fan-out has found its first page, and die there: what is in hand goes back by itself."""
        stop = threading.Event()
        queue = installation.queue
        requeue = queue.requeue

        def requeue_and_stop(*arguments: Any) -> None:
            requeue(*arguments)
            stop.set()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(queue, "requeue", requeue_and_stop)
            installation.work_loop(LoopLimits()).run(stop)

    def test_a_crash_before_its_place_was_noted_repeats_a_page_and_each_scene_is_looked_at_once(
        self, world: SyncWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change, ids = self.scenes_of(world, 6)
        with world.installed() as installation:
            ask_for(installation.queue, change)
            stop = threading.Event()

            def die(*_: object) -> None:
                stop.set()
                raise LeaseLost("The process is gone.")

            monkeypatch.setattr(installation.queue, "requeue", die)
            installation.work_loop(LoopLimits()).run(stop)
            asked = world.stash.operations()["ScenesOfPerformerAfter"]
        world.drain()
        assert world.stash.operations()["ScenesOfPerformerAfter"] - asked == 2, "the first page once more, and the last"
        assert sorted(attempt.scene_id for attempt in world.attempts) == ids

    def test_what_changes_again_on_the_way_is_looked_for_from_the_beginning(self, world: SyncWorld) -> None:
        change, ids = self.scenes_of(world, 6)
        with world.installed() as installation:
            ask_for(installation.queue, change)
            self.take_a_step(installation)
            ask_for(installation.queue, change)
            jobs = [waiting.job for waiting in installation.queue.list_pending() if waiting.job["scene_id"] == 0]
            assert [found_up_to(job) for job in jobs] == [0]
        world.drain()
        assert sorted({attempt.scene_id for attempt in world.attempts}) == ids

    def test_a_change_while_it_is_in_hand_runs_it_once_more_as_a_whole(self, world: SyncWorld) -> None:
        change, _ = self.scenes_of(world, 6)
        with world.installed() as installation:
            ask_for(installation.queue, change)
            (claim,) = installation.queue.claim(1)
            ask_for(installation.queue, change)
            installation.queue.requeue(claim, {**claim.job, "data": {**claim.job["data"], "after": 4}})
            (waiting,) = installation.queue.list_pending()
            assert found_up_to(waiting.job) == 0

    def test_scenes_that_wait_already_are_merged(self, world: SyncWorld) -> None:
        change, ids = self.scenes_of(world, 3)
        with world.installed() as installation:
            installation.queue.put_many([scene_job(scene_id, time.time()) for scene_id in ids], PRIORITY_BULK)
            ask_for(installation.queue, change)
            installation.queue.put_job(scene_job(ids[1], time.time()))
            claims = {claim.job["scene_id"]: claim for claim in installation.queue.claim(10)}
            assert len(claims) == 4
            for scene_id in (*ids, 0):
                installation.queue.release(claims[scene_id])
            stop = threading.Event()
            installation.work_loop(LoopLimits(until_idle=True)).run(stop)
        assert world.drain() == []

    def test_stash_away_is_waited_out_without_a_retry(self, world: SyncWorld) -> None:
        change, ids = self.scenes_of(world, 6)
        with world.working() as installation:
            eventually(lambda: installation.services.read("plex").reachability == "up")
            world.stash.down()
            ask_for(installation.queue, change)
            eventually(lambda: installation.services.read("stash").reachability == "down")
            time.sleep(0.5)
            (waiting,) = installation.queue.list_pending()
            assert "retry_count" not in waiting.job
            world.stash.up()
            eventually(lambda: len(world.attempts) == 6)
        assert sorted(attempt.scene_id for attempt in world.attempts) == ids

    def test_what_stash_refuses_is_a_dead_letter_that_can_be_replayed(self, world: SyncWorld) -> None:
        change, ids = self.scenes_of(world, 2)
        world.stash.fail_next(graphql_error="no such column: performers", operation="ScenesOfPerformerAfter")
        assert spread(world, change) == []
        with world.installed() as installation:
            letters = DeadLetterStore(installation.queue)
            (letter,) = letters.list()
            assert (letter.error_type, letter.job["job_key"]) == ("StashRefused", f"performer_{change.id}")
            assert letters.replay() == 1
            (waiting,) = installation.queue.list_pending()
            assert waiting.priority == PRIORITY_FANOUT
        assert sorted(attempt.scene_id for attempt in world.drain()) == ids

    def test_a_job_that_names_no_change_ends_as_a_dead_letter_and_the_loop_lives_on(self, world: SyncWorld) -> None:
        change, ids = self.scenes_of(world, 1)
        with world.installed() as installation:
            job = fan_out_job(change, 1.0)
            installation.queue.put_job({**job, "data": {"entity": "gallery"}, "job_key": "gallery_1"})
            ask_for(installation.queue, change)
        assert [attempt.scene_id for attempt in world.drain()] == ids
        with world.installed() as installation:
            assert [letter.error_type for letter in DeadLetterStore(installation.queue).list()] == ["PermanentError"]


def test_a_rename_of_thousands_does_not_delay_what_a_person_saves(world: SyncWorld) -> None:
    """5,000 scenes show one performer; what is saved meanwhile is in Plex before most of them."""
    ada = world.stash.add_performer("Ada")
    for number in range(5_000):
        world.pair(title=f"Film {number}", performers=[ada])
    saved, item = world.pair(title="Harbour")
    with world.working() as installation:
        queue = installation.queue
        queue.put_job(scene_job(saved, time.time()))
        eventually(lambda: world.plex.item(item.rating_key).title == "Harbour", within_s=60)
        ask_for(queue, EntityChange(Entity.PERFORMER, ada.id))
        eventually(lambda: len(world.attempts) > 30, within_s=60)
        world.stash.save(saved, title="Harbour at dusk")
        began = time.monotonic()
        done_before = len(world.attempts)
        queue.put_job(scene_job(saved, time.time()))
        eventually(lambda: world.plex.item(item.rating_key).title == "Harbour at dusk", within_s=60)
        took_s = time.monotonic() - began
        others = len(world.attempts) - done_before
        pending = read_snapshot(queue_folder(installation.settings.data_dir)).pending
    assert others < 200, f"{others} scenes were done before the one that a person saved, in {took_s:.1f} s"
    assert pending > 4_000, "most of the others still wait"


def test_what_a_synced_scene_shows_and_its_files_are_remembered(world: SyncWorld) -> None:
    ada = world.stash.add_performer("Ada")
    scene_id, _ = world.pair(title="Film", performers=[ada])
    world.drain(scene_id)
    with world.installed() as installation:
        traces = TraceStore(installation.database)
        known = traces.read(scene_id)
        assert known is not None
        assert [file.path for file in known.files] == [world.stash.scene(scene_id).files[0].path]
        assert traces.scenes_showing(Entity.PERFORMER, [ada.id], 0, 10) == [scene_id]
