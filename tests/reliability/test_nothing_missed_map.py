"""Which test shows each promise about changes that nobody announced: polling, Plex's side, comparisons, the plugin."""

from __future__ import annotations

from typing import Final

import pytest
from test_lessons_map import names_in

pytestmark = pytest.mark.reliability

_E2E: Final = "tests/e2e/"
_WAYS: Final = f"{_E2E}test_every_way.py::test_plex_ends_equal_to_stash_and_each_change_is_written_once"
_ANNOUNCES: Final = f"{_E2E}test_plex_announces.py::"
_ENDS_EQUAL: Final = f"{_E2E}test_reconciliation.py::"
_IN_STASH: Final = f"{_E2E}test_plugin_in_stash.py::"
_FROM_ZIP: Final = f"{_E2E}test_plugin_from_zip.py::"
_COMPARED: Final = "tests/integration/test_reconcile.py::"
_SILENT: Final = "tests/integration/test_silent_changes.py::"
_NEWS: Final = "tests/integration/test_stash_news.py::"
_CHANGES: Final = "tests/integration/test_plex_changes.py::"
_SCANS: Final = "tests/integration/test_plex_scan_requests.py::"
_STOPPED: Final = "tests/integration/test_stopped_runs.py::"
_IMPORT: Final = "tests/integration/test_import.py::"
_REPORTS: Final = "tests/integration/test_plugin_reports.py::"
_POLLING: Final = "tests/unit/intake/test_polling.py::"
_WALKING: Final = "tests/unit/intake/test_walking.py::"
_BY_CHANGE: Final = "tests/unit/stash/test_stash_changes.py::"
_SCHEMA: Final = "tests/unit/stash/test_stash_schema.py::"
_MANIFEST: Final = "tests/unit/app/test_plugin_manifest.py::"
_ZIP: Final = "tests/unit/deploy/test_plugin_zip.py::"
_SERVICES: Final = "tests/unit/deploy/test_services.py::"
_TLS: Final = "tests/unit/app/test_tls_settings.py::"
_INSTALLING: Final = "tests/reliability/test_installing.py::"
_STORM: Final = "tests/reliability/test_identification_storm.py::"
_SLOWLY: Final = f"{_SILENT}TestALibraryThatGoesSceneByScene::"
_BUSY: Final = f"{_POLLING}TestWhileStashRunsATask::"
_SUBSCRIPTION: Final = "tests/unit/stash/test_stash_subscription.py::"
_CONVERGENCE: Final = "tests/reliability/test_convergence.py::"
_FACTS: Final = "tests/reliability/test_stash_facts_map.py::"

PROMISES: Final[dict[str, tuple[str, ...]]] = {
    # Without a plugin at all
    "Two addresses and their keys are enough.": (
        f"{_E2E}test_changes_without_hooks.py::test_without_the_plugin_files_what_is_saved_reaches_plex",
        _WAYS,
    ),
    "Stash's own texts, an overlap, and moments compared, not texts.": (
        f"{_BY_CHANGE}test_what_changed_within_the_overlap_is_found_again",
        f"{_BY_CHANGE}test_a_new_time_zone_of_stash_hides_nothing_with_the_wide_slack",
        f"{_POLLING}test_times_are_compared_as_moments_whatever_their_zone",
    ),
    "Moved files and merges are found although nothing says so.": (
        f"{_SILENT}TestSilentChanges::test_a_moved_file_is_found_whether_stash_has_a_filter_for_it_or_not",
        f"{_SILENT}TestAScene::test_that_was_merged_makes_the_scene_that_has_its_file_be_looked_at",
    ),
    "Deletions are found by comparing ids, paged by range.": (
        f"{_WALKING}test_a_deletion_is_found_at_the_next_look_wherever_the_walk_stands",
        f"{_WALKING}test_the_ids_of_a_whole_library_are_asked_for_only_when_scenes_are_missing",
        f"{_WALKING}test_whatever_happens_to_a_library_everything_is_told_of_once",
    ),
    "A scanned scene's cover, which comes after its hook, reaches Plex.": (
        f"{_SILENT}test_a_cover_that_comes_after_the_create_hook_in_the_same_second_reaches_plex",
    ),
    "Stash's subscriptions make it look at once.": (
        f"{_NEWS}test_what_a_scan_finds_reaches_the_queue_at_its_end_or_at_the_next_look",
        f"{_NEWS}test_listening_goes_on_by_itself_after_stash_was_away",
        f"{_SUBSCRIPTION}test_a_subscription_that_stash_ends_ends_the_connection_so_that_another_is_opened",
    ),
    "Hooks and polls together never do the work twice.": (
        f"{_SILENT}test_what_a_hook_announced_is_one_look_and_one_edit_however_often_stash_is_looked_at",
        f"{_SILENT}test_a_hook_whose_job_waits_and_a_look_are_one_job",
        _WAYS,
    ),
    # Plex's side
    "What Plex announces wakes the jobs that wait for it.": (
        f"{_ANNOUNCES}test_a_file_that_appears_in_plex_is_delivered_within_seconds_and_few_requests",
    ),
    "It keeps the index fresh.": (
        f"{_CHANGES}test_new_moved_and_deleted_items_keep_the_index_fresh_without_a_listing",
    ),
    "A person's edit in Plex is noticed, and another tool is not fought for ever.": (
        f"{_CHANGES}test_a_persons_edit_makes_the_scene_be_looked_at",
        f"{_ANNOUNCES}test_a_persons_edit_in_plex_is_put_back_once_and_plex_may_cut_the_line",
        f"{_CHANGES}test_another_tool_that_wants_something_else_is_not_fought_for_ever",
    ),
    "It reconnects by itself, and everything works without it.": (
        f"{_CHANGES}test_while_plex_is_away_what_was_announced_waits",
        f"{_ANNOUNCES}test_without_the_websocket_it_is_delivered_after_the_next_refresh",
        _WAYS,
    ),
    "A missing file's folder is scanned, a bulk import in few scans, and only if that is wished.": (
        f"{_ANNOUNCES}test_a_missing_file_is_scanned_for_heard_of_and_delivered",
        f"{_SCANS}test_a_bulk_import_is_few_scans",
        f"{_SCANS}test_it_is_off_unless_it_is_switched_on",
    ),
    # Comparisons
    "Gaps are empty, stale, missing, drifted; each is found, told with examples, and mended.": (
        f"{_COMPARED}test_each_kind_of_gap_is_found_told_and_mended",
        f"{_REPORTS}test_reconciling_tells_what_it_found_and_mends_it",
    ),
    "By scope, by schedule and on demand.": (
        f"{_COMPARED}test_a_scope_holds_what_stash_changed_within_that_time",
        f"{_COMPARED}test_it_is_due_when_the_last_of_its_scope_is_long_ago",
        f"{_ENDS_EQUAL}test_the_daemon_compares_by_itself_when_it_is_time",
    ),
    "It goes on after a crash where it was.": (f"{_ENDS_EQUAL}test_one_that_was_killed_goes_on_where_it_was",),
    "A dry run changes nothing.": (f"{_COMPARED}test_a_dry_run_notes_and_enqueues_nothing",),
    "A scene with nothing to show yet blanks nothing.": (
        f"{_COMPARED}test_a_scene_without_anything_to_show_does_not_blank_an_item",
    ),
    # Storms, and what nobody asked for
    "A task over thousands of scenes is one job a scene, and Plex has its peace while it runs (--long: 10,000).": (
        f"{_STORM}test_a_storm_is_one_job_a_scene_and_plex_has_its_peace_while_it_lasts",
    ),
    "What would turn a library over stops before its first write.": (
        f"{_STORM}test_a_storm_that_turns_the_library_over_stops_before_its_first_write",
        f"{_STOPPED}test_a_run_that_changes_too_many_items_stops_before_its_first_write",
        f"{_COMPARED}test_one_that_nobody_asked_for_stops_before_it_changes_too_much",
    ),
    "So do deletions, whoever tells of them and however slowly they come.": (
        f"{_SILENT}TestALibraryThatIsGoneAtOnce::test_changes_nothing_in_plex_and_waits_for_a_person",
        f"{_SLOWLY}test_stops_before_its_first_write_though_every_deletion_was_told_by_a_hook",
        f"{_SLOWLY}test_stops_when_a_few_at_a_time_have_become_too_many",
        f"{_SLOWLY}test_stops_though_jobs_wait_for_them_that_tell_of_something_else",
        f"{_POLLING}TestWhileStashRunsATask::test_where_stash_tells_its_tasks_to_nobody_until_a_look_finds_no_more",
    ),
    "With the data directory lost one comparison brings all back, and writes nothing that is right.": (
        f"{_ENDS_EQUAL}test_after_the_data_directory_was_lost_one_comparison_brings_all_back_and_writes_nothing",
    ),
    # The plugin
    "Its page has the settings that make sense there, each described.": (
        f"{_MANIFEST}test_every_setting_is_on_the_page_or_has_a_reason_why_not",
        f"{_MANIFEST}test_every_setting_of_the_page_says_what_it_is_and_has_the_type_that_stash_can_show",
    ),
    "Its tasks show progress and a result that can be read.": (
        f"{_MANIFEST}test_every_task_can_be_done_and_whatever_can_be_done_is_a_task",
        f"{_IN_STASH}test_the_task_sync_all_shows_its_progress_and_brings_everything_to_plex",
        f"{_IN_STASH}test_tasks_list_replay_and_purge_dead_letters",
        f"{_REPORTS}test_the_plan_is_told_field_by_field_and_nothing_is_written",
        f"{_REPORTS}test_the_queue_status_tells_all_that_status_does",
        f"{_REPORTS}test_the_health_check_asks_the_stash_that_runs_it_and_says_what_to_mend",
        f"{_REPORTS}test_the_outage_report_tells_when_plex_was_away_and_why",
    ),
    "It installs its dependencies into an environment of its own, and starts and stops the daemon.": (
        "tests/integration/test_plugin_install.py::test_the_new_environment_takes_the_place_of_the_old_one",
        f"{_IN_STASH}test_a_daemon_that_a_person_stopped_stays_off_until_it_is_started",
    ),
    "The archive and its index entry are made as Stash wants them, the same bytes each time.": (
        f"{_ZIP}test_the_index_says_what_stash_wants_to_know",
        f"{_ZIP}test_the_same_files_and_time_make_the_same_bytes_from_any_folder",
    ),
    "Hook and tasks run from the archive in an empty folder.": (
        f"{_FROM_ZIP}test_from_an_empty_folder_to_plex_with_the_archive_alone",
    ),
    # Services
    "The container is not root, has one volume and a health check; hook and daemon share a directory.": (
        f"{_SERVICES}test_the_container_runs_the_daemon_as_nobody_special_with_one_volume",
        f"{_SERVICES}test_the_health_check_of_the_container_is_a_command_that_there_is",
        f"{_SERVICES}test_hook_and_daemon_of_the_compose_example_work_in_one_directory_as_one_user",
    ),
    "Its very commands make a SceneSync that works.": (
        f"{_INSTALLING}test_the_commands_of_the_container_file_make_a_scenesync_that_works",
    ),
    "systemd takes the unit and finds it well locked up.": (
        f"{_SERVICES}test_systemd_understands_the_unit_and_finds_it_well_locked_up",
    ),
    # Whatever happened
    "With and without plugin and websockets Plex ends equal to Stash, at a cost that is counted.": (_WAYS,),
    "A Plex that was restored ends equal to Stash.": (
        f"{_ENDS_EQUAL}test_a_plex_that_was_restored_to_an_older_state_ends_equal_to_stash",
        f"{_ENDS_EQUAL}test_the_daemon_mends_by_itself_a_plex_that_was_restored",
    ),
    "A Stash that was restored is what Plex shows, and the daemon notices by itself.": (
        f"{_ENDS_EQUAL}test_a_stash_that_was_restored_to_an_older_state_is_what_plex_shows_in_the_end",
        f"{_ENDS_EQUAL}test_the_daemon_notices_by_itself_that_stash_was_restored",
    ),
    "From any two states and through any faults both end equal within a bounded time.": (
        "tests/reliability/test_convergence.py::test_from_any_state_and_through_any_faults_plex_ends_equal_to_stash",
    ),
    # The rest
    "A private authority is believed where it is named; a check that is off is loudly so.": (
        f"{_TLS}test_with_the_authority_named_all_three_ways_are_open",
        f"{_TLS}test_a_check_that_is_switched_off_is_loudly_so",
    ),
    "A schema is asked for once a version, and only what it has is requested.": (
        f"{_SCHEMA}test_the_schema_is_asked_for_once_a_version",
        f"{_SCHEMA}test_every_version_answers_every_question",
    ),
    "The other tool's jobs, letters and times are taken over without running its pickles.": (
        f"{_IMPORT}test_jobs_letters_and_times_are_taken_over",
        f"{_IMPORT}test_a_pickle_that_wants_to_run_something_is_named_and_left",
        f"{_IMPORT}test_a_text_that_is_no_utf_8_costs_its_own_record_alone",
    ),
    "Its links in scenes' addresses go when asked for, and nothing else does.": (
        f"{_IMPORT}test_links_of_such_tools_are_taken_off_and_nothing_else",
    ),
    "Every dependency is there ready-made for musl and glibc.": (
        f"{_INSTALLING}test_every_dependency_is_there_ready_made_for_every_machine_and_python",
        "tests/unit/deploy/test_wheels.py::test_every_package_that_is_needed_is_pinned_and_in_the_table_of_the_docs",
    ),
    "Each fact that matters most about Stash, and each of its silent changes, has its test.": (
        f"{_FACTS}test_every_one_of_the_ten_facts_has_two",
    ),
}

ROWS: Final = [(promise, test) for promise, tests in PROMISES.items() for test in tests]


@pytest.mark.parametrize(("promise", "test"), ROWS, ids=[f"{row[0][:24]}: {row[1][-40:]}" for row in ROWS])
def test_a_promise_has_its_test(promise: str, test: str) -> None:
    path, _, name = test.partition("::")
    assert name in names_in(path), promise
