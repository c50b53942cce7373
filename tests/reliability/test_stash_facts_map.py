"""Which test shows which fact of Stash: the ten that matter most (facts/stash.md 0), and each silent change (2.3).

Of each fact one test shows that the simulated Stash behaves so, and one what SceneSync does about it.
"""

from __future__ import annotations

from typing import Final

import pytest
from test_lessons_map import names_in

from scenesync.stash import queries

pytestmark = pytest.mark.reliability

_SIM: Final = "tests/unit/simulators/"
_HOOKS: Final = f"{_SIM}test_stash_hooks.py::"
_TIMES: Final = f"{_SIM}test_stash_times.py::"
_QUIET: Final = f"{_SIM}test_stash_silent.py::"
_SILENT: Final = "tests/integration/test_silent_changes.py::"
_CHANGES: Final = f"{_SILENT}TestSilentChanges::"
_SHOWN: Final = f"{_SILENT}TestPerformersStudiosTagsAndGroups::"
_POLLING: Final = "tests/unit/intake/test_polling.py::"
_ANNOUNCED: Final = f"{_POLLING}TestAVersionThatAHookAnnounced::"
_WALKING: Final = "tests/unit/intake/test_walking.py::"
_BY_WALK: Final = "tests/unit/stash/test_stash_changes.py::"
_IN_STASH: Final = "tests/e2e/test_plugin_in_stash.py::"
_HERE: Final = "tests/reliability/test_stash_facts_map.py::"
_FIRES_NOTHING: Final = f"{_QUIET}test_a_silent_change_fires_nothing_and_bumps_only_what_the_real_one_bumps"

FACTS: Final[dict[str, tuple[str, ...]]] = {
    "1 Hooks are synchronous and have no time-out: a slow hook is a slow Save.": (
        f"{_HOOKS}test_save_waits_for_its_hooks_and_requests_run_theirs_side_by_side",
        "tests/integration/test_hook.py::test_event_becomes_a_durable_job",
    ),
    "2 Hooks run side by side across requests, one after the other within one.": (
        f"{_HOOKS}test_bulk_writes_everything_first_and_then_runs_one_hook_after_another",
        f"{_TIMES}test_scan_workers_run_their_hooks_side_by_side",
        "tests/reliability/test_lessons_work_lost.py::test_hooks_that_run_all_at_once_each_keep_their_event",
    ),
    "3 A client that goes away kills the running hook, and the rest never start.": (
        f"{_HOOKS}test_a_client_that_goes_away_kills_the_hook_and_skips_the_rest_but_everything_is_written",
        "tests/e2e/test_changes_without_hooks.py::test_without_the_plugin_files_what_is_saved_reaches_plex",
    ),
    "4 Some changes fire no hook, and a scan's Create hook comes before the cover.": (
        f"{_TIMES}test_a_scan_announces_a_scene_before_it_has_its_cover",
        f"{_SILENT}test_a_cover_that_comes_after_the_create_hook_in_the_same_second_reaches_plex",
        f"{_POLLING}test_a_scene_just_made_is_looked_at_once_more_since_its_cover_may_come_in_the_same_second",
    ),
    "5 What scenes show changes without their time; at a deletion the relation is gone already.": (
        f"{_TIMES}test_edits_of_a_performer_studio_or_tag_leave_the_scenes_time",
        f"{_HOOKS}test_a_hook_of_destroy_finds_the_relation_gone_already",
        f"{_SHOWN}test_that_were_deleted_without_a_word_leave_the_items_that_showed_them",
        f"{_SHOWN}test_whose_hook_came_are_fanned_out_once",
    ),
    "6 Times are compared as texts, in the server's zone, with one-second ticks; zones mix in the column.": (
        f"{_TIMES}test_a_watermark_in_utc_misses_changes_of_a_server_in_new_york",
        f"{_TIMES}test_a_second_is_the_smallest_step_and_greater_than_excludes_it",
        f"{_TIMES}test_after_a_change_of_zone_the_column_is_sorted_as_text",
        f"{_BY_WALK}test_what_changed_after_the_clocks_went_back_is_found_below_older_rows",
        f"{_BY_WALK}test_a_new_time_zone_of_stash_hides_nothing_with_the_wide_slack",
        f"{_POLLING}test_a_thorough_look_goes_below_what_another_zone_could_hide",
        f"{_ANNOUNCED}test_and_changed_again_under_the_same_second_is_news_whatever_our_clock_says",
        f"{_POLLING}test_times_are_compared_as_moments_whatever_their_zone",
        f"{_POLLING}test_a_version_that_was_read_long_after_it_was_stamped_is_not_read_again_whatever_the_clocks_say",
        f"{_POLLING}TestFilesThatMoved::test_are_asked_for_since_stashs_own_time_of_the_look_before",
    ),
    "7 A renamed file fires without a bump; a copy with one; a clean that takes one of several bumps in silence.": (
        f"{_TIMES}test_a_rename_fires_without_a_bump_and_only_the_files_filter_sees_it",
        f"{_TIMES}test_a_copy_fires_and_bumps_and_cleaning_one_of_two_files_bumps_in_silence",
        f"{_SILENT}TestAScene::test_that_was_renamed_in_silence_is_found_and_matched_by_its_new_path",
        f"{_CHANGES}test_a_moved_file_is_found_whether_stash_has_a_filter_for_it_or_not",
    ),
    "8 A detached child that inherits stdout keeps the Save hanging.": (
        f"{_HOOKS}test_a_child_that_inherits_stdout_holds_up_the_save_and_one_with_stderr_does_not",
        f"{_IN_STASH}test_saving_a_scene_starts_the_daemon_which_finds_everything_by_itself",
    ),
    "9 The UI writes all plugins' settings from its own copy: they are no place for state.": (
        f"{_QUIET}test_the_ui_writes_back_all_settings_from_the_copy_that_it_made_when_it_was_opened",
        f"{_HERE}test_stash_is_changed_by_nothing_but_what_a_person_asks_the_import_to_clean_up",
    ),
    "10 Only the session cookie stops a hook that writes back.": (
        f"{_HOOKS}test_only_the_cookie_stops_a_hook_that_writes_back",
        f"{_HERE}test_stash_is_changed_by_nothing_but_what_a_person_asks_the_import_to_clean_up",
    ),
}

SILENT_CHANGES: Final[dict[str, tuple[str, ...]]] = {
    "sceneMerge": (
        _FIRES_NOTHING,
        f"{_SILENT}TestAScene::test_that_was_merged_makes_the_scene_that_has_its_file_be_looked_at",
    ),
    "performerMerge": (_FIRES_NOTHING, f"{_CHANGES}test_merged_performers_reach_every_scene_that_showed_one_of_them"),
    "sceneAssignFile": (_FIRES_NOTHING, f"{_CHANGES}test_a_file_given_to_another_scene_makes_both_be_looked_at"),
    "moveFiles": (
        _FIRES_NOTHING,
        f"{_CHANGES}test_a_moved_file_is_found_whether_stash_has_a_filter_for_it_or_not",
        f"{_WALKING}test_a_moved_file_is_found_within_a_round_whatever_the_times_say",
    ),
    "a folder found under a new name": (
        _FIRES_NOTHING,
        f"{_CHANGES}test_files_of_a_renamed_folder_are_found_although_no_time_says_so",
    ),
    "deleteFiles": (_FIRES_NOTHING, f"{_CHANGES}test_a_deleted_file_makes_its_scene_be_looked_at_once"),
    "plays, activity, O": (
        f"{_TIMES}test_playing_fires_nothing_and_bumps_nothing",
        f"{_CHANGES}test_plays_and_other_activity_are_nobodys_business",
    ),
    "autotag": (_FIRES_NOTHING, f"{_CHANGES}test_auto_tags_reach_plex"),
    "metadataImport": (
        _FIRES_NOTHING,
        f"{_CHANGES}test_an_imported_scene_with_times_of_long_ago_reaches_plex",
        f"{_WALKING}test_a_scene_that_nobody_has_read_is_no_news_unless_its_id_is_new",
    ),
    "stash-box batch tagging": (
        _FIRES_NOTHING,
        f"{_CHANGES}test_performers_and_studios_named_by_a_stash_box_reach_their_scenes",
    ),
    "sceneGenerateScreenshot and metadataGenerate": (_FIRES_NOTHING, f"{_CHANGES}test_a_generated_cover_reaches_plex"),
    "direct SQL": (
        _FIRES_NOTHING,
        f"{_CHANGES}test_what_another_program_writes_into_the_database_is_found_by_no_look",
    ),
    "a scene that vanishes": (
        f"{_TIMES}test_a_merge_of_scenes_is_silent_and_makes_the_sources_vanish",
        f"{_SILENT}TestAScene::test_that_was_deleted_without_a_word_is_parted_with_as_its_hook_would_have_it",
        f"{_SILENT}TestALibraryThatIsGoneAtOnce::test_changes_nothing_in_plex_and_waits_for_a_person",
    ),
}
"""Not among them: addGroupSubGroups, since SceneSync shows nothing of a group within a group."""

ROWS: Final = [(fact, test) for table in (FACTS, SILENT_CHANGES) for fact, tests in table.items() for test in tests]


@pytest.mark.parametrize(("fact", "test"), ROWS, ids=[f"{fact[:24]}: {test[-40:]}" for fact, test in ROWS])
def test_a_fact_has_its_test(fact: str, test: str) -> None:
    path, _, name = test.partition("::")
    assert name in names_in(path), fact


def test_every_one_of_the_ten_facts_has_two() -> None:
    assert [int(fact.split()[0]) for fact in FACTS] == list(range(1, 11))
    assert min(len(tests) for tests in (*FACTS.values(), *SILENT_CHANGES.values())) >= 2


def test_stash_is_changed_by_nothing_but_what_a_person_asks_the_import_to_clean_up() -> None:
    made = [
        queries.scenes(),
        queries.scenes_by_file(),
        queries.scenes_one_by_one([1]),
        queries.scenes_that_exist([1]),
        *(queries.scenes_of_entity_after(kind) for kind in ("performer", "studio", "tag", "group")),
        *(queries.entities_by_change(kind) for kind in ("performer", "studio", "tag", "group")),
    ]
    texts = [query.text for query in (*vars(queries).values(), *made) if isinstance(query, queries.Query)]
    assert len(texts) > 20
    changing = [text for text in texts if text.split()[0] not in {"query", "subscription"}]
    assert changing == [queries.SET_SCENE_URLS.text]
    assert not [text for text in texts if "configurePlugin" in text]
