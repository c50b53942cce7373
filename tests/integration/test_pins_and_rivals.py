"""A person's word about an item, and two scenes that claim one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sync_world import PLEX_ROOT, STASH_ROOT

from scenesync.app.pinning import PinRefused, pin_scene, unpin_scene
from scenesync.domain.matching import Rule
from scenesync.domain.outcome import Outcome
from scenesync.queue.dead_letters import LetterFilter
from scenesync.store.pins import PinStore

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.domain.dead_letter import DeadLetter
    from scenesync.simulators.plex.model import PlexItem

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]


def pin(world: SyncWorld, scene_id: int, item: PlexItem, **settings: object) -> None:
    with world.installed(**settings) as installation:
        pin_scene(installation, scene_id, item.rating_key)


def letters(world: SyncWorld) -> tuple[DeadLetter, ...]:
    with world.installed() as installation:
        return installation.dead_letters.list(LetterFilter())


def elsewhere(world: SyncWorld, name: str, size: int = 5) -> PlexItem:
    return world.plex.add_item(world.library, file=f"{PLEX_ROOT}/Elsewhere/{name}.mp4", size_bytes=size)


class TestPins:
    def test_a_pinned_item_is_written_although_no_rule_finds_it(self, world: SyncWorld) -> None:
        scene_id, _, _ = world.scene(title="Harbour")
        item = elsewhere(world, "other name")
        pin(world, scene_id, item)
        [attempt] = world.drain()
        assert (attempt.outcome, attempt.rule, attempt.rating_keys) == (Outcome.SYNCED, "pin", (item.rating_key,))
        assert world.plex.item(item.rating_key).title == "Harbour"

    def test_a_pin_works_at_once_for_an_item_that_came_after_the_last_look_at_plex(self, world: SyncWorld) -> None:
        scene_id, _, _ = world.scene(title="Harbour")
        waiting, path, size = world.scene("waits for its file", title="Lighthouse")
        assert [attempt.outcome for attempt in world.drain(waiting)] == [Outcome.RETRY]
        with world.installed() as installation:
            session = world.session(installation)
            items = [elsewhere(world, "other name"), world.item(path, size)]
            for scene, item in zip((scene_id, waiting), items, strict=True):
                pin_scene(installation, scene, item.rating_key)
            found = installation.stash.scenes([scene_id])[scene_id]
            match, _ = session.scene_sync._locator.locate(found)
            assert (match.rule, match.rating_keys) == (Rule.PIN, (items[0].rating_key,))
        attempts = world.drain()
        assert {attempt.scene_id: attempt.outcome for attempt in attempts} == dict.fromkeys(
            (scene_id, waiting), Outcome.SYNCED
        )

    def test_a_pin_wins_over_the_exact_path(self, world: SyncWorld) -> None:
        scene_id, by_path = world.pair(title="Harbour")
        chosen = elsewhere(world, "other")
        pin(world, scene_id, chosen)
        world.drain()
        assert (world.plex.item(chosen.rating_key).title, by_path.title) == ("Harbour", "film 1")

    def test_a_pin_settles_an_ambiguous_match_and_replays_its_dead_letter(self, world: SyncWorld) -> None:
        scene_id, path, size = world.scene("twice", title="Harbour")
        items = [
            world.plex.add_item(world.library, file=f"{PLEX_ROOT}/{folder}/{path}", size_bytes=size)
            for folder in ("A", "B")
        ]
        assert [attempt.outcome for attempt in world.drain(scene_id)] == [Outcome.DEAD]
        pin(world, scene_id, items[1])
        assert letters(world) == ()
        assert [attempt.outcome for attempt in world.drain()] == [Outcome.SYNCED]
        assert [item.title for item in items] == ["twice", "Harbour"]

    def test_a_pin_outlives_a_rescan_that_gives_the_item_another_key(self, world: SyncWorld) -> None:
        scene_id, _, _ = world.scene(title="Harbour")
        item = elsewhere(world, "other name")
        pin(world, scene_id, item)
        world.drain()
        world.plex.remove_item(item.rating_key)
        again = elsewhere(world, "other name")
        assert again.rating_key != item.rating_key
        [attempt] = world.drain(scene_id)
        assert (attempt.outcome, attempt.rule, attempt.rating_keys) == (Outcome.SYNCED, "pin", (again.rating_key,))
        # What it is called now was noted: the key is followed through a rename that keeps it, too.
        world.plex.rename_file(again, f"{PLEX_ROOT}/Elsewhere/renamed.mp4")
        world.stash.save(scene_id, title="Harbour at dusk")
        world.drain(scene_id)
        assert again.title == "Harbour at dusk"

    def test_a_pin_outlives_a_rebuilt_stash_that_numbers_its_scenes_anew(self, world: SyncWorld) -> None:
        scene_id, path, size = world.scene(title="Harbour")
        item = elsewhere(world, "other name")
        pin(world, scene_id, item)
        world.stash.destroy(scene_id)
        world.drain()
        again = world.stash.add_scene(path=f"{STASH_ROOT}/{path}", size_bytes=size, title="Harbour, second life")
        [attempt] = world.drain(int(again.id))
        assert (attempt.rule, item.title) == ("pin", "Harbour, second life")

    def test_a_key_that_a_rebuilt_plex_gave_to_another_film_is_not_written(self, world: SyncWorld) -> None:
        scene_id, _, _ = world.scene(title="Harbour")
        item = elsewhere(world, "other name", size=700)
        pin(world, scene_id, item)
        world.drain()
        world.plex.edit_by_hand(item, title="A stranger", locked=False)
        item.versions = (world.plex._catalogue.new_version(f"{PLEX_ROOT}/stranger.mp4", 900, 1000),)
        world.plex._catalogue.touch(item, moves_updated_at=True)
        [attempt] = world.drain(scene_id)
        assert attempt.outcome is Outcome.RETRY
        assert "pinned to the Plex item" in attempt.message
        assert "scenesync unpin" in attempt.message
        assert item.title == "A stranger"

    @pytest.mark.parametrize("repinned", [False, True], ids=["taken off", "moved to another item"])
    def test_what_a_person_says_of_a_pin_while_its_scene_is_worked_on_stays(
        self,
        world: SyncWorld,
        repinned: bool,  # noqa: FBT001 - a column
    ) -> None:
        scene_id, _, _ = world.scene(title="Harbour")
        first, other = elsewhere(world, "other name"), elsewhere(world, "another", size=6)
        pin(world, scene_id, first)
        world.drain()
        world.plex.remove_item(first.rating_key)
        elsewhere(world, "other name")  # by another key, which the worker is to note
        with world.installed() as installation:
            session = world.session(installation)
            session.index.refresh()
            scene = installation.stash.scenes([scene_id])[scene_id]
            [looked] = session.scene_sync.look_at_all([scene])
            assert unpin_scene(installation, scene_id)
            if repinned:
                pin_scene(installation, scene_id, other.rating_key)
            said = PinStore(installation.database, session.identity.machine_identifier).all()
            match, _ = session.scene_sync._locator.locate(scene, looked=looked)
            assert match.rule is Rule.PIN
            assert PinStore(installation.database, session.identity.machine_identifier).all() == said
            assert len(said) == repinned

    def test_unpin_gives_the_word_back_to_the_rules(self, world: SyncWorld) -> None:
        scene_id, by_path = world.pair(title="Harbour")
        pin(world, scene_id, elsewhere(world, "other"))
        world.drain()
        with world.installed() as installation:
            assert unpin_scene(installation, scene_id)
            assert not unpin_scene(installation, scene_id)
        [attempt] = world.drain()
        assert (attempt.rule, by_path.title) == ("path", "Harbour")

    @pytest.mark.parametrize("moved", [False, True])
    def test_an_item_that_a_wrong_pin_is_taken_off_shows_its_own_scene_again(
        self, world: SyncWorld, *, moved: bool
    ) -> None:
        (wrong, _), (right, item) = world.pair(title="Harbour"), world.pair(title="Pier")
        world.drain(wrong, right)
        pin(world, wrong, item)
        world.drain()
        assert item.title == "Harbour"
        if moved:
            pin(world, wrong, elsewhere(world, "other"))
        else:
            with world.installed() as installation:
                assert unpin_scene(installation, wrong)
        world.drain()
        assert item.title == "Pier"

    def test_a_pin_of_a_scene_that_stash_has_no_longer_can_be_taken_off(self, world: SyncWorld) -> None:
        scene_id, _, _ = world.scene(title="Harbour")
        pin(world, scene_id, elsewhere(world, "other"))
        world.stash.destroy(scene_id)
        with world.installed() as installation:
            assert unpin_scene(installation, scene_id)

    @pytest.mark.parametrize("case", ["no item", "no scene", "no file", "other library", "taken"])
    def test_what_could_not_work_is_refused_with_the_reason(self, world: SyncWorld, case: str) -> None:
        scene_id, _, _ = world.scene(title="Harbour")
        item = elsewhere(world, "other")
        wanted, reason = item.rating_key, ""
        match case:
            case "no item":
                wanted, reason = "999999", "Plex has no item 999999"
            case "no scene":
                scene_id, reason = 4711, "Stash has no scene 4711"
            case "no file":
                scene_id, reason = int(world.stash.add_scene(title="Nothing", path=None).id), "has no file"
            case "other library":
                world.plex.add_library("Holidays", ["/mnt/holidays"])
                reason = "in none of the libraries that are kept in sync: Holidays"
            case "taken":
                other, _, _ = world.scene(title="Other")
                pin(world, other, item)
                reason = f"Scene {other} is pinned to the Plex item"
        libraries = ("Holidays",) if case == "other library" else ()
        with world.installed(plex_libraries=libraries) as installation, pytest.raises(PinRefused, match=reason):
            pin_scene(installation, scene_id, wanted)


class TestTwoScenesOnOneItem:
    """Plex merges the files of two scenes as versions of one film."""

    @pytest.fixture
    def merged(self, world: SyncWorld) -> tuple[int, int, PlexItem]:
        (first, item), (second, other) = world.pair(title="First"), world.pair(title="Second")
        world.plex.merge_items(item, other)
        return first, second, item

    def test_neither_is_written_and_both_are_named(self, world: SyncWorld, merged: tuple[int, int, PlexItem]) -> None:
        first, second, item = merged
        assert [attempt.outcome for attempt in world.drain(first, second)] == [Outcome.DEAD] * 2
        assert world.plex.field_writes == []
        assert world.stash.operations()["ScenesByFile"] == 2
        for letter in letters(world):
            assert letter.error_type == "AmbiguousMatch"
            assert sorted(letter.details["scene_ids"]) == [first, second]
            assert letter.details["candidates"] == [item.rating_key]
            assert f"share the Plex item {item.rating_key}" in letter.message

    def test_they_do_not_take_turns_after_a_merge_either(self, world: SyncWorld) -> None:
        (first, item), (second, other) = world.pair(title="First"), world.pair(title="Second")
        world.drain(first, second)
        world.plex.merge_items(item, other)
        world.plex.clear_records()
        for scene_id, title in ((first, "First, again"), (second, "Second, again"), (first, "First, once more")):
            world.stash.save(scene_id, title=title)
            assert [attempt.outcome for attempt in world.drain(scene_id)] == [Outcome.DEAD]
        assert world.plex.field_writes == []

    def test_the_pinned_one_wins_and_the_other_is_left_out_without_a_dead_letter(
        self, world: SyncWorld, merged: tuple[int, int, PlexItem]
    ) -> None:
        first, second, item = merged
        world.drain(first, second)
        pin(world, second, item)
        outcomes = {attempt.scene_id: attempt for attempt in world.drain()}
        assert item.title == "Second"
        assert outcomes[second].outcome is Outcome.SYNCED
        assert outcomes[first].outcome is Outcome.SKIPPED
        assert f"scene {second}, which is pinned to it" in outcomes[first].message
        assert letters(world) == ()
        assert [attempt.outcome for attempt in world.drain(first)] == [Outcome.SKIPPED]
        assert item.title == "Second"

    def test_split_apart_they_are_both_written_again(self, world: SyncWorld, merged: tuple[int, int, PlexItem]) -> None:
        first, second, item = merged
        world.drain(first, second)
        [other] = world.plex.split_item(item)
        with world.installed() as installation:
            installation.dead_letters.replay()
        assert [attempt.outcome for attempt in world.drain()] == [Outcome.SYNCED] * 2
        assert (item.title, other.title) == ("First", "Second")

    def test_a_scene_that_is_gone_or_lost_its_file_there_stands_in_nobodys_way(self, world: SyncWorld) -> None:
        (first, item), (second, other) = world.pair(title="First"), world.pair(title="Second")
        world.drain(first, second)
        world.plex.merge_items(item, other)
        world.stash.destroy(second)
        world.stash.save(first, details="Alone now.")
        assert [attempt.outcome for attempt in world.drain(first)] == [Outcome.SYNCED]

    def test_a_scene_that_does_not_take_part_stands_in_nobodys_way(
        self, world: SyncWorld, merged: tuple[int, int, PlexItem]
    ) -> None:
        first, second, item = merged
        world.stash.save(second, tags=[world.stash.add_tag("Private")])
        assert [attempt.outcome for attempt in world.drain(first, skip_tags=("private",))] == [Outcome.SYNCED]
        assert item.title == "First"

    def test_versions_of_one_scene_are_no_rivals(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Both versions")
        world.stash.add_copy_in_scan(scene_id, f"{STASH_ROOT}/Films/uhd.mp4")
        world.plex.add_version(item, file=f"{PLEX_ROOT}/Films/uhd.mp4", size_bytes=900, duration_ms=60_000)
        assert [attempt.outcome for attempt in world.drain(scene_id)] == [Outcome.SYNCED]

    def test_an_exact_path_takes_an_item_from_a_scene_whose_copy_was_only_like_it(self, world: SyncWorld) -> None:
        copy, path, size = world.scene("harbour", title="The copy")
        item = world.plex.add_item(world.library, file=f"{PLEX_ROOT}/Moved/harbour.mp4", size_bytes=size)
        assert [attempt.rule for attempt in world.drain(copy)] == ["name_size"]
        right = world.stash.add_scene(path=f"{STASH_ROOT}/Moved/harbour.mp4", size_bytes=size, title="The right one")
        assert [attempt.rule for attempt in world.drain(int(right.id))] == ["path"]
        assert item.title == "The right one"
        world.stash.save(copy, title="The copy, edited")
        [attempt] = world.drain(copy)
        assert attempt.outcome is Outcome.RETRY
        assert f"plays that of scene {right.id}" in attempt.message
        assert item.title == "The right one"
        assert path.endswith("harbour.mp4")

    def test_of_two_copies_that_are_both_only_like_the_file_the_second_is_a_question(self, world: SyncWorld) -> None:
        one, _, size = world.scene("A/harbour", title="One copy")
        two = world.stash.add_scene(path=f"{STASH_ROOT}/B/harbour.mp4", size_bytes=size, title="Another")
        item = world.plex.add_item(world.library, file=f"{PLEX_ROOT}/X/harbour.mp4", size_bytes=size)
        assert [attempt.outcome for attempt in world.drain(one)] == [Outcome.SYNCED]
        assert [attempt.outcome for attempt in world.drain(int(two.id))] == [Outcome.DEAD]
        assert item.title == "One copy"

    def test_an_ordinary_scene_costs_no_further_request_to_stash(self, world: SyncWorld) -> None:
        scene_id, _ = world.pair(title="Ordinary")
        world.drain(scene_id)
        world.stash.save(scene_id, title="Ordinary, again")
        world.drain(scene_id)
        asked = world.stash.operations()
        assert (asked["ScenesOneByOne"], asked["ScenesByFile"]) == (2, 0)
