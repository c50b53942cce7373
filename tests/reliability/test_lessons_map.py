"""Which test would notice which lesson: what goes wrong in tools of this kind, line by line, with the tests to it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.reliability

ROOT: Final = Path(__file__).parents[2]

_LOST: Final = "tests/reliability/test_lessons_work_lost.py::"
_NEWER: Final = f"{_LOST}TestANewerEdit::"
_ABSENT: Final = "tests/reliability/test_lessons_absent_is_not_empty.py::"
_OUTAGE: Final = "tests/integration/test_outage_lessons.py::"
_LOOP: Final = "tests/integration/test_work_loop.py::"
_LOOKUP: Final = f"{_OUTAGE}TestALookupThatCannotConnect::"
_TOKEN: Final = f"{_OUTAGE}TestARefusedToken::"
_FORGETS: Final = f"{_OUTAGE}TestNotFoundIsNotRememberedForLong::"
_LONG: Final = "tests/reliability/test_long_outage.py::"
_KILLED: Final = "tests/reliability/test_crash_at_random_instants.py::"
_MATCHING: Final = "tests/unit/domain/test_matching_lessons.py::"
_AGAIN: Final = "tests/integration/test_found_again.py::"
_FIELDS: Final = "tests/integration/test_field_lessons.py::"
_PICTURES: Final = "tests/integration/test_pictures.py::"
_CRASH: Final = "tests/reliability/test_crash_at_every_write.py::"

LESSONS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "Work lost or doubled": {
        "A retry as acknowledge-then-put, a failure as fail-then-add: SIGKILL in between and the job is gone.": (
            f"{_CRASH}test_sigkill_at_every_system_call_that_writes_loses_and_doubles_no_job",
            f"{_CRASH}test_no_write_of_a_step_from_one_place_to_another_is_one_after_which_the_job_is_nowhere_or_twice",
            f"{_KILLED}test_sigkill_at_random_instants_loses_and_doubles_no_job",
        ),
        "An edit made while its scene is processed is refused as already pending.": (
            f"{_LOOP}TestStorms::test_an_edit_during_processing_runs_once_more",
            "tests/e2e/test_daemon.py::test_a_scene_saved_while_it_is_being_written_runs_once_more",
        ),
        "An edit made while its scene waits for a retry is refused, and the old snapshot is written.": (
            f"{_NEWER}test_of_a_scene_that_waits_for_its_retry_goes_at_once_and_the_old_state_is_never_written",
            f"{_NEWER}test_whose_event_was_lost_is_still_what_the_retry_writes",
        ),
        "What was read is compared by clocks instead of with what is now.": (
            f"{_NEWER}test_while_the_scene_is_written_runs_once_more_whatever_the_clocks_say",
        ),
        "A set of what this run has processed swallows a second, newer edit of the same scene.": (
            f"{_NEWER}test_of_a_scene_that_this_run_has_done_already_is_done_again",
        ),
        "A window of recently completed scenes refuses legitimate work.": (
            f"{_NEWER}test_of_a_scene_that_was_completed_a_moment_ago_is_not_refused_by_the_next_run",
        ),
        "Stash unreachable while a job is hydrated counts as permanent: a restart dead-letters the whole queue.": (
            f"{_LOST}test_a_stash_that_cannot_answer_while_jobs_are_hydrated_makes_them_wait",
            f"{_LOOP}TestOutages::test_stash_down_makes_jobs_wait_and_go_on_by_themselves",
        ),
        "A cap on concurrent hook processes that exits before the event is stored.": (
            f"{_LOST}test_hooks_that_run_all_at_once_each_keep_their_event",
        ),
        "A cooldown without a timer: the last event of a burst waits for ever.": (
            f"{_LOST}test_the_last_event_of_a_burst_needs_no_other_after_it",
        ),
        "A stop that gives up its lock while the thread still runs.": (
            f"{_LOST}test_a_daemon_that_ends_keeps_its_lock_until_it_asks_plex_nothing_more",
        ),
        "Bulk edits carry another input shape and are ignored.": (
            f"{_LOST}test_scenes_of_a_bulk_edit_reach_plex_although_its_input_has_another_shape",
            f"{_LOST}test_scenes_of_one_request_for_several_reach_plex_each_with_its_own_values",
            "tests/integration/test_hook.py::test_event_becomes_a_durable_job",
        ),
        "Events that arrive while a scan runs are dropped.": (
            f"{_LOST}test_events_while_stash_runs_a_job_are_delivered_before_it_ends",
        ),
    },
    "Absent is not empty": {
        "Null in a hook's input is taken for cleared: toggling organized wipes summary and date.": (
            f"{_ABSENT}test_the_hook_is_told_null_for_what_nobody_touched",
            f"{_ABSENT}test_organized_toggled_wipes_nothing_and_writes_nothing",
            f"{_ABSENT}test_organized_toggled_on_several_at_once_wipes_nothing",
            f"{_ABSENT}test_one_field_saved_leaves_the_others_alone_and_one_emptied_is_emptied",
        ),
        "The hook's input is taken for the truth, which is what a query returns.": (
            f"{_ABSENT}test_what_a_job_carries_is_never_taken_for_the_scene",
            f"{_ABSENT}test_an_event_while_stash_is_away_waits_and_wipes_nothing",
        ),
    },
    "Outages taken for something else": {
        "A lookup that swallows the connection error says not found: retries are spent, jobs discarded.": (
            f"{_LOOKUP}test_of_a_file_that_the_index_does_not_know_is_an_outage",
            f"{_LOOKUP}test_of_the_item_that_matched_is_an_outage_too",
            f"{_LOOKUP}test_of_a_library_by_its_name_does_not_say_that_there_is_no_such_library",
            f"{_LOOKUP}test_costs_no_retry_and_discards_nothing_even_with_skip_not_found",
        ),
        "Ambiguous matches are counted by the breaker: five of them stop everybody's work.": (
            f"{_OUTAGE}test_ambiguous_matches_never_open_the_circuit",
        ),
        "A wrong token dead-letters everything, one job at a time.": (
            f"{_TOKEN}test_of_plex_pauses_with_one_message_and_work_goes_on_by_itself",
            f"{_TOKEN}test_of_stash_pauses_with_one_message_and_jobs_wait",
        ),
        "Recovering outage jobs looks for a kind of dead letter that is never written.": (
            f"{_OUTAGE}test_after_an_outage_there_is_nothing_to_recover",
            "tests/reliability/test_long_outage.py::test_a_daemon_killed_twice_in_an_outage_leaves_nothing_to_recover",
        ),
        "A memory of not found outlives the whole retry window.": (
            f"{_FORGETS}test_what_is_remembered_is_shorter_than_the_first_retrys_bound",
            f"{_FORGETS}test_a_retry_asks_plex_again_and_finds_what_came_meanwhile",
        ),
    },
    "Matching": {
        "By base name another studio's 01.mp4 is matched with high confidence, even where the exact path exists.": (
            f"{_MATCHING}test_lesson_by_base_name_the_other_studios_01_is_never_this_scene",
            f"{_MATCHING}test_lesson_path_first_even_when_every_other_fact_speaks_for_another_item",
        ),
        "A remembered match that is never verified writes to an unrelated item after Plex's database was rebuilt.": (
            f"{_MATCHING}test_lesson_a_cached_key_is_no_proof_not_even_a_pinned_one",
            f"{_AGAIN}test_a_key_that_a_rebuilt_plex_gave_to_another_film_is_not_written",
        ),
        "Paths are split by the local system's rules: those of a Plex on Windows never match on Linux.": (
            f"{_MATCHING}test_lesson_windows_paths_match_on_whatever_system_this_runs",
        ),
        "Only the first file of a scene is looked at.": (
            f"{_MATCHING}test_lesson_every_file_of_the_scene_is_looked_at",
        ),
    },
    "Fields": {
        "Lists only grow: a removed performer, tag or former studio's collection stays for ever.": (
            f"{_FIELDS}test_lists_do_not_only_grow",
            f"{_FIELDS}test_a_persons_own_entries_survive_the_removal_of_ours",
        ),
        "Edits without locks are undone by the next metadata refresh.": (
            f"{_FIELDS}test_a_metadata_refresh_does_not_undo_what_was_written",
            f"{_FIELDS}test_without_locks_the_next_look_repairs_what_a_refresh_undid",
        ),
        "Cleaning by dropping control characters glues paragraphs together: the newline is one.": (
            f"{_FIELDS}test_cleaning_keeps_the_line_breaks_of_a_summary",
        ),
        "Art is uploaded from a preview that is a video, or from a login page.": (
            f"{_FIELDS}test_a_video_is_never_uploaded_as_art",
            f"{_FIELDS}test_a_login_page_is_never_uploaded_as_art",
        ),
        "Images are uploaded anew at each sync.": (
            f"{_FIELDS}test_pictures_are_not_uploaded_anew_at_each_sync",
            f"{_PICTURES}test_a_changed_setting_uploads_each_poster_once_and_no_background",
        ),
        "Partial failures are warnings in the log while the job counts as done: the poster is never tried again.": (
            f"{_FIELDS}test_a_failing_picture_does_not_pass_for_a_finished_job",
            f"{_PICTURES}TestABrokenCover::test_is_tried_again_by_itself_while_the_text_is_written_and_proven",
            f"{_PICTURES}TestABrokenCover::test_is_a_dead_letter_in_the_end_that_says_it_is_the_picture",
        ),
    },
}

ROWS: Final = [
    (section, lesson, test)
    for section, lessons in LESSONS.items()
    for lesson, tests in lessons.items()
    for test in tests
]


@pytest.mark.parametrize(("section", "lesson", "test"), ROWS, ids=[test.rpartition("::")[2] for _, _, test in ROWS])
def test_a_lesson_has_its_test(section: str, lesson: str, test: str) -> None:
    path, _, name = test.partition("::")
    assert name in names_in(path), f"{section}: {lesson}"


def test_every_lesson_has_one_and_no_name_is_there_twice() -> None:
    assert [lesson for lessons in LESSONS.values() for lesson, tests in lessons.items() if not tests] == []
    assert len({test for _, _, test in ROWS}) == len(ROWS)


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the tests of a file as pytest names them, read from its text."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    for group in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        names += [f"{group.name}::{node.name}" for node in group.body if isinstance(node, ast.FunctionDef)]
    return frozenset(name for name in names if name.rpartition("::")[2].startswith("test_"))
