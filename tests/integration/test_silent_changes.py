"""What no hook announces, over the real stores: found by looking at Stash, done once, never a whole library at once."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sync_world import PLEX_ROOT, STASH_ROOT, TOKEN, SyncWorld

from scenesync.app.cli import run_cli
from scenesync.domain.entities import Entity, EntityChange
from scenesync.domain.job import DESTROY, PRIORITY_PERSON, scene_job
from scenesync.domain.outcome import Outcome
from scenesync.intake.fan_out import ask_for
from scenesync.intake.polling import enqueue_everything
from scenesync.intake.stash_activity import StashActivity
from scenesync.reconciliation.automatic_run import GONE, forget_stopped, let_go_stopped
from scenesync.simulators.sample_world import png
from scenesync.simulators.stash import scene_mutations
from scenesync.simulators.stash.records import NewFile
from scenesync.store.automatic_runs import AutomaticRunStore
from scenesync.store.memory import Memory
from scenesync.store.traces import TraceStore
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from scenesync.app.installation import Installation
    from scenesync.domain.outcome import Attempt
    from scenesync.simulators.plex.model import PlexItem

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

LABEL = "Stash-Deleted"


class Clock:
    """Stash's own clock, which a test moves on instead of waiting."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


class Household:
    """A world with an installation that stays open; looks and work happen when the test says so."""

    def __init__(self, world: SyncWorld, installation: Installation) -> None:
        self.world = world
        self.installation = installation
        self.activity = StashActivity()
        self.clock = Clock()
        world.stash.library._clock = self.clock
        self.session = world.session(installation)

    def begin(self) -> None:
        """Sync everything, and look twice, until nothing of that is news any more."""
        enqueue_everything(self.installation.stash, self.installation.queue, Memory(self.installation.database))
        self.work()
        self.look()
        self.later()
        self.look()
        self.work()
        self.world.plex.clear_records()

    def look(self) -> None:
        self.installation.looks(lambda: self.session, self.activity).look()

    def later(self, seconds: float = 300.0) -> None:
        """Let time pass in Stash; the sightings of ours grow old with it."""
        self.clock.ahead_s += seconds

    def work(self) -> list[Attempt]:
        """Work until nothing is due; return the attempts."""
        attempts: list[Attempt] = []
        self.session.index.refresh()
        loop = self.installation.work_loop(LoopLimits(until_idle=True), [attempts.append], unreachable_for_s=10)
        loop.run(threading.Event())
        return attempts

    def look_and_work(self) -> list[Attempt]:
        self.look()
        return self.work()

    def hook(self, scene_id: int, update_type: str = "metadata", **data: Any) -> None:
        """Enqueue what the hook would."""
        job = scene_job(scene_id, time.time(), update_type=update_type, data=data)
        self.installation.queue.put_job(job, priority=PRIORITY_PERSON)

    def edits(self) -> int:
        return self.world.plex.counts().get("edit", 0)


@pytest.fixture
def household(world: SyncWorld) -> Iterator[Household]:
    with world.installed(on_destroy="label") as installation:
        yield Household(world, installation)


def film(household: Household, name: str, **fields: Any) -> tuple[int, PlexItem]:
    return household.world.pair(name, title=name, details=f"About {name}.", **fields)


class TestAScene:
    def test_that_was_deleted_without_a_word_is_parted_with_as_its_hook_would_have_it(
        self, household: Household
    ) -> None:
        (scene_id, item), _ = film(household, "Harbour"), film(household, "Pier")
        household.begin()
        household.world.stash.library.remove_scene(scene_id)
        (attempt,) = household.look_and_work()
        assert (attempt.scene_id, attempt.outcome) == (scene_id, Outcome.SYNCED)
        assert household.world.plex.item(item.rating_key).labels == (LABEL,)
        assert TraceStore(household.installation.database).read(scene_id) is None
        assert household.look_and_work() == []

    def test_whose_hook_came_is_parted_with_once_and_keeps_the_path_that_the_hook_told(
        self, household: Household
    ) -> None:
        (scene_id, _), _ = film(household, "Harbour"), film(household, "Pier")
        household.begin()
        path = household.world.stash.scene(scene_id).path
        household.world.stash.library.remove_scene(scene_id)
        household.hook(scene_id, DESTROY, path=path)
        household.look()
        (job,) = household.installation.queue.list_pending()
        assert job.job["data"] == {"path": path}
        assert [attempt.scene_id for attempt in household.work()] == [scene_id]
        assert household.look_and_work() == []

    def test_that_was_merged_makes_the_scene_that_has_its_file_be_looked_at(self, household: Household) -> None:
        (one, item_of_one), (two, _) = film(household, "Harbour"), film(household, "Pier")
        household.begin()
        household.later()
        household.world.stash.merge([one], two, title="Both takes")
        attempts = household.look_and_work()
        assert {attempt.scene_id for attempt in attempts} == {one, two}
        assert household.world.plex.item(item_of_one.rating_key).title == "Both takes"
        assert household.world.plex.item(item_of_one.rating_key).labels == ()

    def test_whose_deletion_ends_as_a_dead_letter_is_not_told_of_again(self, household: Household) -> None:
        (scene_id, _), _ = film(household, "Harbour"), film(household, "Pier")
        household.begin()
        household.world.stash.library.remove_scene(scene_id)
        household.look()
        household.installation.queue.drop_pending()
        household.look()
        assert household.installation.queue.list_pending() == ()

    def test_that_was_renamed_in_silence_is_found_and_matched_by_its_new_path(self, household: Household) -> None:
        scene_id, item = film(household, "Harbour")
        household.begin()
        stash, plex = household.world.stash, household.world.plex
        household.later()
        stash.rename_in_scan(scene_id, f"{STASH_ROOT}/Films/Moved.mp4")
        plex.rename_file(item, f"{PLEX_ROOT}/Films/Moved.mp4")
        attempts = household.look_and_work()
        assert [attempt.scene_id for attempt in attempts] == [scene_id]
        assert household.look_and_work() == []


def test_what_a_hook_announced_is_one_look_and_one_edit_however_often_stash_is_looked_at(
    household: Household,
) -> None:
    scene_id, item = film(household, "Harbour")
    household.begin()
    household.later()
    household.world.stash.save(scene_id, title="Harbour at dusk")
    household.hook(scene_id)
    attempts = household.work()  # within the second that Stash has stamped
    attempts += household.look_and_work()
    time.sleep(2.1)  # that second is over
    attempts += household.look_and_work()
    attempts += household.look_and_work()
    assert [attempt.scene_id for attempt in attempts] == [scene_id]
    assert household.edits() == 1
    assert household.world.plex.item(item.rating_key).title == "Harbour at dusk"


def test_a_hook_whose_job_waits_and_a_look_are_one_job(household: Household) -> None:
    scene_id, _ = film(household, "Harbour")
    household.begin()
    household.later()
    household.world.stash.save(scene_id, title="Harbour at dusk")
    household.hook(scene_id, title="what the hook knew")
    household.look()
    (job,) = household.installation.queue.list_pending()
    assert job.job["data"] == {"title": "what the hook knew"}
    assert len(household.work()) == 1
    assert household.edits() == 1


def test_a_cover_that_comes_after_the_create_hook_in_the_same_second_reaches_plex(household: Household) -> None:
    film(household, "Harbour")
    household.begin()
    household.later()
    stash = household.world.stash
    item = household.world.item("Films/New.mp4", 77_000)
    seen: list[int] = []

    def work_in_the_hook(_kind: str, scene_id: int) -> None:
        household.hook(scene_id)
        seen.extend(attempt.scene_id for attempt in household.work())

    on_fire(household, work_in_the_hook)
    (scene_id,) = stash.scan([NewFile(f"{STASH_ROOT}/Films/New.mp4", 77_000, 60.0, cover=png(5))])
    assert seen == [scene_id]
    assert poster(household, item) != png(5)
    household.look_and_work()
    time.sleep(2.1)
    household.look_and_work()
    assert poster(household, item) == png(5)
    assert household.look_and_work() == []


def on_fire(household: Household, action: Callable[[str, int], None]) -> None:
    """Do something in the moment in which Stash runs its hooks."""
    host = household.world.stash._host
    fire = host.fire

    def fire_and_act(trigger: str, entity_id: int, *rest: Any) -> None:
        fire(trigger, entity_id, *rest)
        action(trigger, entity_id)

    host.fire = fire_and_act  # type: ignore[method-assign] # a hook without the cost of a process


def poster(household: Household, item: PlexItem) -> bytes:
    shown = household.world.plex.item(item.rating_key).poster
    assert shown is not None
    return shown.data


class TestSilentChanges:
    """Each of facts/stash.md 2.3 that can make a difference to Plex."""

    def test_a_file_given_to_another_scene_makes_both_be_looked_at(self, household: Household) -> None:
        (one, item_of_one), (two, _) = film(household, "Harbour"), film(household, "Pier")
        household.begin()
        household.world.stash.silently.assign_file(two, household.world.stash.scene(one).path)
        assert {attempt.scene_id for attempt in household.look_and_work()} == {one, two}
        assert household.world.plex.item(item_of_one.rating_key).summary == "About Pier."
        assert household.look_and_work() == []

    @pytest.mark.parametrize("version", ["v0.27.2", "v0.30.1"])
    def test_a_moved_file_is_found_whether_stash_has_a_filter_for_it_or_not(self, tmp_path: Path, version: str) -> None:
        with SyncWorld(tmp_path, stash_version=version) as world, world.installed() as installation:
            household = Household(world, installation)
            scene_id, item = film(household, "Harbour")
            household.begin()
            old = world.stash.scene(scene_id).path
            world.stash.silently.move_file(old, f"{STASH_ROOT}/Concerts/Harbour.mp4")
            world.plex.rename_file(item, f"{PLEX_ROOT}/Concerts/Harbour.mp4")
            assert [attempt.scene_id for attempt in household.look_and_work()] == [scene_id]
            assert (world.stash.operations()["ScenesWithFilesChanged"] > 0) is (version == "v0.30.1")
            assert household.look_and_work() == []

    def test_files_of_a_renamed_folder_are_found_although_no_time_says_so(self, household: Household) -> None:
        scene_ids = [film(household, name)[0] for name in ("Harbour", "Pier")]
        household.begin()
        household.world.stash.silently.rename_folder(f"{STASH_ROOT}/Films", f"{STASH_ROOT}/Journeys")
        assert sorted(attempt.scene_id for attempt in household.look_and_work()) == scene_ids
        assert household.look_and_work() == []

    def test_a_deleted_file_makes_its_scene_be_looked_at_once(self, household: Household) -> None:
        scene_id, _ = film(household, "Harbour")
        household.begin()
        household.world.stash.silently.delete_file(household.world.stash.scene(scene_id).path)
        (attempt,) = household.look_and_work()
        assert (attempt.scene_id, attempt.outcome) == (scene_id, Outcome.SKIPPED)
        assert household.look_and_work() == []

    def test_auto_tags_reach_plex(self, household: Household) -> None:
        scene_id, item = film(household, "Harbour")
        household.begin()
        household.later()
        tag = household.world.stash.add_tag("Travel")
        household.world.stash.silently.auto_tag(scene_id, tags=[tag])
        assert [attempt.scene_id for attempt in household.look_and_work()] == [scene_id]
        assert household.world.plex.item(item.rating_key).genres == ("Travel",)

    def test_a_generated_cover_reaches_plex(self, household: Household) -> None:
        scene_id, item = film(household, "Harbour")
        household.begin()
        household.later()
        household.world.stash.silently.generate_cover(scene_id, png(11))
        assert [attempt.scene_id for attempt in household.look_and_work()] == [scene_id]
        assert poster(household, item) == png(11)

    def test_an_imported_scene_with_times_of_long_ago_reaches_plex(self, household: Household) -> None:
        film(household, "Harbour")
        household.begin()
        item = household.world.item("Films/Imported.mp4", 55_000)
        household.world.stash.silently.import_scene(
            f"{STASH_ROOT}/Films/Imported.mp4", updated_at="2019-05-01T10:00:00Z", title="Old pier", size_bytes=55_000
        )
        assert len(household.look_and_work()) == 1
        assert household.world.plex.item(item.rating_key).title == "Old pier"
        assert household.look_and_work() == []

    def test_merged_performers_reach_every_scene_that_showed_one_of_them(self, household: Household) -> None:
        stash = household.world.stash
        ada, other_ada = stash.add_performer("Ada"), stash.add_performer("Ada B.")
        (_, one), (_, two) = (
            film(household, "Harbour", performers=[ada]),
            film(household, "Pier", performers=[other_ada]),
        )
        household.begin()
        household.later()
        stash.silently.merge_performers([other_ada], ada)
        household.look_and_work()
        shown = [household.world.plex.item(item.rating_key).actors for item in (one, two)]
        assert shown == [("Ada",), ("Ada",)]
        assert household.look_and_work() == []

    def test_performers_and_studios_named_by_a_stash_box_reach_their_scenes(self, household: Household) -> None:
        stash = household.world.stash
        ada, pier = stash.add_performer("ada"), stash.add_studio("pier")
        _, item = film(household, "Harbour", performers=[ada], studio=pier)
        household.begin()
        household.later()
        stash.silently.tag_performer_from_box(ada, name="Ada Sample")
        stash.silently.tag_studio_from_box(pier, name="Pier Records")
        household.look_and_work()
        now = household.world.plex.item(item.rating_key)
        assert (now.actors, now.studio) == (("Ada Sample",), "Pier Records")
        assert household.look_and_work() == []

    def test_plays_and_other_activity_are_nobodys_business(self, household: Household) -> None:
        scene_id, _ = film(household, "Harbour")
        household.begin()
        context = household.world.stash._context()
        household.later()
        scene_mutations.scene_add_play(context, {"id": str(scene_id)})
        scene_mutations.scene_add_o(context, {"id": str(scene_id)})
        scene_mutations.scene_save_activity(context, {"id": str(scene_id), "resume_time": 3.0})
        assert household.look_and_work() == []

    def test_what_another_program_writes_into_the_database_is_found_by_no_look(self, household: Household) -> None:
        scene_id, item = film(household, "Harbour")
        household.begin()
        household.world.stash.silently.execute_sql(scene_id, title="Changed behind Stash's back")
        assert household.look_and_work() == [], "no time and no id changes: only comparing everything finds that"
        household.hook(scene_id)  # as a reconcile or `sync --all` would have it
        household.work()
        assert household.world.plex.item(item.rating_key).title == "Changed behind Stash's back"


class TestPerformersStudiosTagsAndGroups:
    def test_whose_hook_came_are_fanned_out_once(self, household: Household) -> None:
        stash = household.world.stash
        ada = stash.add_performer("Ada")
        film(household, "Harbour", performers=[ada])
        household.begin()
        household.later()
        stash.save_performer(ada, name="Ada Sample")
        ask_for(household.installation.queue, EntityChange(Entity.PERFORMER, int(ada.id)))
        assert len([attempt for attempt in household.work() if attempt.scene_id]) == 1
        assert household.look_and_work() == []

    def test_that_are_as_new_as_the_first_look_are_no_change(self, household: Household) -> None:
        stash = household.world.stash
        ada, live = stash.add_performer("Ada"), stash.add_tag("Live")
        scene_id, _ = film(household, "Harbour", performers=[ada], tags=[live])
        household.look()
        household.hook(scene_id)
        household.work()  # from here on it is known what the scene shows
        household.look()
        assert household.installation.queue.list_pending() == ()
        household.later(1.0)
        stash.save_performer(ada, name="Bea Sample")
        household.look()
        assert len(household.installation.queue.list_pending()) == 1

    def test_that_no_scene_shows_are_nobodys_business(self, household: Household) -> None:
        stash = household.world.stash
        ada = stash.add_performer("Ada")
        film(household, "Harbour")
        household.begin()
        household.later()
        stash.save_performer(ada, name="Ada Sample")
        household.look()
        assert household.installation.queue.list_pending() == ()

    @pytest.mark.parametrize("kind", ["performer", "studio", "tag"])
    def test_that_were_deleted_without_a_word_leave_the_items_that_showed_them(
        self, household: Household, kind: str
    ) -> None:
        stash = household.world.stash
        ada, pier, live = stash.add_performer("Ada"), stash.add_studio("Pier"), stash.add_tag("Live")
        _, item = film(household, "Harbour", performers=[ada], studio=pier, tags=[live])
        household.begin()
        stash.destroy_entities(kind, [{"performer": ada, "studio": pier, "tag": live}[kind]])
        household.look_and_work()
        now = household.world.plex.item(item.rating_key)
        assert {"performer": now.actors, "studio": now.studio, "tag": now.genres}[kind] in ((), "")
        assert household.look_and_work() == []

    def test_many_at_once_are_one_run_that_is_judged(self, world: SyncWorld) -> None:
        limits = {"max_change_items": 3, "max_change_percent": 10, "max_cleared_fields": 3}
        with world.installed(**limits) as installation:
            household = Household(world, installation)
            performers = [world.stash.add_performer(f"Ada {number}") for number in range(25)]
            for number, each in enumerate(performers):
                film(household, f"Film {number}", performers=[each])
            household.begin()
            household.later()
            for number, each in enumerate(performers):
                world.stash.silently.tag_performer_from_box(each, name=f"Bea {number}")
            assert household.look_and_work() == []
            assert household.edits() == 0
            (run,) = AutomaticRunStore(installation.database).stopped()
            assert "25 of 25 items" in run.reason

    def test_that_vanish_together_with_all_scenes_make_no_scene_part(self, household: Household) -> None:
        stash = household.world.stash
        for number in range(6):
            film(household, f"Film {number}", performers=[stash.add_performer(f"Ada {number}")])
        household.begin()
        stash.library.performers.clear()
        for scene_id in list(stash.library.scenes):
            stash.library.remove_scene(scene_id)
        for _ in range(3):
            assert [attempt for attempt in household.look_and_work() if attempt.scene_id] == []
        assert household.edits() == 0


class TestALibraryThatIsGoneAtOnce:
    @pytest.fixture
    def emptied(self, household: Household) -> Household:
        for number in range(6):
            film(household, f"Film {number}")
        household.begin()
        for scene_id in list(household.world.stash.library.scenes):
            household.world.stash.library.remove_scene(scene_id)
        return household

    def test_changes_nothing_in_plex_and_waits_for_a_person(self, emptied: Household) -> None:
        assert [emptied.look_and_work() for _ in range(3)] == [[], [], []]
        assert emptied.edits() == 0
        (run,) = AutomaticRunStore(emptied.installation.database).stopped()
        assert run.run_key == GONE
        assert "6 of 6 scenes are gone" in run.reason

    def test_is_left_alone_by_jobs_that_waited_for_other_reasons(self, emptied: Household) -> None:
        traces = TraceStore(emptied.installation.database)
        scenes = traces.ids_between(0, 1000)
        assert len(scenes) == 6
        emptied.look()
        for scene_id in scenes:
            emptied.hook(scene_id)
        assert {attempt.error_type for attempt in emptied.work()} == {"SceneGone"}
        assert emptied.edits() == 0
        assert traces.ids_between(0, 1000) == scenes, "they may come back"

    def test_goes_on_when_the_person_says_so(
        self, emptied: Household, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        emptied.look()
        world = emptied.world
        values = {"DATA_DIR": str(world.data_dir), "STASH_URL": world.stash.url, "PLEX_URL": world.plex.url}
        for key, value in {**values, "PLEX_TOKEN": TOKEN}.items():
            monkeypatch.setenv(f"SCENESYNC_{key}", value)
        (run,) = AutomaticRunStore(emptied.installation.database).stopped()
        assert run_cli(["stopped", "show", str(run.id)]) == 0
        assert "6 of 6 scenes are gone" in capsys.readouterr().out
        assert run_cli(["stopped", "continue", str(run.id)]) == 0
        assert len(emptied.work()) == 6
        assert emptied.edits() == 6

    def test_and_comes_back_leaves_nothing_to_do(self, household: Household) -> None:
        for number in range(6):
            film(household, f"Film {number}")
        household.begin()
        scenes = dict(household.world.stash.library.scenes)
        for scene_id in scenes:
            household.world.stash.library.remove_scene(scene_id)
        household.look()
        for scene in scenes.values():
            household.world.stash.library.put_scene(scene, bump=False)
        assert household.look_and_work() == []
        assert household.edits() == 0

    def test_is_parted_with_where_max_change_percent_is_100(self, world: SyncWorld) -> None:
        with world.installed(on_destroy="label", max_change_percent=100) as installation:
            household = Household(world, installation)
            for number in range(3):
                film(household, f"Film {number}")
            household.begin()
            for scene_id in list(world.stash.library.scenes):
                world.stash.library.remove_scene(scene_id)
            assert len(household.look_and_work()) == 3
            assert household.edits() == 3


class TestALibraryThatGoesSceneByScene:
    """A clean whose disk is not mounted tells of each deletion by its hook; so may a person who deletes them all."""

    @pytest.fixture
    def films(self, household: Household) -> list[int]:
        made = [film(household, f"Film {number}")[0] for number in range(30)]
        household.begin()
        return made

    def destroy(self, household: Household, scene_ids: Iterable[int]) -> None:
        for scene_id in scene_ids:
            path = household.world.stash.scene(scene_id).path
            household.world.stash.library.remove_scene(scene_id)
            household.hook(scene_id, DESTROY, path=path)

    def labelled(self, household: Household) -> int:
        return sum(LABEL in item.labels for item in household.world.plex.items())

    def test_stops_before_its_first_write_though_every_deletion_was_told_by_a_hook(
        self, household: Household, films: list[int], caplog: pytest.LogCaptureFixture
    ) -> None:
        self.destroy(household, films[:22])
        assert {attempt.error_type for attempt in household.work()} == {"SceneGone"}
        assert len([record for record in caplog.records if "stopped, nothing is changed" in record.message]) == 1
        assert (household.edits(), self.labelled(household)) == (0, 0)
        (run,) = AutomaticRunStore(household.installation.database).stopped()
        assert "22 of 30 scenes are gone from Stash at once (73 %)" in run.reason
        household.look()
        assert household.work() == []
        assert [each.totals["gone"] for each in AutomaticRunStore(household.installation.database).stopped()] == [22]

    def test_stops_when_a_few_at_a_time_have_become_too_many(self, household: Household, films: list[int]) -> None:
        for begin in range(0, 30, 5):
            self.destroy(household, films[begin : begin + 5])
            household.work()
            household.look_and_work()
        assert self.labelled(household) == 20, "so few are never asked about"
        (run,) = AutomaticRunStore(household.installation.database).stopped()
        assert "scenes are gone from Stash within an hour" in run.reason

    def test_goes_on_as_told_where_it_is_few_and_where_nothing_in_plex_would_change(
        self, household: Household, films: list[int], tmp_path: Path
    ) -> None:
        self.destroy(household, films[:12])
        assert len(household.work()) == 12
        assert self.labelled(household) == 12
        with SyncWorld(tmp_path / "keep") as world, world.installed(on_destroy="keep") as installation:
            keeping = Household(world, installation)
            made = [film(keeping, f"Film {number}")[0] for number in range(3)]
            keeping.begin()
            self.destroy(keeping, made)
            assert len(keeping.work()) == 3
            assert AutomaticRunStore(installation.database).stopped() == ()
            assert TraceStore(installation.database).count() == 0

    def test_goes_on_when_the_person_says_so_and_is_not_stopped_again(
        self, household: Household, films: list[int]
    ) -> None:
        self.destroy(household, films[:22])
        household.work()
        runs = AutomaticRunStore(household.installation.database)
        (run,) = runs.stopped()
        let_go_stopped(runs, household.installation.queue, run.id, household.installation.settings.data_dir / "plans")
        assert len(household.work()) == 22
        assert self.labelled(household) == 22
        self.destroy(household, films[22:24])
        household.work()
        assert self.labelled(household) == 24
        assert runs.stopped() == ()

    def test_that_a_person_dropped_counts_no_more(self, household: Household, films: list[int]) -> None:
        self.destroy(household, films[:22])
        household.look_and_work()
        runs = AutomaticRunStore(household.installation.database)
        (run,) = runs.stopped()
        household.look()
        assert forget_stopped(runs, run.id, household.installation.settings.data_dir / "plans")
        self.destroy(household, films[22:23])
        household.work()
        assert self.labelled(household) == 1

    def test_stops_though_jobs_wait_for_them_that_tell_of_something_else(
        self, household: Household, films: list[int]
    ) -> None:
        for scene_id in films[:22]:
            household.hook(scene_id)
            household.world.stash.library.remove_scene(scene_id)
        household.look_and_work()
        assert household.edits() == 0
        assert len(AutomaticRunStore(household.installation.database).stopped()) == 1

    def test_and_comes_back_before_anybody_decides_stops_no_later_deletion(
        self, household: Household, films: list[int]
    ) -> None:
        library = household.world.stash.library
        before = dict(library.scenes)
        self.destroy(household, films[:22])
        household.work()
        for scene in before.values():
            library.put_scene(scene, bump=False)
        runs = AutomaticRunStore(household.installation.database)
        (run,) = runs.stopped()
        assert forget_stopped(runs, run.id, household.installation.settings.data_dir / "plans")
        self.destroy(household, films[:1])
        household.work()
        assert (self.labelled(household), runs.stopped()) == (1, ())

    def test_look_by_look_is_judged_together_where_stash_tells_nobody_of_its_tasks(
        self, household: Household, films: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(household.installation.stash, "tells_jobs", lambda: False)
        for begin in range(0, 25, 5):
            for scene_id in films[begin : begin + 5]:
                household.world.stash.library.remove_scene(scene_id)
            assert household.look_and_work() == []
        runs = AutomaticRunStore(household.installation.database)
        assert runs.stopped() == ()
        assert household.look_and_work() == []
        (run,) = runs.stopped()
        assert "25 of 30 scenes are gone from Stash at once" in run.reason
        assert household.edits() == 0

    def test_stops_without_any_look_too(self, household: Household, films: list[int]) -> None:
        for scene_id in films[:22]:
            household.world.stash.library.remove_scene(scene_id)
            household.hook(scene_id)
        household.work()
        assert household.edits() == 0


class TestTimes:
    """Stash's zone, its clock and ours: whatever they are, a change is found, and found once."""

    @pytest.mark.parametrize("skew_s", [-7_200.0, 0.0, 7_200.0])
    @pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
    def test_a_stash_of_another_zone_whose_clock_is_wrong(self, household: Household, zone: str, skew_s: float) -> None:
        household.world.stash.library.zone = ZoneInfo(zone)
        household.clock.ahead_s = skew_s
        scene_id, item = film(household, "Harbour")
        household.begin()
        household.later()
        household.world.stash.save(scene_id, title="Harbour at dusk")
        assert [attempt.scene_id for attempt in household.look_and_work()] == [scene_id]
        assert household.world.plex.item(item.rating_key).title == "Harbour at dusk"
        time.sleep(2.1)
        assert [household.look_and_work() for _ in range(2)] == [[], []]

    def test_the_hour_that_comes_twice_when_summer_time_ends(self, household: Household) -> None:
        new_york, library = ZoneInfo("America/New_York"), household.world.stash.library
        library.zone = new_york
        ends = dt.datetime(2026, 11, 1, 1, 50, tzinfo=new_york)  # summer time: ten minutes before the clocks go back
        household.clock.ahead_s = ends.timestamp() - time.time()
        (one, _), (two, _) = film(household, "Harbour"), film(household, "Pier")
        household.begin()
        household.clock.ahead_s = ends.timestamp() - time.time()
        household.world.stash.save(one, title="Harbour in summer time")
        household.look_and_work()
        household.later(1_200.0)  # 01:10 for the second time: a text below that of the change before
        household.world.stash.save(two, title="Pier in winter time")
        assert library.scene(two).updated_at < library.scene(one).updated_at
        poll = household.installation.looks(lambda: household.session, household.activity)._poll
        poll.look()
        assert two in {attempt.scene_id for attempt in household.work()}

    def test_a_stash_that_was_moved_to_another_zone(self, household: Household) -> None:
        (one, _), (two, _) = film(household, "Harbour"), film(household, "Pier")
        household.begin()
        household.later()
        household.world.stash.save(one, title="Harbour in Greenwich")
        household.look_and_work()
        household.world.stash.library.zone = ZoneInfo("America/New_York")
        household.later()
        household.world.stash.save(two, title="Pier in New York")
        assert two in {attempt.scene_id for attempt in household.look_and_work()}
